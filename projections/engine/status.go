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
	Stopped    State = "stopped" // not started, ended, failed, or before an event of an unknown type
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
	Moved    time.Time           // when this process last projected an event; zero if it has not
	Err      error               // why it is stopped, fenced or retrying
	Nobody   bool                // no process projects
	Unshown  error               // why dashboards do not see the newest rows; nil: they do, or somebody reads them at the moment
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
		if err := e.observe(ctx, &s); err != nil && s.failure == nil { // watch knows better why
			s.failure = err
		}
	}
	one := Status{Position: s.position, Applied: s.applied, Head: head, Posting: s.tenure != nil, Moved: s.moved, Nobody: s.tenure == nil && s.nobody, Unshown: s.unshown}
	if head > s.position {
		one.Lag = eventsUpTo(head, s.position, s.applied) - s.applied
		first, err := e.after(ctx, s.position)
		if err != nil {
			return nil, err
		}
		if len(first) > 0 {
			one.Behind = max(0, time.Since(first[0].RecordedAt)) // the log may be ahead of the clock
			if s.newer == nil {
				_, s.newer = split([]entry{e.decode(first[0])}) // where another process projects, this one has to say so too
			}
		}
	}
	if one.State, one.Err = s.word(head), s.failure; s.newer != nil {
		one.Err = s.newer
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

// after returns the first event after a position, if there is one.
func (s Source) after(ctx context.Context, position eventstore.Position) ([]eventstore.Recorded, error) {
	for batch, err := range s.Store.Follow(ctx, position) {
		return batch[:min(len(batch), 1)], err
	}
	return nil, nil
}

// A situation is the state of the goroutine that projects, for Status.
type situation struct {
	running  bool    // projecting or following
	tenure   *tenure // of this engine; nil: it does not project
	building bool
	failure  error // why it ended, or why it is being retried
	position eventstore.Position
	applied  int64
	nobody   bool        // no process held the term when this one looked last
	unshown  error       // of Publish
	newer    *NewerError // why it waits for a newer program
	moved    time.Time
	parked   map[string]int
}

func (s situation) word(head eventstore.Position) State {
	fenced := (*FencedError)(nil)
	switch {
	case errors.As(s.failure, &fenced):
		return Fenced
	case s.newer != nil:
		return Stopped
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
