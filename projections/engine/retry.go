package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A retry asks the goroutine that posts to post what is parked.
type retry struct {
	projection string
	done       chan error
}

// What Retry and Rebuild come to where nothing is posted.
var (
	ErrNotRunning = errors.New("nothing is posted any more: the engine has stopped")
	ErrNotNow     = errors.New("nothing is posted now; it is tried again")
	ErrElsewhere  = errors.New("another process posts the read models")
)

// mine returns the tenure in which this engine posts.
func (e *Engine) mine() (*tenure, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.ended:
		return nil, ErrNotRunning
	default:
	}
	switch {
	case e.state.tenure != nil:
		return e.state.tenure, nil
	case e.state.failure != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotNow, e.state.failure)
	}
	return nil, ErrElsewhere
}

// Retry posts what waits behind the parked things of a projection. Each thing's events are read again from the log, from
// the one at which it failed on, and posted in their order in one transaction; things come in the order in which they
// were parked. What fails again stays parked. So the rows that belong to one thing become what they would have been; a
// row that several things change gets these changes late, after others that were posted since, which matters only where
// their order does: then rebuild.
func (e *Engine) Retry(ctx context.Context, projection string) error {
	t, err := e.mine()
	if err != nil {
		return err
	}
	r := retry{projection, make(chan error, 1)}
	select {
	case e.retries <- r:
		return <-r.done
	case <-t.ctx.Done():
		return ErrNotNow
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry posts what waits behind the parked things of a projection, one thing at a time in the order in which they were
// parked. What fails again stays parked, at the event at which it failed this time.
func (p *poster) retry(ctx context.Context, s Source, projection string) error {
	fold := p.ledger.find(projection)
	if fold < 0 {
		return fmt.Errorf("there is no projection %q", projection)
	}
	for _, k := range slices.SortedFunc(maps.Values(p.parked), byPosition) {
		if k.Projection != projection {
			continue
		}
		var batch []entry
		for stored, err := range s.Store.Read(ctx, k.Stream, 0, eventstore.Forwards, 0) {
			if err != nil {
				return fmt.Errorf("reading %s again: %w", k.Stream, err)
			}
			if stored.Position >= k.Position && stored.Position <= p.at.Position {
				batch = append(batch, s.decode(stored))
			}
		}
		w := portion{batch: batch, to: p.at, only: fold, drain: k}
		if err := p.do(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func byPosition(a, b *table.Parked) int { return cmp.Compare(a.Position, b.Position) }
