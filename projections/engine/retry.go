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

// A retry asks the goroutine that projects to retry the parked streams of a projection.
type retry struct {
	projection string
	done       chan error
}

// Errors of Retry and Rebuild when this engine does not project.
var (
	ErrNotRunning = errors.New("the engine has stopped: it no longer updates the read models")
	ErrNotNow     = errors.New("the read models cannot be updated now; it is being retried")
	ErrElsewhere  = errors.New("another process runs the projections")
)

// mine returns the tenure of this engine if it projects.
func (e *Engine) mine() (*tenure, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.ended:
		return nil, ErrNotRunning
	default:
	}
	switch {
	case e.state.newer != nil:
		return nil, e.state.newer
	case e.state.tenure != nil:
		return e.state.tenure, nil
	case e.state.failure != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotNow, e.state.failure)
	}
	return nil, ErrElsewhere
}

// Retry projects the parked streams of a projection, in the order in which they were parked. It reads each stream's events again,
// from the one that failed on, and projects them in one transaction. A stream that fails again stays parked. Rows that belong to
// one stream become what they would have been. A stream that the log has lost events of stays parked; the others are projected. A row that several streams change gets these changes late, after others that were
// projected since; if their order matters, rebuild. The error can be ErrNotRunning, ErrNotNow, ErrElsewhere, a *NewerError or, of a stream that
// stays parked, a *eventstore.DamageError.
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

// retry projects the parked streams of a projection, one at a time in the order in which they were parked. A stream that fails
// again is parked at the event at which it failed this time.
func (p *projector) retry(ctx context.Context, s Source, projection string) error {
	fold := p.ledger.find(projection)
	if fold < 0 {
		return fmt.Errorf("there is no projection %q", projection)
	}
	var damage error
	for _, k := range slices.SortedFunc(maps.Values(p.parked), byPosition) {
		if k.Projection != projection {
			continue
		}
		batch, err := p.again(ctx, s, k)
		if lost(err) {
			damage = cmp.Or(damage, err)
			continue
		}
		if err != nil {
			return err
		}
		w := portion{batch: batch, to: p.at, only: fold, drain: k}
		if err := p.do(ctx, w); err != nil {
			return err
		}
	}
	return damage
}

// again reads what a parked stream waits with.
func (p *projector) again(ctx context.Context, s Source, k *table.Parked) (batch []entry, err error) {
	for stored, err := range s.Store.Read(ctx, k.Stream, 0, eventstore.Forwards, 0) {
		if err != nil {
			return nil, fmt.Errorf("reading %s again: %w", k.Stream, err)
		}
		if stored.Position >= k.Position && stored.Position <= p.at.Position {
			batch = append(batch, s.decode(stored))
		}
	}
	return batch, nil
}

// lost reports whether an error says that one stream has lost events, and all others are as they were.
func lost(err error) bool {
	damage, is := errors.AsType[*eventstore.DamageError](err)
	return is && damage.Stream != "" && damage.Position == eventstore.Start
}

func byPosition(a, b *table.Parked) int { return cmp.Compare(a.Position, b.Position) }
