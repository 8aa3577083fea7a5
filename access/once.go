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

// An Outcome is what a request came to: which thing, and where it stands.
type Outcome struct {
	Category string
	ID       uuid.UUID
	Revision eventstore.Revision
	Position eventstore.Position
	Created  bool
	Replayed bool
	Written  []event.Written // what happened to the thing; empty if it was replayed
}

// A Repeated is the desk's no, as the same request was told before.
type Repeated struct{ No *domain.Error }

func (e *Repeated) Error() string { return e.No.Error() }

// Once carries out a request once, however often it is sent with one idempotency key, and answers a repeated one with what
// it came to at first: a refusal too, but for those that another try may overcome (stale), and those of what is not there or
// not seen, which may come to be. Without a key it just carries it out.
func (d *Door) Once(ctx context.Context, p Principal, key string, by work.By, do func(work.By) (Outcome, error)) (Outcome, error) {
	if key == "" {
		return do(by)
	}
	who := p.ID().String()
	before, err := d.Vault.BeginRequest(ctx, who, key, by.Digest, by.At)
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
		if noteErr := d.Vault.FinishRequest(ctx, who, key, vault.Outcome{Refusal: no}); noteErr != nil {
			return Outcome{}, noteErr
		}
		return Outcome{}, err
	case err != nil:
		return Outcome{}, err
	}
	return done, d.Vault.FinishRequest(ctx, who, key, vault.Outcome{
		Stream: done.Category + "-" + done.ID.String(), Revision: int64(done.Revision), Position: uint64(done.Position), Created: done.Created,
	})
}
