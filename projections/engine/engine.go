// Package engine keeps read models up to date. It reads the log, folds each event into rows with the projections, writes the
// changed rows many at a time, and moves the checkpoints in the same transaction. It also rebuilds read models, follows what
// another process projects, replays the desk as of a cut, and verifies rows against the log. It knows no noun of the desk.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// An Engine keeps the read models of a desk up to date for this process: it projects them, or follows while another process does.
// The process that projects builds them if there are none for this version of the program, catches up with the log, and
// projects new events as they come.
//
// One goroutine reads and decodes, each event once for all projections; another folds and writes. All projections move
// together, in one transaction with their checkpoints. So every event is projected exactly once, and a reader of several
// tables sees them at one position. There is no polling interval: new events are projected at once.
type Engine struct {
	Source
	home   table.Home
	live   *table.Live
	schema string

	failing   func(error)
	retries   chan retry
	handovers chan handover
	ended     chan struct{} // closed when Run or Follow returns
	building  sync.Mutex    // held while a generation is being built
	spoilt    int           // the generation that was found damaged; used by start and what comes after it

	mu    sync.Mutex
	state situation
	shown shown
}

// shown describes the generation in live.
type shown struct {
	db     *table.DB // nil: none yet
	number int
	at     table.Point // its position when last checked
}

// A handover asks the goroutine that projects to stop, and to continue with another projector.
type handover struct {
	stopped chan eventstore.Position
	next    chan successor
}

// A successor is the projector to continue with, or the error that ends the work; if both are nil, the current one continues.
type successor struct {
	projector *projector
	err       error
}

const liveBatch = 1000 // events in one transaction while live, about; with more, the first of them would wait longer

// publishAgain is the time between attempts to show dashboards newer rows while they are reading. Tests change it.
var publishAgain = 5 * time.Second

// New returns an engine for the generations of a desk. It puts the live one behind live. It fails if the projections and their
// tables do not fit together.
func New(s Source, home table.Home, live *table.Live) (*Engine, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	return &Engine{
		Source:    s,
		home:      home,
		live:      live,
		schema:    l.schema(),
		failing:   func(error) {},
		retries:   make(chan retry),
		handovers: make(chan handover),
		ended:     make(chan struct{}),
	}, nil
}

// RunOptions are how an engine runs. The zero value fails on the first error at the start.
type RunOptions struct {
	// Progress is called with the progress of building the read models, if they must be built. It must not block.
	Progress func(Progress)
	// Patient makes the engine retry when the database or the log fails at the start. Later it always retries.
	Patient bool
	// Failing is called with the error before each retry. It must not block.
	Failing func(error)
}

// OpenLive opens the live generation for reading, beside the process that writes it. It returns nil if these projections have
// none.
func (s Source) OpenLive(ctx context.Context, home table.Home) (*table.DB, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	return table.OpenLive(ctx, home, l.schema())
}

// Run projects until the context ends, and follows while another process projects. It returns why it stopped: the context's
// error, eventstore.ErrClosed, a *FencedError, a *PoisonError of an event that stopped a build, or, if it is not patient, a
// *NewerError, an *UnfitError or another error at the start. If it is patient and meets an event of an unknown type, it follows until
// another process has projected that one. Call Run or Follow once.
func (e *Engine) Run(ctx context.Context, opts RunOptions) error {
	if opts.Failing != nil {
		e.failing = opts.Failing
	}
	return e.keep(ctx, opts.Patient, func() error { return e.term(ctx, opts.Progress) })
}

// Follow follows what another process projects, until the context ends. Call Run or Follow once.
func (e *Engine) Follow(ctx context.Context) error {
	return e.keep(ctx, true, func() error { return e.watch(ctx) })
}

// follow projects new events, until the context ends or a rebuild has a projector that takes over, which it returns.
func (e *Engine) follow(ctx context.Context, p *projector) (*projector, error) {
	p.strict, p.patient = false, true
	p.failing = e.fails
	e.advanced(p, nil)
	for pause := pauses(); ; {
		from := p.at.Position
		next, err := e.project(ctx, p)
		if err == nil || ctx.Err() != nil || ends(err) || errors.As(err, new(*NewerError)) {
			return next, err
		}
		if p.at.Position != from {
			pause.Reset()
		}
		p.failing(err)
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// project projects from the log until that fails or a rebuild has a projector that takes over. It checks first that the log is
// still the same one.
func (e *Engine) project(ctx context.Context, p *projector) (*projector, error) {
	if err := e.fits(ctx, p.db, p.at); err != nil {
		return nil, err
	}
	publishing, err := e.publish(ctx, p)
	if err != nil {
		return nil, err
	}
	f := e.feed(ctx, p.at.Position)
	defer f.stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case <-look.C: // nothing may happen that would have to be written
			if err := p.db.There(ctx); errors.Is(err, table.ErrGone) {
				return nil, fmt.Errorf("%w: %w", errAnew, err)
			} else if err != nil {
				return nil, err
			}
		case <-publishing:
			if publishing, err = e.publish(ctx, p); err != nil {
				return nil, err
			}
		case first, ok := <-f.pages:
			if err := first.check(ok); err != nil {
				return nil, err
			}
			batch, err := f.more(first, liveBatch)
			if err != nil {
				return nil, err
			}
			err = p.apply(ctx, batch)
			if newer := (*NewerError)(nil); err == nil || errors.As(err, &newer) { // it is before that event now
				e.advanced(p, batch)
			}
			if err != nil {
				return nil, err
			}
		case r := <-e.retries:
			err := p.retry(ctx, e.Source, r.projection)
			e.advanced(p, nil) // first, so that the caller of Retry sees the result
			r.done <- err
			if ends(err) {
				return nil, err
			}
		case h := <-e.handovers:
			h.stopped <- p.at.Position
			select {
			case next := <-h.next:
				if next != (successor{}) {
					return next.projector, next.err
				}
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// publish shows the rows to dashboards. It does not disturb those that are reading. If they are, or if it fails, it returns when
// to try again; projecting continues meanwhile.
func (e *Engine) publish(ctx context.Context, p *projector) (again <-chan time.Time, err error) {
	err = p.db.Publish(ctx, p.term, p.ledger.relations())
	var before error
	e.note(func(s *situation) {
		if before = s.unshown; !errors.Is(err, table.ErrBusy) {
			s.unshown = err
		}
	})
	switch {
	case err == nil, errors.Is(err, table.ErrTermOver), ctx.Err() != nil:
		return nil, err
	case errors.Is(err, table.ErrGone):
		return nil, fmt.Errorf("%w: %w", errAnew, err)
	case !errors.Is(err, table.ErrBusy) && (before == nil || before.Error() != err.Error()):
		e.failing(err)
	}
	return time.After(publishAgain), nil
}

// advanced tells readers and Status how far a projector has got.
func (e *Engine) advanced(p *projector, batch []entry) {
	e.live.Advance(p.db, p.at.Position)
	parked := map[string]int{}
	for at := range p.parked {
		parked[at.projection]++
	}
	e.note(func(s *situation) {
		s.running, s.failure = true, nil
		s.position, s.applied, s.parked = p.at.Position, p.applied, parked
		if len(batch) > 0 {
			s.moved = time.Now()
		}
	})
}

// show puts a generation behind live, which then owns it. It returns false if live is closed.
func (e *Engine) show(db *table.DB, number int, at table.Point) bool {
	if !e.live.Switch(db, at.Position) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shown = shown{db, number, at}
	return true
}
