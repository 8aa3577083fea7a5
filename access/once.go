package access

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/vault"
)

// An Outcome is the result of a request: the thing that it was about, and its revision and position.
type Outcome struct {
	Category string
	ID       uuid.UUID
	Revision eventstore.Revision
	Position eventstore.Position
	Created  bool
	Replayed bool
	Written  []event.Written // the thing's new events; empty if replayed
}

// A Repeated is the refusal that the same request got before.
type Repeated struct{ No *domain.Error }

func (e *Repeated) Error() string { return e.No.Error() }

// Once executes a request once, however often it is sent with the same idempotency key, and repeats the first result. A
// refusal is repeated too, as *Repeated, unless it is stale or not found: those may succeed later. Without a key, it
// always executes the request. It returns vault.ErrKeyReused if the key was used with another request.
func (d *Door) Once(ctx context.Context, key string, by work.By, do func(work.By) (Outcome, error)) (Outcome, error) {
	if key == "" {
		return do(by)
	}
	before, err := d.Vault.BeginRequest(ctx, by.Request, by.Digest, by.At)
	switch {
	case err != nil:
		return Outcome{}, err
	case before != nil && before.Refusal != nil:
		return Outcome{}, &Repeated{before.Refusal}
	case before != nil:
		category, id, err := event.ParseStream(before.Stream)
		return Outcome{
			Category: category, ID: id, Revision: eventstore.Revision(before.Revision), Position: eventstore.Position(before.Position),
			Created: before.Created, Replayed: true,
		}, err
	}
	done, err := do(by)
	var no *domain.Error
	switch {
	case errors.As(err, &no) && no.Refusal != domain.RefusedStale && no.Refusal != domain.RefusedNotFound:
		if noteErr := d.Vault.FinishRequest(ctx, by.Request, vault.Outcome{Refusal: no}); noteErr != nil {
			return Outcome{}, noteErr
		}
		return Outcome{}, err
	case err != nil:
		return Outcome{}, err
	}
	return done, d.Vault.FinishRequest(ctx, by.Request, vault.Outcome{
		Stream: done.Category + "-" + done.ID.String(), Revision: int64(done.Revision), Position: uint64(done.Position), Created: done.Created,
	})
}
