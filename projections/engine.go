package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"daybook/eventstore"
	"daybook/readmodels"
)

// An Engine keeps the read models of a desk: it builds them if there are none that this program can use, brings them up
// to the log, and posts what comes.
//
// One goroutine reads and decodes, each event once for all projections; another folds and writes. All projections move
// together, in one transaction with their checkpoints, so that everything is posted exactly once and whoever reads
// several tables sees one position. Nothing waits for a timer: what is at hand is posted at once.
type Engine struct {
	Source
	home   readmodels.Home
	live   *readmodels.Live
	schema string

	retries   chan retry
	handovers chan handover
	ended     chan struct{} // closed when Run returns
	building  sync.Mutex    // held by whoever builds a generation

	mu    sync.Mutex
	state situation
}

// A retry asks the goroutine that posts to post what is parked.
type retry struct {
	projection string
	done       chan error
}

// A handover asks the goroutine that posts to stop where it is, and to go on with another poster, or as before if that
// is nil.
type handover struct {
	stopped chan eventstore.Position
	next    chan *poster
}

// A situation is what Status needs to know of the goroutine that posts.
type situation struct {
	running  bool
	building bool
	failure  error // what ended it, or what it is trying again
	position eventstore.Position
	applied  int64
	unknown  int64
	recorded time.Time // when the event at position was written down
	moved    time.Time
	parked   map[string]int
}

const liveBatch = 1000 // events in one transaction while posting live, about; more would make the first of them wait

// New makes an engine for the generations of a desk, whose live one it puts behind live. It fails if the projections and
// their tables do not fit together.
func New(s Source, home readmodels.Home, live *readmodels.Live) (*Engine, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	return &Engine{
		Source:    s,
		home:      home,
		live:      live,
		schema:    l.schema(),
		retries:   make(chan retry),
		handovers: make(chan handover),
		ended:     make(chan struct{}),
	}, nil
}

// Run posts until the context ends, and returns why it stopped: the context's error, eventstore.ErrClosed, a
// *FencedError, or what makes the read models in the folder unfit to be continued. If there are none for this program, it
// builds them first, and tells progress, which may be nil, how far it is. It may be called once.
func (e *Engine) Run(ctx context.Context, progress func(Progress)) (err error) {
	defer close(e.ended)
	defer func() { e.note(func(s *situation) { s.running, s.failure = false, err }) }()
	p, err := e.start(ctx, progress)
	if err == nil && !e.live.Switch(p.db, p.position) { // whoever sees it may rebuild at once
		err = errors.Join(readmodels.ErrClosed, p.db.Close())
	}
	for err == nil {
		p, err = e.follow(ctx, p)
	}
	return err
}

// start opens the live generation or builds the first.
func (e *Engine) start(ctx context.Context, progress func(Progress)) (*poster, error) {
	e.building.Lock()
	defer e.building.Unlock()
	db, g, err := e.home.Live(ctx)
	if err != nil {
		return nil, err
	}
	if db != nil && g.Schema != e.schema && g.Log == e.Store.ID() {
		if err := db.Close(); err != nil {
			return nil, err
		}
		db = nil
	}
	if db != nil {
		return e.resume(ctx, db, g)
	}
	return e.first(ctx, progress)
}

// resume takes over a generation, unless it cannot be continued from this log.
func (e *Engine) resume(ctx context.Context, db *readmodels.DB, g readmodels.Generation) (*poster, error) {
	p, err := func() (*poster, error) {
		if g.Log != e.Store.ID() {
			return nil, fmt.Errorf("%s was posted from log %s, and this is log %s: give the right data folder, or %s and it is built anew from this log",
				db.Path(), g.Log, e.Store.ID(), db.WayOut())
		}
		l, err := e.ledger()
		if err != nil {
			return nil, err
		}
		p, err := claim(ctx, db, l)
		if err != nil {
			return nil, err
		}
		head, err := e.Store.Head(ctx)
		if err != nil {
			return nil, err
		}
		if p.position > head {
			return nil, ahead(db, p.position, head)
		}
		return p, nil
	}()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return p, nil
}

func ahead(db *readmodels.DB, position, head eventstore.Position) error {
	return fmt.Errorf("%s is at position %s and the log ends at %s (%w): bring the whole log back, or %s and it is built anew from this log",
		db.Path(), position, head, eventstore.ErrAhead, db.WayOut())
}

// follow posts what comes, until the context ends or a rebuild has a poster that takes over.
func (e *Engine) follow(ctx context.Context, p *poster) (*poster, error) {
	p.strict, p.patient = false, true
	p.failing = func(err error) { e.note(func(s *situation) { s.failure = err }) }
	e.posted(p, nil)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		f := e.feed(ctx, p.position)
		from := p.position
		next, err := e.post(ctx, p, f)
		f.stop()
		if fenced := (*FencedError)(nil); err == nil || ctx.Err() != nil || errors.As(err, &fenced) || errors.Is(err, eventstore.ErrClosed) {
			return next, err
		}
		if errors.Is(err, eventstore.ErrAhead) {
			return nil, fmt.Errorf("%s is at position %s: %w", p.db.Path(), p.position, err)
		}
		if p.position != from {
			pause = 50 * time.Millisecond
		}
		p.failing(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// post posts from a feed until it fails or a rebuild has a poster that takes over.
func (e *Engine) post(ctx context.Context, p *poster, f *feed) (*poster, error) {
	for {
		select {
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
			if fenced := (*FencedError)(nil); errors.As(err, &fenced) {
				return nil, err
			}
		case h := <-e.handovers:
			h.stopped <- p.position
			select {
			case next := <-h.next:
				if next != nil {
					return next, nil
				}
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// posted tells readers and Status how far a poster has come.
func (e *Engine) posted(p *poster, batch []entry) {
	e.live.Advance(p.db, p.position)
	parked := map[string]int{}
	for at := range p.parked {
		parked[at.projection]++
	}
	e.note(func(s *situation) {
		s.running, s.failure = true, nil
		s.position, s.applied, s.unknown, s.parked = p.position, p.applied, p.unknown, parked
		if len(batch) > 0 {
			s.recorded, s.moved = batch[len(batch)-1].RecordedAt.Time(), time.Now()
		}
	})
}

func (e *Engine) note(change func(*situation)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.state)
}

// ErrNotRunning is what Retry and Rebuild come to when Run has returned.
var ErrNotRunning = errors.New("nothing is posted any more: the engine has stopped")

// Retry posts what waits behind the parked things of a projection. Each thing's events are read again from the log, from
// the one at which it failed on, and posted in their order in one transaction; things come in the order in which they
// were parked. What fails again stays parked. So the rows that belong to one thing become what they would have been; a
// row that several things change gets these changes late, after others that were posted since, which matters only where
// their order does: then rebuild.
func (e *Engine) Retry(ctx context.Context, projection string) error {
	r := retry{projection, make(chan error, 1)}
	select {
	case e.retries <- r:
		return <-r.done
	case <-e.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A State is what a projection is doing.
type State string

// The states of a projection.
const (
	Stopped    State = "stopped" // not begun, ended, or failed
	Building   State = "building"
	CatchingUp State = "catching up"
	UpToDate   State = "live"
	Retrying   State = "retrying" // the database or the log fails; it goes on as soon as it can
	Fenced     State = "fenced"   // somebody else posts
)

// A Status says how a projection is doing.
type Status struct {
	Name     string
	Version  int
	State    State
	Position eventstore.Position
	Applied  int64               // events up to there
	Head     eventstore.Position // of the log
	Lag      int64               // events that are not posted yet; where positions have gaps, at most
	Behind   time.Duration       // the age of the last event that was posted since the start, if there is a lag
	Parked   int                 // things that it no longer follows
	Unknown  int64               // events passed over since the start because this program does not know their types
	Moved    time.Time           // when it last posted anything since the start; the zero time if it has not
	Err      error               // why it is stopped, fenced or retrying
}

// Status says how the projections are doing, in their order.
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
	one := Status{Position: s.position, Applied: s.applied, Head: head, Unknown: s.unknown, Moved: s.moved, Err: s.failure}
	one.State = s.word(head)
	if head > s.position {
		one.Lag = int64(head - s.position)
		if !s.recorded.IsZero() {
			one.Behind = time.Since(s.recorded)
		}
	}
	all := make([]Status, len(l.folds))
	for i, f := range l.folds {
		all[i] = one
		all[i].Name, all[i].Version, all[i].Parked = f.name, f.version, s.parked[f.name]
	}
	return all, nil
}

func (s situation) word(head eventstore.Position) State {
	fenced := (*FencedError)(nil)
	switch {
	case errors.As(s.failure, &fenced):
		return Fenced
	case s.building:
		return Building
	case s.failure != nil && s.running:
		return Retrying
	case !s.running:
		return Stopped
	case s.position < head:
		return CatchingUp
	}
	return UpToDate
}
