package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/group"
	"daybook/domain/operation"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// A resource is a kind of thing with its routes. S is its state, E its events, R its row.
type resource[S any, E event.Event, R any] struct {
	*server
	kind     event.Kind[S, E]
	path     string // of the list
	title    string // the OpenAPI tag of its routes
	table    table.Table
	reading  role.Permission // needed to read one
	revision func(R) int64
	answer   func(row any, id uuid.UUID, p principal) R // the body of a command's answer
}

// one returns the path of one thing.
func (t *resource[S, E, R]) one() string { return t.path + "/{id}" }

// resourceOf returns a resource without routes, and records its things.
func resourceOf[S any, E event.Event, R any](s *server, kind event.Kind[S, E], path, title string, reading role.Permission, rows table.Table, revision func(R) int64) *resource[S, E, R] {
	t := &resource[S, E, R]{s, kind, path, title, rows, reading, revision, func(row any, _ uuid.UUID, _ principal) R { return row.(R) }}
	s.things[kind.Category] = things{t.one(), t.must}
	return t
}

// things are those of one kind, for routes of other kinds that name them.
type things struct {
	path string
	must func(ctx context.Context, q table.Queryer, id uuid.UUID) error // see resource.must
}

// scoped records the things of each scope: what belongs to one is unknown to the others. of returns the scope of a row.
func scoped[S any, E event.Event, R any, T ~string](t *resource[S, E, R], scopes []T, of func(R) T) {
	for _, scope := range scopes {
		t.things[t.kind.Category+"/"+string(scope)] = things{t.one(), func(ctx context.Context, q table.Queryer, id uuid.UUID) error {
			row, _, err := t.row(ctx, q, id)
			if err == nil && of(row) != scope {
				err = t.kind.Unknown
			}
			return err
		}}
	}
}

// create binds a POST on the list to a command that creates a thing.
func create[C work.Command[S, E], S any, E event.Event, R any](t *resource[S, E, R], id, summary string) {
	creates(t, t.path, id, summary, "", func(c C) work.Plan[S] { return work.Of(t.kind, c) })
}

// post, put, patch and del bind a route to a command on one thing. The command's fields are the body, except for one that
// may be in the path. A command without fields takes no body.
func post[C work.Command[S, E], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string) {
	changes(t, http.MethodPost, path, id, summary, func(c C) work.Plan[S] { return work.Of(t.kind, c) })
}

func put[C work.Command[S, E], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string) {
	changes(t, http.MethodPut, path, id, summary, func(c C) work.Plan[S] { return work.Of(t.kind, c) })
}

func patch[C work.Command[S, E], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string) {
	changes(t, http.MethodPatch, path, id, summary, func(c C) work.Plan[S] { return work.Of(t.kind, c) })
}

func del[C work.Command[S, E], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string) {
	changes(t, http.MethodDelete, path, id, summary, func(c C) work.Plan[S] { return work.Of(t.kind, c) })
}

// carries binds a POST on one thing to a plan.
func carries[P work.Plan[S], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string) {
	changes(t, http.MethodPost, path, id, summary, func(p P) work.Plan[S] { return p })
}

// creates binds a POST to a plan that creates a thing. added describes the answer of a plan that may add to an existing one
// instead; empty: it does not.
func creates[C any, S any, E event.Event, R any](t *resource[S, E, R], path, id, summary, added string, plan func(C) work.Plan[S]) {
	op := command(route{http.MethodPost, path, t.title, id, summary, permission(plan)})
	op.DefaultStatus = http.StatusCreated
	if added != "" {
		op.Responses = map[string]*huma.Response{"200": response[R](t.server, added)}
	}
	noteCommand[C](t.server, op)
	huma.Register(t.api, op, func(ctx context.Context, in *NewThing[C]) (*Changed[R], error) {
		return carry(ctx, t, Changing{Asking: in.Asking}, op, "", in.RawBody, func(by work.By) (access.Outcome, error) {
			id := uuid.NewSHA1(by.Request, []byte(t.kind.Category)) // the same on every retry
			a, err := work.Carry(ctx, t.Desk, plan(in.Body), id, by)
			done := outcome(t.kind, a)
			done.Created = a.ID == id
			return done, err
		})
	})
	schemas := t.api.OpenAPI().Components.Schemas
	nullable(schemas, schemas.Schema(reflect.TypeFor[C](), true, ""))
}

// nullable lets the fields of a new thing that can be left out be null, as many generated clients send what was not set.
func nullable(schemas huma.Registry, of *huma.Schema) {
	if of.Ref != "" {
		of = schemas.SchemaFromRef(of.Ref)
	}
	for name, field := range of.Properties {
		optional := !slices.Contains(of.Required, name)
		switch {
		case field.Ref != "":
			nullable(schemas, field)
			if optional {
				of.Properties[name] = &huma.Schema{AnyOf: []*huma.Schema{field, {Type: "null"}}, Description: field.Description}
			}
		case optional && !field.Nullable:
			if field.Nullable = true; field.Enum != nil {
				field.Enum = append(field.Enum[:len(field.Enum):len(field.Enum)], nil)
			}
		}
	}
}

// permission returns the permission that a plan needs, whatever its fields.
func permission[C, S any](plan func(C) work.Plan[S]) role.Permission {
	var none C
	return plan(none).Permission()
}

// changes binds a route on one thing to a plan with the fields of C.
func changes[C any, S any, E event.Event, R any](t *resource[S, E, R], method, path, id, summary string, plan func(C) work.Plan[S]) {
	op := command(route{method, t.one() + path, t.title, id, summary, permission(plan)})
	noteCommand[C](t.server, op)
	fields := fieldsOf[C]()
	if fields.other != nil {
		op.Parameters = append(op.Parameters, other(op.Path, fields.ref))
	}
	do := func(ctx context.Context, in About, name string, body []byte, c C) (*Changed[R], error) {
		about := in.about()
		if fields.other != nil {
			about += "/" + name
		}
		return carry(ctx, t, in.Changing, op, about, body, func(by work.By) (access.Outcome, error) {
			if err := by.MustMay(plan(c).Permission()); err != nil { // before anything is said of the other thing
				return access.Outcome{}, err
			}
			if fields.other != nil {
				id, err := t.other(ctx, in.ID, fields.ref, name)
				if err != nil {
					return access.Outcome{}, err
				}
				reflect.ValueOf(&c).Elem().FieldByIndex(fields.other).Set(reflect.ValueOf(id))
			}
			a, err := work.Carry(ctx, t.Desk, plan(c), in.ID, by)
			return outcome(t.kind, a), inPath(fields.name, err)
		})
	}
	switch {
	case fields.other == nil && fields.body:
		huma.Register(t.api, op, func(ctx context.Context, in *With[C]) (*Changed[R], error) {
			return do(ctx, in.About, "", in.RawBody, in.Body)
		})
	case fields.other == nil:
		huma.Register(t.api, op, func(ctx context.Context, in *About) (*Changed[R], error) {
			var none C
			return do(ctx, *in, "", nil, none)
		})
	case fields.body:
		huma.Register(t.api, op, func(ctx context.Context, in *struct {
			With[C]
			Other
		}) (*Changed[R], error) {
			return do(ctx, in.About, in.Other.name, in.RawBody, in.Body)
		})
	default:
		huma.Register(t.api, op, func(ctx context.Context, in *struct {
			About
			Other
		}) (*Changed[R], error) {
			var none C
			return do(ctx, in.About, in.Other.name, nil, none)
		})
	}
}

// deletes binds a DELETE to a long command. If it takes longer than access.Door.Patience, it continues in the background,
// and the answer is the operation that shows what is left.
func deletes[C work.LongCommand[S, E], S any, E event.Event, R any](t *resource[S, E, R], id, summary string) {
	deletesAs(t, "", id, summary, func(context.Context, *About) (c C, err error) { return c, nil })
}

// A deletion is a request to delete a thing.
type deletion interface {
	thing() About
	about() string
}

// deletesAs is deletes for requests that say more than what to delete: what returns what they ask for. path is the end of
// the route's path.
func deletesAs[In deletion, C work.LongCommand[S, E], S any, E event.Event, R any](t *resource[S, E, R], path, id, summary string, what func(context.Context, *In) (C, error)) {
	var none C
	op := command(route{http.MethodDelete, t.one() + path, t.title, id, summary, none.Permission()})
	noteCommand[C](t.server, op)
	if f := fieldsOf[C](); f.other != nil {
		op.Parameters = append(op.Parameters, other(op.Path, f.ref))
	}
	op.Responses = map[string]*huma.Response{
		"200": response[R](t.server, "Done"),
		"202": response[OperationState](t.server, "Still running: the operation in the body, at Location, shows what is left"),
	}
	huma.Register(t.api, op, func(ctx context.Context, in *In) (*Changed[any], error) {
		var open uuid.UUID
		of := (*in).thing()
		answer, err := carry(ctx, t, of.Changing, op, (*in).about(), nil, func(by work.By) (access.Outcome, error) {
			asked, err := what(ctx, in)
			if err != nil {
				return access.Outcome{}, err
			}
			a, underWay, err := access.CarryLong(ctx, t.Door, work.LongOf(t.kind, work.LongCommand[S, E](asked)), of.ID, by)
			open = underWay
			return outcome(t.kind, a), inPath(fieldsOf[C]().name, err)
		})
		if err != nil {
			return nil, err
		}
		if answer.Replayed != "" {
			if open, err = t.stillOpen(ctx, of.Key); err != nil {
				return nil, t.refused(ctx, err)
			}
		}
		all := &Changed[any]{answer.Status, answer.ETag, answer.Location, answer.Position, answer.Replayed, answer.Body}
		if open == uuid.Nil {
			return all, nil
		}
		all.Status, all.ETag = http.StatusAccepted, ""
		all.Location = operationsPath + "/" + open.String()
		all.Body, err = t.operationNow(ctx, open)
		return all, t.refused(ctx, err)
	})
}

// stillOpen returns the operation that a repeated request began, if it has not ended.
func (s *server) stillOpen(ctx context.Context, key string) (uuid.UUID, error) {
	id := operation.Of(s.Request(who(ctx).Principal, key))
	o, err := work.State(ctx, s.Desk, operation.Stream, id)
	if err != nil || !o.State.Begun || o.State.Ended {
		return uuid.Nil, err
	}
	return id, nil
}

// response describes an answer whose body is an R.
func response[R any](s *server, description string) *huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[R](), true, "")
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// Other is the last parameter of a path, which names another thing and is called after it.
type Other struct{ name string }

// Resolve implements huma.Resolver.
func (o *Other) Resolve(ctx huma.Context) []error {
	o.name = ctx.Param(last(ctx.Operation().Path))
	return nil
}

// last returns the name of the last parameter of a path.
func last(path string) string {
	return path[strings.LastIndexByte(path, '{')+1 : strings.LastIndexByte(path, '}')]
}

// other returns the last parameter of a path, which names a thing of the kind ref.
func other(path, ref string) *huma.Param {
	p := &huma.Param{Name: last(path), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}, Description: "Id of the " + ref}
	if _, may := named[ref]; may {
		kind, _, _ := strings.Cut(ref, "/")
		p.Schema.Format, p.Description = "", "Id or name of the "+kind
	}
	return p
}

// fields say where the fields of a command come from.
type fields struct {
	body  bool   // some are in the body
	other []int  // the one in the path; nil: none
	name  string // of that one
	ref   string // what it names
}

func fieldsOf[C any]() (f fields) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[C]()) {
		if name := field.Tag.Get("path"); name != "" {
			f.other, f.name = field.Index, name
			f.ref, _, _ = strings.Cut(field.Tag.Get("ref"), ",")
		} else if name := field.Tag.Get("json"); name != "" && name != "-" {
			f.body = true
		}
	}
	var none C
	if _, sees := any(none).(work.Referrer); f.other != nil && !sees {
		panic(fmt.Sprintf("the Refs of %T must name what is in its path, so that it is there", none))
	}
	return f
}

// other returns the id of the thing that the end of a path names. Whether there is one with that id, the command sees to. If
// no thing has that name, and the one that the path begins with is not there either, the latter is refused.
func (t *resource[S, E, R]) other(ctx context.Context, one uuid.UUID, ref, text string) (uuid.UUID, error) {
	id, err := t.find(ctx, ref+"_id", ref, text)
	if no, is := errors.AsType[*domain.Error](err); is && no.Refusal == domain.RefusedNotFound {
		err = cmp.Or(t.must(ctx, nil, one), err)
	}
	return id, err
}

// named holds the kinds of things that requests may call by name, by the ref tag of a command's field.
var named = map[string]struct {
	hold    func(names personal.Hasher, name string) event.Hold
	unknown *domain.Error
}{
	"tag/contacts":    {func(names personal.Hasher, name string) event.Hold { return tag.Named(names, tag.Contacts, name) }, tag.Stream.Unknown},
	"tag/tickets":     {func(names personal.Hasher, name string) event.Hold { return tag.Named(names, tag.Tickets, name) }, tag.Stream.Unknown},
	"field/contacts":  {func(names personal.Hasher, name string) event.Hold { return field.Named(names, field.Contacts, name) }, field.Stream.Unknown},
	"field/companies": {func(names personal.Hasher, name string) event.Hold { return field.Named(names, field.Companies, name) }, field.Stream.Unknown},
	"group":           {group.Named, group.Stream.Unknown},
}

// inPath makes the refusal of a field that came in the path what it is for the path: there is no such thing.
func inPath(field string, err error) error {
	no, is := errors.AsType[*domain.Error](err)
	if !is || field == "" || len(no.Fields) != 1 || no.Fields[0].Field != field {
		return err
	}
	return domain.NotFound(no.Code, "%s", no.Message)
}

// find returns the id that a parameter is or, if things of that kind have names, the id of the thing that it names.
func (s *server) find(ctx context.Context, parameterName, ref, text string) (uuid.UUID, error) {
	id, err := domain.ParseID(text)
	if err == nil {
		return id, nil
	}
	by, may := named[ref]
	if !may {
		return id, parameter(parameterName, "id-malformed", "%s must be an id, such as 0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f.", parameterName)
	}
	id, found, err := work.Find(ctx, s.Desk, by.hold(s.Desk.Names, text))
	if errors.Is(err, event.ErrUnknown) && id != uuid.Nil { // a newer version knows what it is now; it has the name
		return id, nil
	}
	if err == nil && !found {
		err = by.unknown
	}
	return id, err
}

// A naming is a parameter of a query that may name a thing, and where to put its id.
type naming struct {
	parameter, ref, text string
	id                   **uuid.UUID
}

// resolveAll finds the things that a query names. One that is not there is refused, rather than answered with an empty list.
func (s *server) resolveAll(ctx context.Context, q table.Queryer, all ...naming) error {
	var errs []error
	for _, of := range all {
		if of.text == "" {
			continue
		}
		id, err := s.find(ctx, of.parameter, of.ref, of.text)
		if err == nil {
			err = s.things[of.ref].must(ctx, q, id)
		}
		if no, is := errors.AsType[*domain.Error](err); is && no.Refusal == domain.RefusedNotFound {
			err = domain.Invalid(of.parameter, no.Code, "%s", no.Message)
		}
		*of.id = &id
		errs = append(errs, err)
	}
	return domain.Join(errs...)
}

// lists binds a GET on the list to a query of the read models. filter turns the request's parameters into its filter.
func lists[Q interface{ listing() Listing }, F any, S any, E event.Event, R any](t *resource[S, E, R], id, summary string, filter func(context.Context, table.Queryer, *Q) (F, error), ask func(context.Context, table.Queryer, F, table.Page) (table.Found[R], error)) {
	listsAs(t, id, summary, filter, ask, plain[R](), func(*Q) []string { return nil })
}

// listsAs is lists with a view. expands returns what a request expands.
func listsAs[Q interface{ listing() Listing }, F, X, S any, E event.Event, R any](t *resource[S, E, R], id, summary string, filter func(context.Context, table.Queryer, *Q) (F, error), ask func(context.Context, table.Queryer, F, table.Page) (table.Found[R], error), v view[R, X], expands func(*Q) []string) {
	huma.Register(t.api, describe(route{http.MethodGet, t.path, t.title, id, summary, t.reading}), func(ctx context.Context, in *Q) (*Answered[List[X]], error) {
		return listing(ctx, t.server, (*in).listing(), t.path, t.reading, func(q table.Queryer, p table.Page) (table.Found[X], error) {
			f, err := filter(ctx, q, in)
			if err != nil {
				return table.Found[X]{}, err
			}
			found, err := ask(ctx, q, f, p)
			return v.page(ctx, q, found, err, expands(in))
		})
	})
}

// timeline binds a route to the events of one thing, newest first.
func (t *resource[S, E, R]) timeline(id string) {
	path := t.one() + "/timeline"
	huma.Register(t.api, describe(route{http.MethodGet, path, t.title, id, "List what happened to the " + t.kind.Category + ", who did it, when and why, newest first", t.reading}), func(ctx context.Context, in *struct {
		Reading
		ID     uuid.UUID `path:"id" format:"uuid" doc:"Id of the thing"`
		Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Largest number of events to return"`
		Cursor string    `query:"cursor" doc:"Cursor of the page, which is next of the page before"`
	}) (*Answered[List[Event]], error) {
		l := Listing{Reading: in.Reading, Limit: in.Limit, Cursor: in.Cursor, Sort: "-position"}
		return listing(ctx, t.server, l, strings.Replace(path, "{id}", in.ID.String(), 1), t.reading, func(q table.Queryer, p table.Page) (table.Found[Event], error) {
			found, err := t.findEvents(ctx, q, readmodels.TrailFilter{Stream: t.kind.Stream(in.ID)}, p)
			if err == nil && len(found.Rows) == 0 {
				err = t.must(ctx, q, in.ID)
			}
			return found, err
		})
	})
}

// outcome returns the outcome of an answer.
func outcome[S any, E event.Event](kind event.Kind[S, E], a work.Answer[S]) access.Outcome {
	return access.Outcome{Category: kind.Category, ID: a.ID, Revision: a.Revision, Position: a.Position, Replayed: a.Replayed, Read: a.Read, Written: a.Written}
}
