// Package engine keeps read models current. It reads the log, folds each event into rows by the projections that it is
// given, writes what changed set-wise, and moves the checkpoints in the same transaction; it also rebuilds, follows what
// another process writes, replays the desk as of a cut, and verifies rows against the log. It knows no noun of the desk.
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

// An Engine keeps the read models of a desk current for this process: it posts them, or follows what another process posts.
// Who posts builds them if there are none that this program can use, brings them up to the log, and posts what comes.
//
// One goroutine reads and decodes, each event once for all projections; another folds and writes. All projections move
// together, in one transaction with their checkpoints, so that everything is posted exactly once and whoever reads
// several tables sees one position. Nothing waits for a timer: what is at hand is posted at once.
type Engine struct {
	Source
	home   table.Home
	live   *table.Live
	schema string

	failing   func(error)
	retries   chan retry
	handovers chan handover
	ended     chan struct{} // closed when Run returns
	building  sync.Mutex    // held by whoever builds a generation

	mu    sync.Mutex
	state situation
	shown shown
}

// shown is the generation behind live.
type shown struct {
	db     *table.DB // nil: none yet
	number int
	at     table.Point // where it was when it was looked at
}

// A handover asks the goroutine that posts to stop where it is, and to go on with another poster.
type handover struct {
	stopped chan eventstore.Position
	next    chan successor
}

// A successor is the poster that goes on, or why none can; neither: the one that there was.
type successor struct {
	poster *poster
	err    error
}

const liveBatch = 1000 // events in one transaction while posting live, about; more would make the first of them wait

// publishAgain is when it is tried again to show dashboards newer rows, after they were reading. It is a variable for the tests' sake.
var publishAgain = 5 * time.Second

// New makes an engine for the generations of a desk, whose live one it puts behind live. It fails if the projections and
// their tables do not fit together.
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

// RunOptions are how an engine runs. The zero value is right for a moment's work.
type RunOptions struct {
	// Progress is told how far the building is, if there is something to build. It must not block.
	Progress func(Progress)
	// Patient engines try again when the database or the log fails at the start, as all do while they post.
	Patient bool
	// Failing is told why it tries again, each time. It must not block.
	Failing func(error)
}

// OpenLive opens the live generation for reading, beside whoever posts to it, or returns nil if there is none that was made by
// these projections.
func (s Source) OpenLive(ctx context.Context, home table.Home) (*table.DB, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	return table.OpenLive(ctx, home, l.schema())
}

// Run posts until the context ends, and follows what another process posts while that one does. It returns why it stopped:
// the context's error, eventstore.ErrClosed, a *FencedError, a *PoisonError of an event that stopped a building, or, if it is not
// patient, an *UnfitError or what else failed at the start. Run or Follow may be called once.
func (e *Engine) Run(ctx context.Context, opts RunOptions) error {
	if opts.Failing != nil {
		e.failing = opts.Failing
	}
	return e.keep(ctx, opts.Patient, func() error { return e.term(ctx, opts.Progress) })
}

// Follow follows what another process posts, until the context ends.
func (e *Engine) Follow(ctx context.Context) error {
	return e.keep(ctx, true, func() error { return e.watch(ctx) })
}

// follow posts what comes, until the context ends or a rebuild has a poster that takes over.
func (e *Engine) follow(ctx context.Context, p *poster) (*poster, error) {
	p.strict, p.patient = false, true
	p.failing = e.fails
	e.posted(p, nil)
	for pause := pauses(); ; {
		from := p.at.Position
		next, err := e.post(ctx, p)
		if err == nil || ctx.Err() != nil || ends(err) {
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

// post posts from the log until that fails or a rebuild has a poster that takes over. If it failed before, the log may be
// another by now.
func (e *Engine) post(ctx context.Context, p *poster) (*poster, error) {
	if err := e.fits(ctx, p.db, p.at); err != nil {
		return nil, err
	}
	publishing, err := e.publish(ctx, p)
	if err != nil {
		return nil, err
	}
	f := e.feed(ctx, p.at.Position)
	defer f.stop()
	for {
		select {
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
			if err := p.post(ctx, batch); err != nil {
				return nil, err
			}
			e.posted(p, batch)
		case r := <-e.retries:
			err := p.retry(ctx, e.Source, r.projection)
			e.posted(p, nil) // first, so that who retried sees what came of it
			r.done <- err
			if ends(err) {
				return nil, err
			}
		case h := <-e.handovers:
			h.stopped <- p.at.Position
			select {
			case next := <-h.next:
				if next != (successor{}) {
					return next.poster, next.err
				}
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// publish shows the rows to dashboards. While they read what they see now it does not disturb them, and says when to try again,
// and also when it fails: posting goes on meanwhile.
func (e *Engine) publish(ctx context.Context, p *poster) (again <-chan time.Time, err error) {
	err = p.db.Publish(ctx, p.term, p.ledger.relations())
	switch {
	case err == nil, errors.Is(err, table.ErrTermOver), ctx.Err() != nil:
		return nil, err
	case errors.Is(err, table.ErrGone):
		return nil, fmt.Errorf("%w: %w", errAnew, err)
	case !errors.Is(err, table.ErrBusy):
		e.failing(err)
	}
	return time.After(publishAgain), nil
}

// posted tells readers and Status how far a poster has come.
func (e *Engine) posted(p *poster, batch []entry) {
	e.live.Advance(p.db, p.at.Position)
	parked := map[string]int{}
	for at := range p.parked {
		parked[at.projection]++
	}
	e.note(func(s *situation) {
		s.running, s.failure = true, nil
		s.position, s.applied, s.unknown, s.parked = p.at.Position, p.applied, p.unknown, parked
		if len(batch) > 0 {
			s.moved = time.Now()
		}
	})
}

// show puts a generation behind live, which closes it when it is no longer needed.
func (e *Engine) show(db *table.DB, number int, at table.Point) bool {
	if !e.live.Switch(db, at.Position) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shown = shown{db, number, at}
	return true
}
