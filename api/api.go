// Package api is the desk as JSON over HTTP.
//
// A command is a POST, PUT, PATCH or DELETE that answers with the thing as it now is; a query is a GET that is answered
// from the read models and says from which position. The OpenAPI document at /openapi.json is made of the code that
// serves it.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// Config is what the API is made of.
type Config struct {
	*access.Door
	Log *slog.Logger

	// Rows folds things' own streams into their rows.
	Rows Rows
	// Import plays a journal's lines.
	Import func(ctx context.Context, options ImportOptions, journal io.Reader) (ImportAnswer, error)
	// Operator keeps the read models.
	Operator Operator
	// OperationsOnly leaves out all but how the process and the read models are.
	OperationsOnly bool
	// Drain ends when the server is asked to stop: streams end then, so that it can.
	Drain context.Context
}

// Rows folds a thing's own stream into its row. It returns readmodels.ErrNoRow if that makes nothing.
type Rows interface {
	// At returns a thing as it was at a revision; written is what was written last, up to there, if that is at hand.
	At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision, written []event.Written) (table.Snapshot, error)
	// AsOf returns a thing as the events that keep lets count make it.
	AsOf(ctx context.Context, category string, id uuid.UUID, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error)
}

// MaxBody is the largest body of a request, in bytes, but for an import.
const MaxBody = 1 << 20

// bodyTimeout is how long a body may take to come; of an import, each part of it.
const bodyTimeout = 30 * time.Second

// server is the API with its routes.
type server struct {
	Config
	api    huma.API
	places map[string]string         // where a thing is, by its category
	routes map[reflect.Type][]string // those that ask for each type of command or plan
}

// New makes the API's handler. It serves /v1, /openapi.json, /docs, /healthz and /readyz.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	h := newServer(c, mux)
	return h.wrap(mux)
}

// description is what holds for all routes.
const description = `The event-sourced system of record for customer support.

A command answers with the thing as it now is. **Idempotency-Key** makes it safe to repeat: the same key and body get the
first answer again. **If-Match** with an ETag refuses to overwrite what somebody else changed. **Daybook-Position** of an
answer, sent as **Daybook-After** with a query, waits until the query sees what was written. **Daybook-Reason** is kept with
the events. Every answer has a **Request-Id**: the request's own, if it has one, or a new one. Errors are RFC 9457 problems
with a stable code, a sentence that says what to do, and the request's id. Unknown fields and parameters are errors, so that
typing mistakes are found; so is null: what is left out stays as it is, and an empty value clears.`

func newServer(c Config, mux *http.ServeMux) *server {
	config := huma.DefaultConfig("Daybook", "1")
	config.Info.Description = description
	for _, tag := range []string{"Contacts", "Tickets", "Reports", "Events", "Companies", "Agents", "Departments", "Tags", "Groups", "Operations"} {
		config.Tags = append(config.Tags, &huma.Tag{Name: tag})
	}
	config.DocsPath = "" // its pages come from elsewhere; ours is docs.go
	config.OpenAPIPath = "/openapi"
	config.SchemasPath = ""
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{withRequestID}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key, made with `daybook key create`."},
	}
	config.Security = []map[string][]string{{"key": {}}}
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[table.Instant](), reflect.TypeFor[instant]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[table.Position](), reflect.TypeFor[string]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[table.Ref](), reflect.TypeFor[ref]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[report.Row](), reflect.TypeFor[reportRow]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[id]())
	for _, t := range enums {
		config.Components.Schemas.RegisterTypeAlias(t.of, t.shown)
	}
	s := &server{Config: c, api: humago.New(mux, config), places: make(map[string]string), routes: make(map[reflect.Type][]string)}
	s.api.UseMiddleware(s.authenticate)
	if !c.OperationsOnly {
		s.people()
	}
	s.operations()
	mux.HandleFunc("GET /docs", docs)
	mux.HandleFunc("GET /docs/{file}", docsFile)
	return s
}

// people is what people and programs ask of the desk.
func (s *server) people() {
	s.contacts()
	s.companies()
	s.departments()
	s.tags()
	s.groups()
	s.agents()
	s.tickets()
	s.reports()
	s.events()
	s.imports()
	s.plans()
}

// What the rows are made of, as the OpenAPI document shows it.
type (
	instant   struct{}
	ref       struct{}
	id        struct{}
	reportRow struct{}
)

func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

func (ref) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid", Nullable: true}
}

func (id) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

func (reportRow) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:        huma.TypeObject,
		Description: "agent_id and agent (null and empty for nobody), bucket, and each metric by its name.",
		Properties: map[string]*huma.Schema{
			"agent_id": {Type: huma.TypeString, Format: "uuid", Nullable: true},
			"agent":    {Type: huma.TypeString},
			"bucket":   {Type: huma.TypeString},
		},
		Required:             []string{"agent_id", "agent", "bucket"},
		AdditionalProperties: true,
	}
}

// Routes lists the routes that ask for each type of command or plan, by the type's name.
func Routes() map[string][]string {
	all := make(map[string][]string)
	for t, routes := range newServer(Config{Door: new(access.Door)}, http.NewServeMux()).routes {
		all[t.Name()] = routes
	}
	return all
}

// noteCommand notes which route asks for a command.
func noteCommand[C any](s *server, op huma.Operation) {
	s.routes[reflect.TypeFor[C]()] = append(s.routes[reflect.TypeFor[C]()], op.Method+" "+op.Path)
}

// describe makes the description of a route. Tag is what it is listed under.
func describe(method, path, tag, summary string) huma.Operation {
	name := strings.NewReplacer("/v1/", "", "/", "-", "{", "", "}", "", "_", "-").Replace(path)
	errors := []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
	if method != http.MethodGet {
		errors = append(errors, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return huma.Operation{
		Method: method, Path: path, OperationID: strings.ToLower(method) + "-" + name, Summary: summary, Tags: []string{tag},
		MaxBodyBytes: MaxBody, BodyReadTimeout: bodyTimeout,
		Errors: errors,
	}
}

// conditional describes a route that answers 304 to whoever has its answer already.
func conditional(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"304": {Description: "It is as the caller has it"}}
	return op
}

func init() {
	huma.DefaultArrayNullable = false // a list is never null
	huma.ValidateStrictCasing = true  // a field has one name
	huma.NewError = newProblem        // one form for all errors
}
