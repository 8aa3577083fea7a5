// Package api serves the desk as JSON over HTTP.
//
// A command is a POST, PUT, PATCH or DELETE, and returns the thing as it now is. A query is a GET. It is answered from the
// read models, and says at which position of the log they were. The OpenAPI document at /openapi.json is generated from
// the handlers.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/domain"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// Config holds the parts of the API. All are required, except as noted.
type Config struct {
	*access.Door
	Log *slog.Logger

	// Rows folds a thing's stream into its row.
	Rows Rows
	// Import imports a journal, and returns how many lines came to what.
	Import func(ctx context.Context, options ImportOptions, journal io.Reader) (desk.Counts, error)
	// Operator manages the read models.
	Operator Operator
	// OperationsOnly serves only health checks and the state of the read models; default false.
	OperationsOnly bool
	// Limits bound what a client can cost; default those of the fields' tags.
	Limits Limits
	// Metrics serves /metrics to callers with an API key; nil: it is not served here.
	Metrics http.Handler
	// Exceeded is told the name of each limit that a request meets; nil: nobody is told.
	Exceeded func(limit string)
	// Drain ends when the server is asked to stop. Event streams end then, so that it can.
	Drain context.Context
}

// Rows folds a thing's stream into its row. It returns table.ErrNoRow if the events make no row.
type Rows interface {
	// At returns a thing as it was at a revision. written holds the last events up to that revision, if the caller has them.
	At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision, written []event.Written) (table.Snapshot, error)
	// AsOf returns a thing folded from only those of its events for which keep returns true.
	AsOf(ctx context.Context, category string, id uuid.UUID, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error)
	// Part returns the row of a part of a thing, from the table with a name, as it was at a revision of the thing. written holds the last
	// events up to that revision if the part began with them, or none.
	Part(ctx context.Context, category string, id uuid.UUID, table string, part uuid.UUID, revision eventstore.Revision, written []event.Written) (row any, err error)
}

// server is the API with its routes.
type server struct {
	Config
	api    huma.API
	things map[string]things         // by what refs call them: their category, for tags also with their registry
	routes map[reflect.Type][]string // the routes of each type of command or plan

	requests, streams counts    // by key
	wrong             wrongKeys // by address
	right             sync.Map  // the hashes of API keys that were right
}

// New returns the API's handler. It serves /v1, /openapi.json, /docs, /healthz and /readyz.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	h := newServer(c, mux)
	return h.wrap(mux)
}

// description says what applies to all routes.
const description = `The event-sourced system of record for customer support.

A command returns the thing as it now is.

- **Idempotency-Key** makes a command safe to repeat: the same key and body get the first answer again.
- **If-Match** with an ETag refuses a command on a thing that has changed since.
- **Daybook-Position** in an answer, sent as **Daybook-After** with a query, makes the query wait until it sees what was written.
- **Daybook-Reason** is stored with the events.
- **Request-Id** in an answer is the request's own id, or a new one. An own id that is neither a UUID nor 32 hexadecimal digits
  comes back as a keyed hash, as in the log and in the events.

Errors are RFC 9457 problems with a stable code, a sentence that says what to do, and the request's id. Unknown fields and
parameters are errors, so that typing mistakes are found, and so are parameters without a value. In an edit, so is null: leave
a field out to keep it, or send an empty value to clear it.

What is not there, or may not be seen, is 404 if the path names it, and 422 with the name of the parameter or field if a query
or a body does. What was deleted stays readable, with deleted_at, and its history can be listed; to change it or to use it
for something new is 409 with a code such as contact-deleted. Contacts and companies can be restored. One thing can be read
as soon as it was created; lists need Daybook-After to be sure to have it.

In bodies, NAME_id holds the id of a thing and NAME_ids those of several; NAME is the thing itself, in answers to queries that
**expand** it. What a ticket follows up or a message replies to is in follow_up_of and in_reply_to, which hold the id of a ticket.
Parameters that select things are called NAME, and take an id; of tags and groups, also the name. Where a thing can be
missing, the value none selects what has none.

A list comes in pages: next is the cursor of the next one, and null on the last. A page looks at 20000 rows at most. If what
you ask for is rare among them, the page is short, perhaps empty, and has a next with which to go on.

A search, q, is a list of words. A row is found if each is the beginning of one of its words: of a name or a subject, an e-mail
address, the words before its @ or its domain, a phone number with or without its country code, a handle. Case, accents and
other marks do not matter, nor does how a phone number is written. Names are sorted as in a dictionary, not by code points.

Text is UTF-8 without control characters other than tabs and line breaks, and is kept in NFC. Instants are RFC 3339, of the
years 1900 to 2200. Several values of a parameter are separated by commas, or given by repeating it.`

func newServer(c Config, mux *http.ServeMux) *server {
	config := huma.DefaultConfig("Daybook", "1")
	config.Info.Description = description
	config.Servers = []*huma.Server{{URL: "/", Description: "The desk that serves this document"}}
	config.Tags = tags
	config.DocsPath = "" // huma's page loads files from other hosts; ours is in docs.go
	config.OpenAPIPath = "/openapi"
	config.SchemasPath = ""
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key, as created by `daybook key create`."},
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
	c.Limits = c.Limits.orDefault()
	s := &server{Config: c, things: make(map[string]things), routes: make(map[reflect.Type][]string)}
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat, "text/csv": {Marshal: send}}
	config.Transformers = []huma.Transformer{s.finish}
	config.OnAddOperation = append(config.OnAddOperation, func(_ *huma.OpenAPI, op *huma.Operation) { op.BodyReadTimeout = -1 }) // see inTime
	s.api = jsonAPI{humago.New(mux, config), config}
	s.api.UseMiddleware(s.parameters, s.authenticate, s.body)
	if !c.OperationsOnly {
		s.people()
	}
	s.operations()
	contract(s.api.OpenAPI())
	mux.HandleFunc("GET /docs", docs)
	mux.HandleFunc("GET /docs/problems", problemsPage)
	mux.HandleFunc("GET /docs/problems.json", problemsList)
	mux.HandleFunc("GET /docs/{file}", docsFile)
	return s
}

// A jsonAPI answers in JSON, whatever Accept says: routes with other forms heed it themselves. huma's own negotiation panics on
// some headers, such as "a;,b", after a command took effect.
type jsonAPI struct {
	huma.API
	config huma.Config
}

// Negotiate implements huma.API.
func (jsonAPI) Negotiate(string) (string, error) { return "application/json", nil }

// Config is where huma looks for settings.
func (a jsonAPI) Config() huma.Config { return a.config }

// people adds the routes for people and programs, as opposed to those for operators.
func (s *server) people() {
	s.contacts()
	s.companies()
	s.departments()
	s.tags()
	s.fields()
	s.groups()
	s.agents()
	s.tickets()
	s.reports()
	s.events()
	s.imports()
	s.plans()
}

// The types of row fields, as the OpenAPI document shows them.
type (
	instant   struct{}
	ref       struct{}
	id        struct{}
	reportRow struct{}
)

// A ThingID is the id of a thing that a query may name: empty if it names none.
type ThingID string

// Schema implements huma.SchemaProvider.
func (ThingID) Schema(r huma.Registry) *huma.Schema { return id{}.Schema(r) }

func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

func (ref) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid", Nullable: true}
}

func (id) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Format: "uuid", Pattern: domain.IDPattern}
	s.PrecomputeMessages()
	return s
}

func (reportRow) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:        huma.TypeObject,
		Description: "The agent's id and name (null and empty for figures of no agent), the bucket, and each metric by its name.",
		Properties: map[string]*huma.Schema{
			"agent_id": {Type: huma.TypeString, Format: "uuid", Nullable: true},
			"agent":    {Type: huma.TypeString},
			"bucket":   {Type: huma.TypeString},
		},
		Required:             []string{"agent_id", "agent", "bucket"},
		AdditionalProperties: true,
	}
}

// Routes returns the routes of each type of command or plan, by the type's name.
func Routes() map[string][]string {
	all := make(map[string][]string)
	for t, routes := range newServer(Config{Door: new(access.Door)}, http.NewServeMux()).routes {
		all[t.Name()] = routes
	}
	return all
}

// noteCommand records the route of a command.
func noteCommand[C any](s *server, op huma.Operation) {
	s.routes[reflect.TypeFor[C]()] = append(s.routes[reflect.TypeFor[C]()], op.Method+" "+op.Path)
}

// A route is what describe needs to know of an operation.
type route struct {
	method, path string
	tag          string // under which it is listed
	id           string // what a generated client calls its method
	about        string // its first sentence is the summary
	needs        role.Permission
}

// describe returns the OpenAPI operation of a route. See contract for the problems that it may be answered with.
func describe(r route) huma.Operation {
	summary, description, _ := strings.Cut(r.about, ". ")
	if description != "" {
		description += ".\n\n"
	}
	switch r.needs {
	case "":
		description += "Needs no permission."
	default:
		description += "Needs the permission `" + string(r.needs) + "`."
	}
	return huma.Operation{
		Method: r.method, Path: r.path, OperationID: r.id, Summary: summary, Description: description, Tags: []string{r.tag},
		MaxBodyBytes: -1, // see body
		Metadata:     map[string]any{needed: r.needs},
	}
}

// needed is the key of an operation's permission in its metadata.
const needed = "permission"

// findsOne is the key of an operation that finds what its body names, or answers 404.
const findsOne = "finds"

// conditional adds to a route that it answers 304 if If-None-Match names the current ETag.
func conditional(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"304": {Description: "The thing has not changed"}}
	return op
}

func init() {
	huma.DefaultArrayNullable = false // a list is never null
	huma.ValidateStrictCasing = true  // a field has one name
	huma.NewError = newProblem        // one form for all errors
}
