package access

import (
	"context"
	"errors"
	"time"

	"daybook/domain"
	"daybook/eventstore"
)

// MustHave returns an error if the log has not reached a position. field is where the caller wrote it.
func (d *Door) MustHave(ctx context.Context, field string, p eventstore.Position) error {
	head, err := d.Desk.Store.Head(ctx)
	if err == nil && p > head {
		err = domain.Invalid(field, "position-unknown", "Position %s is after the end of the log, which is at %s. Check that the position comes from this desk.", p, head)
	}
	return err
}

// Reach waits until the read models have reached a position, and reports whether they did within patience.
func (d *Door) Reach(ctx context.Context, p eventstore.Position, patience time.Duration) (there bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = d.Live.Wait(waiting, p)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}
