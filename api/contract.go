package api

import (
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/role"
)

// tags are the parts of the OpenAPI document.
var tags = []*huma.Tag{
	{Name: "Contacts", Description: "The people who write to the desk."},
	{Name: "Tickets", Description: "What they ask for, and what agents do about it."},
	{Name: "Reports", Description: "Figures, each with its definition."},
	{Name: "Events", Description: "The audit trail: everything that happened, in order."},
	{Name: "Companies", Description: "What contacts belong to."},
	{Name: "Agents", Description: "Those who work on tickets, and their status."},
	{Name: "Departments", Description: "What tickets belong to, and agents serve."},
	{Name: "Custom fields", Description: "What the desk keeps of contacts and companies beside what all desks do."},
	{Name: "Tags", Description: "What contacts and tickets are marked with."},
	{Name: "Groups", Description: "Groups of contacts and companies."},
	{Name: "Operations", Description: "Imports, long commands, the read models, and the state of the process."},
}

// contract completes the OpenAPI document: the problems that each route may be answered with, and one schema for each type
// with few values. It changes only what is shown, and not what requests are checked against.
func contract(doc *huma.OpenAPI) {
	doc.Components.Responses = make(map[string]*huma.Response)
	for op := range operationsOf(doc) {
		delete(op.Responses, "default")
		slices.SortStableFunc(op.Parameters, func(a, b *huma.Param) int { return slices.Index(places, a.In) - slices.Index(places, b.In) })
		for _, status := range refusals(op) {
			name := strings.ReplaceAll(http.StatusText(status), " ", "")
			doc.Components.Responses[name] = problemResponse(status)
			op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
		}
	}
	schemas := shownSchemas{doc.Components.Schemas, make(map[string]*huma.Schema)}
	for name, s := range doc.Components.Schemas.Map() {
		schemas.all[name] = shown(s)
	}
	for _, name := range []string{"Problem", "ProblemField", "ImportOutcome"} {
		if s := schemas.all[name]; s != nil {
			code := *s.Properties["code"]
			s.Properties["code"] = &huma.Schema{Ref: schemaRef + "ProblemCode", Description: code.Description}
		}
	}
	for _, n := range namedEnums {
		schemas.all[n.name] = &huma.Schema{Type: huma.TypeString, Enum: n.values, Description: n.about}
	}
	doc.Components.Schemas = schemas
	for op := range operationsOf(doc) {
		for _, p := range op.Parameters {
			p.Schema = shown(p.Schema)
		}
		bodies := []map[string]*huma.MediaType{}
		if op.RequestBody != nil {
			bodies = append(bodies, op.RequestBody.Content)
		}
		for _, r := range op.Responses {
			bodies = append(bodies, r.Content)
		}
		for _, content := range bodies {
			for _, body := range content {
				body.Schema = shown(body.Schema)
			}
		}
	}
}

// operationsOf yields the operations of a document.
func operationsOf(doc *huma.OpenAPI) iter.Seq[*huma.Operation] {
	return func(yield func(*huma.Operation) bool) {
		for _, item := range doc.Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && !yield(op) {
					return
				}
			}
		}
	}
}

// places are those of parameters, in the order in which a client's methods take them.
var places = []string{"path", "query", "header"}

const schemaRef = "#/components/schemas/"

// refusals returns the statuses of the problems that an operation may be answered with.
func refusals(op *huma.Operation) []int {
	statuses := []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusUnprocessableEntity, http.StatusInternalServerError}
	add := func(does bool, more ...int) {
		if does {
			statuses = append(statuses, more...)
		}
	}
	keyed, changes, takesBody := op.Security == nil || len(op.Security) > 0, op.Method != http.MethodGet, op.RequestBody != nil
	names := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool {
		return p.In == "path" || slices.Contains([]string{"tag", "tag_not", "group"}, p.Name)
	})
	_, adds := op.Responses["200"]
	adds = adds && op.DefaultStatus == http.StatusCreated // to a thing that the body may name
	permission, _ := op.Metadata[needed].(role.Permission)
	add(keyed, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	add(permission != "", http.StatusForbidden)
	_, finds := op.Metadata[findsOne]
	add(names || adds || finds, http.StatusNotFound)
	add(takes(op, "query", "size"), http.StatusGone)
	add(changes || takes(op, "header", "Daybook-After"), http.StatusConflict)
	add(changes, http.StatusPreconditionFailed)
	add(takesBody, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	return statuses
}

// problemResponse describes the answers that are problems with a status.
func problemResponse(status int) *huma.Response {
	r := &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: schemaRef + "Problem"}}},
	}
	header := func(name, about string) {
		r.Headers = map[string]*huma.Param{name: {Description: about, Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	switch status {
	case http.StatusUnauthorized:
		header("WWW-Authenticate", "How to authenticate")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		header("Retry-After", "Seconds after which the same request may succeed")
	}
	return r
}

// shownSchemas are the schemas of the document. The registry keeps those that requests are checked against.
type shownSchemas struct {
	huma.Registry
	all map[string]*huma.Schema
}

func (s shownSchemas) Map() map[string]*huma.Schema { return s.all }

// SchemaFromRef returns what a request is checked against: the registry's schema, unless only the document has one.
func (s shownSchemas) SchemaFromRef(ref string) *huma.Schema {
	if checked := s.Registry.SchemaFromRef(ref); checked != nil {
		return checked
	}
	return s.all[strings.TrimPrefix(ref, schemaRef)]
}
func (s shownSchemas) MarshalJSON() ([]byte, error) { return json.Marshal(s.all) }

// shown returns a schema as the document has it: with references to the enums that have a name.
func shown(s *huma.Schema) *huma.Schema {
	if s == nil {
		return nil
	}
	c := *s
	if len(s.Enum) > 0 {
		if name := nameOf(s.Enum); name != "" {
			ref := &huma.Schema{Ref: schemaRef + name, Description: s.Description, Default: s.Default}
			if s.Nullable {
				return &huma.Schema{AnyOf: []*huma.Schema{{Ref: ref.Ref}, {Type: "null"}}, Description: s.Description, Default: s.Default}
			}
			return ref
		}
	}
	c.Properties = maps.Clone(s.Properties)
	for name, p := range c.Properties {
		c.Properties[name] = shown(p)
	}
	c.Items = shown(s.Items)
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		c.AdditionalProperties = shown(more)
	}
	for _, any := range []*[]*huma.Schema{&c.AnyOf, &c.OneOf, &c.AllOf} {
		*any = slices.Clone(*any)
		for i, of := range *any {
			(*any)[i] = shown(of)
		}
	}
	return &c
}
