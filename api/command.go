package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain/event"
	"daybook/domain/text"
)

// Changed is the answer to a command, with the thing as it now is.
type Changed[R any] struct {
	Status   int
	ETag     string `header:"ETag" doc:"Revision of the thing"`
	Location string `header:"Location" doc:"Path of the thing, if it is new"`
	Position string `header:"Daybook-Position" doc:"Position of the log after the command; send it as Daybook-After to read what was written"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if the request was sent before and this repeats its answer"`
	Body     R
}

// About is a request about one thing.
type About struct {
	Changing
	ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the thing"`
}

// thing returns the thing that the request is about, for requests that say more.
func (a About) thing() About { return a }

// about returns what the request says, apart from its body. Another request with the same key must say the same.
func (a About) about() string { return a.ID.String() }

// Sent is the body of a request.
type Sent[C any] struct {
	Body    C
	RawBody []byte
}

// Resolve refuses texts that are none, and the nil id, which is no way to leave an id out.
func (s *Sent[C]) Resolve(huma.Context) (found []error) {
	if bytes.Contains(s.RawBody, nilID) {
		found = s.nilIDs()
	}
	if text.Plain(s.RawBody) {
		return found
	}
	var body map[string]any
	if json.Unmarshal(s.RawBody, &body) != nil {
		return found // huma says so
	}
	text.CheckAll(body, func(place []string, err error) {
		code := "text-encoding"
		if errors.Is(err, text.ErrTooLong) {
			code = "text-too-long"
		}
		found = append(found, &wrongText{ProblemField{Pointer: pointer(place...), Code: code, Detail: place[len(place)-1] + " " + err.Error() + "."}})
	})
	return found
}

var nilID = []byte(uuid.Nil.String())

// nilIDs refuses optional ids that are nil. Those that are required name something that is not there.
func (s *Sent[C]) nilIDs() (found []error) {
	var given map[string]any
	_ = json.Unmarshal(s.RawBody, &given) // if it fails, huma says so
	for _, f := range reflect.VisibleFields(reflect.TypeFor[C]()) {
		name, _, optional := strings.Cut(f.Tag.Get("json"), ",omitzero")
		if f.Type == reflect.TypeFor[uuid.UUID]() && optional && given[name] == string(nilID) {
			found = append(found, &wrongText{ProblemField{Pointer: pointer(name), Code: "invalid", Detail: name + " must not be the nil id: leave it out if you do not want it."}})
		}
	}
	return found
}

// With is a request about one thing, with a body.
type With[C any] struct {
	About
	Sent[C]
}

// Resolve also refuses fields that are null. The decoder would treat them as left out, but the caller may have meant to clear
// them. Of a new thing, null is what is left out.
func (w *With[C]) Resolve(ctx huma.Context) []error {
	var body any
	found := w.Sent.Resolve(ctx)
	if !bytes.Contains(w.RawBody, []byte("null")) || json.Unmarshal(w.RawBody, &body) != nil {
		return found
	}
	return append(found, nulls(nil, body)...)
}

func nulls(place []string, value any) (found []error) {
	members, _ := value.(map[string]any)
	for name, member := range members {
		at := append(place[:len(place):len(place)], name)
		if member == nil {
			found = append(found, &wrongText{ProblemField{Pointer: pointer(at...), Code: "invalid", Detail: name + " must not be null: leave it out to keep it as it is, or send an empty value to clear it."}})
		}
		found = append(found, nulls(at, member)...)
	}
	return found
}

// NewThing is a request for a new thing.
type NewThing[C any] struct {
	Asking
	Sent[C]
}

// carry executes a request once, however often it is sent, and returns the thing's row.
func carry[S any, E event.Event, R any](ctx context.Context, t *resource[S, E, R], a Changing, op huma.Operation, about string, body []byte, do func(by work.By) (access.Outcome, error)) (*Changed[R], error) {
	s := t.server
	done, err := s.done(ctx, a, op, about, body, do)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	row, err := s.Rows.At(ctx, done.Category, done.ID, done.Revision, slices.Concat(done.Read, done.Written))
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	answer := &Changed[R]{Status: http.StatusOK, ETag: etag(row.Revision), Position: done.Position.String(), Body: t.answer(row.Row, done.ID, who(ctx))}
	if done.Created {
		answer.Status = http.StatusCreated
		answer.Location = strings.Replace(s.things[done.Category].path, "{id}", done.ID.String(), 1)
	}
	if done.Replayed {
		answer.Replayed = "true"
	}
	return answer, nil
}

// done executes a request once, however often it is sent.
func (s *server) done(ctx context.Context, a Changing, op huma.Operation, about string, body []byte, do func(work.By) (access.Outcome, error)) (access.Outcome, error) {
	by, err := s.by(ctx, a, op, about, body)
	if err != nil {
		return access.Outcome{}, err
	}
	return s.Once(ctx, a.Key, by, do)
}

// command returns the OpenAPI operation of a route that executes a command.
func command(r route) huma.Operation {
	op := describe(r)
	op.DefaultStatus = http.StatusOK
	return op
}
