package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/vault"
)

// Changed is the answer to a command: the thing as it now is.
type Changed[R any] struct {
	Status   int
	ETag     string `header:"ETag" doc:"The thing's revision"`
	Location string `header:"Location" doc:"Where the thing is, if it is new"`
	Position string `header:"Daybook-Position" doc:"Where the log stands; send it as Daybook-After to read what was written"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if the request came before"`
	Body     R
}

// About is a request about one thing.
type About struct {
	Asking
	ID uuid.UUID `path:"id" format:"uuid" doc:"The thing"`
}

// Sent is the body of a request.
type Sent[C any] struct {
	Body    C
	RawBody []byte
}

// Resolve refuses fields that are null: they would count as left out, which is another thing than cleared.
func (s *Sent[C]) Resolve(huma.Context) []error {
	var body any
	if !bytes.Contains(s.RawBody, []byte("null")) || json.Unmarshal(s.RawBody, &body) != nil {
		return nil
	}
	return nulls("body", body)
}

func nulls(place string, value any) (found []error) {
	members, _ := value.(map[string]any)
	for name, member := range members {
		at := place + "." + name
		if member == nil {
			found = append(found, &huma.ErrorDetail{Location: at, Message: name + " must not be null: leave it out to keep it as it is, or send an empty value to clear it"})
		}
		found = append(found, nulls(at, member)...)
	}
	return found
}

// With is a request about one thing, with a body.
type With[C any] struct {
	About
	Sent[C]
}

// NewThing is a request for a new thing.
type NewThing[C any] struct {
	Asking
	Sent[C]
}

// outcome is what a command came to: which thing, and where it stands.
type outcome struct {
	category string
	id       uuid.UUID
	revision eventstore.Revision
	position eventstore.Position
	created  bool
	replayed bool
}

// of says what an answer came to.
func of[S any, E event.Event](kind event.Kind[S, E], a commands.Answer[S]) outcome {
	return outcome{kind.Category, a.ID, a.Revision, a.Position, false, a.Replayed}
}

// carry carries a request out once, however often it is sent, and answers with the thing's row.
func carry[R any](ctx context.Context, s *server, a Asking, digest string, do func(by commands.By) (outcome, error)) (*Changed[R], error) {
	by, err := s.by(ctx, a, digest)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	done, err := s.once(ctx, a.Key, by, do)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	row, err := s.Rows.At(ctx, done.category, done.id, done.revision)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	answer := &Changed[R]{Status: http.StatusOK, ETag: etag(row.Revision), Position: done.position.String(), Body: row.Row.(R)}
	if done.created {
		answer.Status = http.StatusCreated
		answer.Location = strings.Replace(s.places[done.category], "{id}", done.id.String(), 1)
	}
	if done.replayed {
		answer.Replayed = "true"
	}
	return answer, nil
}

// once notes what a request with an idempotency key came to, a refusal too, and answers a repeated one with that.
func (s *server) once(ctx context.Context, key string, by commands.By, do func(commands.By) (outcome, error)) (outcome, error) {
	if key == "" {
		return do(by)
	}
	principal := who(ctx).uuid().String()
	before, err := s.Vault.BeginRequest(ctx, principal, key, by.Digest, by.At)
	switch {
	case err != nil:
		return outcome{}, err
	case before != nil && before.Refusal != nil:
		p := ofRefusal(before.Refusal, false)
		p.headers = http.Header{"Idempotent-Replayed": {"true"}}
		return outcome{}, p
	case before != nil:
		category, id, err := event.ParseStream(before.Stream)
		return outcome{category, id, eventstore.Revision(before.Revision), eventstore.Position(before.Position), before.Created, true}, err
	}
	done, err := do(by)
	var no *domain.Error
	switch {
	case errors.As(err, &no) && no.Refusal != domain.RefusedStale: // a stale one is sent again with another If-Match
		if noteErr := s.Vault.FinishRequest(ctx, principal, key, vault.Outcome{Refusal: no}); noteErr != nil {
			return outcome{}, noteErr
		}
		return outcome{}, err
	case err != nil:
		return outcome{}, err
	}
	return done, s.Vault.FinishRequest(ctx, principal, key, vault.Outcome{
		Stream: done.category + "-" + done.id.String(), Revision: int64(done.revision), Position: uint64(done.position), Created: done.created,
	})
}

// newID is the id of what a request makes: the same on every retry.
func newID(by commands.By, category string) uuid.UUID {
	return uuid.NewSHA1(by.Request, []byte(category))
}

// command describes a route that changes something.
func command(method, path, tag, summary string) huma.Operation {
	op := operation(method, path, tag, summary)
	op.DefaultStatus = http.StatusOK
	return op
}

// create binds a route to a command that makes a thing.
func create[C commands.Command[S, E], S any, E event.Event, R any](s *server, path, tag, summary string, kind event.Kind[S, E], _ R, _ C) {
	op := command(http.MethodPost, path, tag, summary)
	op.DefaultStatus = http.StatusCreated
	huma.Register(s.api, op, func(ctx context.Context, in *NewThing[C]) (*Changed[R], error) {
		return carry[R](ctx, s, in.Asking, digest(op, "", in.RawBody), func(by commands.By) (outcome, error) {
			a, err := commands.Do(ctx, s.Desk, kind, newID(by, kind.Category), in.Body, by)
			done := of(kind, a)
			done.created = true
			return done, err
		})
	})
}

// change binds a route to a command whose fields are the body.
func change[C commands.Command[S, E], S any, E event.Event, R any](s *server, method, path, tag, summary string, kind event.Kind[S, E], _ R, _ C) {
	op := command(method, path, tag, summary)
	huma.Register(s.api, op, func(ctx context.Context, in *With[C]) (*Changed[R], error) {
		return carry[R](ctx, s, in.Asking, digest(op, in.ID.String(), in.RawBody), func(by commands.By) (outcome, error) {
			a, err := commands.Do(ctx, s.Desk, kind, in.ID, in.Body, by)
			return of(kind, a), err
		})
	})
}

// step binds a route to a command that has no fields.
func step[C commands.Command[S, E], S any, E event.Event, R any](s *server, method, path, tag, summary string, kind event.Kind[S, E], _ R, asked C) {
	op := command(method, path, tag, summary)
	huma.Register(s.api, op, func(ctx context.Context, in *About) (*Changed[R], error) {
		return carry[R](ctx, s, in.Asking, digest(op, in.ID.String(), nil), func(by commands.By) (outcome, error) {
			a, err := commands.Do(ctx, s.Desk, kind, in.ID, asked, by)
			return of(kind, a), err
		})
	})
}

// AboutTwo is a request about one thing and another.
type AboutTwo struct {
	About
	Other string `path:"other" maxLength:"200" doc:"The other thing's id; a tag or a group may be named instead"`
}

// link binds a route to a command that names another thing in its path. find says which thing that is.
func link[S any, E event.Event, R any](s *server, method, path, tag, summary string, kind event.Kind[S, E], _ R, find func(context.Context, string) (uuid.UUID, error), with func(other uuid.UUID) commands.Command[S, E]) {
	op := command(method, path, tag, summary)
	huma.Register(s.api, op, func(ctx context.Context, in *AboutTwo) (*Changed[R], error) {
		return carry[R](ctx, s, in.Asking, digest(op, in.ID.String()+"/"+in.Other, nil), func(by commands.By) (outcome, error) {
			other, err := find(ctx, in.Other)
			if err != nil {
				return outcome{}, err
			}
			a, err := commands.Do(ctx, s.Desk, kind, in.ID, with(other), by)
			return of(kind, a), err
		})
	})
}

// byID finds a thing by nothing but its id.
func byID(_ context.Context, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, parameter("other", "id-malformed", "The path must end in an id, such as 0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f.")
	}
	return id, nil
}

// named finds a thing by its id or its name.
func (s *server) named(hold func(name string) event.Hold, unknown *domain.Error) func(context.Context, string) (uuid.UUID, error) {
	return func(ctx context.Context, text string) (uuid.UUID, error) {
		if id, err := uuid.Parse(text); err == nil {
			return id, nil
		}
		id, found, err := commands.Find(ctx, s.Desk, hold(strings.TrimSpace(text)))
		if err == nil && !found {
			err = unknown
		}
		return id, err
	}
}
