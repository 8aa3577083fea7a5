package access

import (
	"context"
	"errors"
	"time"

	"daybook/domain"
	"daybook/eventstore"
)

// MustHave refuses a position that the log does not have yet. field is where the caller wrote it.
func (d *Door) MustHave(ctx context.Context, field string, p eventstore.Position) error {
	head, err := d.Desk.Store.Head(ctx)
	if err == nil && p > head {
		err = domain.Invalid(field, "position-unknown", "The log has no position %s yet; it ends at %s. Is this the right desk?", p, head)
	}
	return err
}

// Reach waits until the read models have a position, and reports whether they came to have it in time.
func (d *Door) Reach(ctx context.Context, p eventstore.Position, patience time.Duration) (there bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = d.Live.Wait(waiting, p)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}
