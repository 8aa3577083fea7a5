package engine

import (
	"context"
	"errors"
	"math"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A State is what a projection is doing.
type State string

// The states of a projection.
const (
	Stopped    State = "stopped" // not started, ended, or failed
	Building   State = "building"
	CatchingUp State = "catching up"
	UpToDate   State = "live"
	Retrying   State = "retrying" // the database or the log fails; it continues as soon as possible
	Fenced     State = "fenced"   // another process or engine has taken over
)

// A Status is the state of a projection.
type Status struct {
	Name     string
	Version  string // of the tables and of the projections that fill them
	State    State
	Posting  bool // this process projects, not another
	Position eventstore.Position
	Applied  int64               // events up to Position
	Head     eventstore.Position // of the log
	Lag      int64               // events not yet projected; an estimate where positions have gaps
	Behind   time.Duration       // the age of the first of these
	Parked   int                 // parked streams
	Unknown  int64               // events that this process skipped because it does not know their types
	Moved    time.Time           // when this process last projected an event; zero if it has not
	Err      error               // why it is stopped, fenced or retrying
}

// Status returns the states of the projections, in their order.
func (e *Engine) Status(ctx context.Context) ([]Status, error) {
	head, err := e.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	l, err := e.ledger()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	s := e.state
	e.mu.Unlock()
	if s.running && s.tenure == nil {
		if err := e.observe(ctx, &s); err != nil {
			s.failure = err
		}
	}
	one := Status{Position: s.position, Applied: s.applied, Head: head, Posting: s.tenure != nil, Unknown: s.unknown, Moved: s.moved, Err: s.failure}
	one.State = s.word(head)
	if head > s.position {
		one.Lag = eventsUpTo(head, s.position, s.applied) - s.applied
		if one.Behind, err = e.behind(ctx, s.position); err != nil {
			return nil, err
		}
	}
	all := make([]Status, len(l.folds))
	for i, f := range l.folds {
		all[i] = one
		all[i].Name, all[i].Version, all[i].Parked = f.name, e.schema, s.parked[f.name]
	}
	return all, nil
}

// eventsUpTo estimates how many events there are up to a position, from the number up to an earlier one. Where positions have no
// gaps it is exact.
func eventsUpTo(to, at eventstore.Position, events int64) int64 {
	if at == eventstore.Start {
		return int64(min(to, math.MaxInt64))
	}
	return int64(math.Round(float64(events) * (float64(to) / float64(at))))
}

// behind returns how long ago the event after a position was recorded; 0 if the log is ahead of the clock.
func (e *Engine) behind(ctx context.Context, position eventstore.Position) (time.Duration, error) {
	for batch, err := range e.Store.Follow(ctx, position) {
		if err != nil || len(batch) == 0 {
			return 0, err
		}
		return max(0, time.Since(batch[0].RecordedAt)), nil
	}
	return 0, nil
}

// A situation is the state of the goroutine that projects, for Status.
type situation struct {
	running  bool    // projecting or following
	tenure   *tenure // of this engine; nil: it does not project
	building bool
	failure  error // why it ended, or why it is being retried
	position eventstore.Position
	applied  int64
	unknown  int64
	moved    time.Time
	parked   map[string]int
}

func (s situation) word(head eventstore.Position) State {
	fenced := (*FencedError)(nil)
	switch {
	case errors.As(s.failure, &fenced):
		return Fenced
	case s.failure != nil && s.running:
		return Retrying
	case s.building:
		return Building
	case !s.running:
		return Stopped
	case s.position < head:
		return CatchingUp
	}
	return UpToDate
}

func (e *Engine) note(change func(*situation)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.state)
}

// observe fills in the state of read models that another process projects.
func (e *Engine) observe(ctx context.Context, s *situation) error {
	err := e.live.Read(func(db *table.DB) error {
		checkpoints, err := table.ReadCheckpoints(ctx, db.Readers)
		if err != nil {
			return err
		}
		for _, c := range checkpoints {
			s.position, s.applied = c.Position, c.Applied
		}
		parked, err := table.ReadParked(ctx, db.Readers)
		if err != nil {
			return err
		}
		s.parked = map[string]int{}
		for _, p := range parked {
			s.parked[p.Projection]++
		}
		return nil
	})
	if errors.Is(err, table.ErrNotReady) {
		s.building = true
		return nil
	}
	return err
}
