package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// A retry asks the goroutine that posts to post what is parked.
type retry struct {
	projection string
	done       chan error
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

// A turn is a term for as long as it is used.
type turn struct {
	table.Term
	ctx context.Context
}

// A situation is what Status needs to know of the goroutine that posts.
type situation struct {
	running  bool  // posting, or following what is posted
	turn     *turn // in which it posts; nil: it does not
	building bool
	failure  error // what ended it, or what it is trying again
	position eventstore.Position
	applied  int64
	unknown  int64
	moved    time.Time
	parked   map[string]int
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

// keep works until the context ends, and again if that fails and there is hope.
func (e *Engine) keep(ctx context.Context, patient bool, work func() error) (err error) {
	defer close(e.ended)
	defer func() { e.note(func(s *situation) { s.running, s.failure = false, err }) }()
	for pause := time.Duration(0); ; {
		err := work()
		if ctx.Err() != nil || hopeless(err) || err != nil && !patient && !errors.Is(err, errAnew) {
			return err
		}
		if err == nil { // the term is over
			pause = 0
			continue
		}
		pause = min(max(50*time.Millisecond, 2*pause), 5*time.Second)
		e.fails(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fails notes why something is tried again.
func (e *Engine) fails(err error) {
	e.note(func(s *situation) { s.running, s.failure = true, err })
	e.failing(err)
}

// hopeless says whether waiting does not help.
func hopeless(err error) bool {
	fenced, poison := (*FencedError)(nil), (*PoisonError)(nil)
	return errors.As(err, &fenced) || errors.As(err, &poison) || errors.Is(err, eventstore.ErrClosed)
}

// ends says whether an error is the end of a poster: what it has in its hands is not what to go on with.
func ends(err error) bool {
	unfit := (*UnfitError)(nil)
	return hopeless(err) || errors.As(err, &unfit) || errors.Is(err, errAnew)
}

// An UnfitError says why read models cannot be continued from this log, and what to do.
type UnfitError struct{ err error }

func (e *UnfitError) Error() string { return e.err.Error() }

func (e *UnfitError) Unwrap() error { return e.err }

// term waits until it may post, and posts until it may no longer: then it returns nil.
func (e *Engine) term(ctx context.Context, progress func(Progress)) error {
	term, err := e.hold(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = term.End(ending) // else its time does
	}()
	within, stop := until(ctx, term.Context())
	defer stop()
	defer e.note(func(s *situation) { s.turn = nil })
	err = e.postIn(&turn{term, within}, progress)
	if ctx.Err() == nil && (within.Err() != nil || errors.Is(err, table.ErrTermOver)) { // whatever it came to, it came of that
		return nil
	}
	return err
}

// until is a context that ends with another one too.
func until(ctx, other context.Context) (within context.Context, stop func()) {
	within, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return within, func() { forget(); cancel(nil) }
}

// hold waits until it may post, and follows meanwhile what somebody else posts.
func (e *Engine) hold(ctx context.Context) (table.Term, error) {
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	return e.home.Hold(ctx, e.schema, func() { watchers.Go(func() { _ = e.watch(watching) }) }) // what fails shows in Status
}

// postIn posts in a turn.
func (e *Engine) postIn(t *turn, progress func(Progress)) error {
	ctx := t.ctx
	p, err := e.start(t, progress)
	if err != nil {
		return err
	}
	if !e.show(p.db, p.number, p.at) {
		return errors.Join(table.ErrClosed, p.db.Close())
	}
	for {
		next, err := e.follow(ctx, p)
		if fenced := (*FencedError)(nil); errors.As(err, &fenced) && p.db.Write(ctx, t.Prove) != nil {
			return nil //nolint:nilerr // the term is over; else somebody posts who has none
		}
		if err != nil {
			return err
		}
		p = next
	}
}

// start opens the live generation or builds the first. Nobody else builds before that.
func (e *Engine) start(t *turn, progress func(Progress)) (*poster, error) {
	ctx := t.ctx
	e.building.Lock()
	defer e.building.Unlock()
	e.note(func(s *situation) { s.turn = t })
	all, err := e.home.Generations(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if g.State == table.Ready && g.Log != e.Store.ID() {
			return nil, e.foreign(ctx, g)
		}
	}
	if err := table.Clean(ctx, e.home, t, e.schema); err != nil { // what the one before us left
		return nil, err
	}
	live, found := table.Newest(all, e.schema)
	if !found {
		return e.first(ctx, t, progress)
	}
	db, err := e.home.Open(ctx, live.Number)
	if err != nil {
		return nil, err
	}
	return e.resume(ctx, t, db)
}

// foreign says that a generation was posted from another log.
func (e *Engine) foreign(ctx context.Context, g table.Generation) error {
	db, err := e.home.OpenReadOnly(ctx, g.Number)
	if err != nil {
		return err
	}
	return errors.Join(&UnfitError{fmt.Errorf("%s was posted from log %s, and this is log %s: give the right data folder, or %s and it is built anew from this log",
		db.Path(), g.Log, e.Store.ID(), db.WayOut())}, db.Close())
}

// resume takes over a generation, unless it was not posted from this log.
func (e *Engine) resume(ctx context.Context, term table.Term, db *table.DB) (*poster, error) {
	p, err := func() (*poster, error) {
		l, err := e.ledger()
		if err != nil {
			return nil, err
		}
		p, err := claim(ctx, db, term, l)
		if err != nil {
			return nil, err
		}
		return p, e.fits(ctx, p.db, p.at)
	}()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return p, nil
}

func ahead(db *table.DB, position, head eventstore.Position) error {
	return &UnfitError{fmt.Errorf("%s is at position %s and the log ends at %s (%w): bring the whole log back, or %s and it is built anew from this log",
		db.Path(), position, head, eventstore.ErrAhead, db.WayOut())}
}

// fits refuses a generation whose last event is not where it was in the log: whatever came after that was posted from events
// that are no more.
func (e *Engine) fits(ctx context.Context, db *table.DB, at table.Point) error {
	head, err := e.Store.Head(ctx)
	if err != nil {
		return err
	}
	if at.Position > head {
		return ahead(db, at.Position, head)
	}
	if at.Position == eventstore.Start {
		return nil
	}
	for found, err := range e.Store.Read(ctx, at.Stream, at.Revision, eventstore.Forwards, 1) {
		if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
			return err
		}
		if err == nil && found.ID == at.EventID && found.Position == at.Position {
			return nil
		}
	}
	return &UnfitError{fmt.Errorf("%s is at position %s, and the log no longer has the event that was there: it was put back from an older backup, or lost its end, and has grown since. Bring the whole log back, or %s and it is built anew from this log",
		db.Path(), at.Position, db.WayOut())}
}

// follow posts what comes, until the context ends or a rebuild has a poster that takes over.
func (e *Engine) follow(ctx context.Context, p *poster) (*poster, error) {
	p.strict, p.patient = false, true
	p.failing = e.fails
	e.posted(p, nil)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		from := p.at.Position
		next, err := e.post(ctx, p)
		if err == nil || ctx.Err() != nil || ends(err) {
			return next, err
		}
		if p.at.Position != from {
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

func (e *Engine) note(change func(*situation)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.state)
}

// What Retry and Rebuild come to where nothing is posted.
var (
	ErrNotRunning = errors.New("nothing is posted any more: the engine has stopped")
	ErrNotNow     = errors.New("nothing is posted now; it is tried again")
	ErrElsewhere  = errors.New("another process posts the read models")
)

// mine returns the turn in which this engine posts.
func (e *Engine) mine() (*turn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.ended:
		return nil, ErrNotRunning
	default:
	}
	switch {
	case e.state.turn != nil:
		return e.state.turn, nil
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
	Posting  bool // this process posts, and not another
	Position eventstore.Position
	Applied  int64               // events up to there
	Head     eventstore.Position // of the log
	Lag      int64               // events that are not posted yet; where positions have gaps, an estimate
	Behind   time.Duration       // how long ago the first of these was recorded
	Parked   int                 // things that it no longer follows
	Unknown  int64               // events that this process has passed over because it does not know their types
	Moved    time.Time           // when this process last posted anything; the zero time if it has not
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
	if s.running && s.turn == nil {
		if err := e.observe(ctx, &s); err != nil {
			s.failure = err
		}
	}
	one := Status{Position: s.position, Applied: s.applied, Head: head, Posting: s.turn != nil, Unknown: s.unknown, Moved: s.moved, Err: s.failure}
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
		all[i].Name, all[i].Version, all[i].Parked = f.name, f.version, s.parked[f.name]
	}
	return all, nil
}

// eventsUpTo is how many events there are up to a position, going by how many there are up to one before. Where positions have
// no gaps it is exact.
func eventsUpTo(to, at eventstore.Position, events int64) int64 {
	if at == eventstore.Start {
		return int64(min(to, math.MaxInt64))
	}
	return int64(math.Round(float64(events) * (float64(to) / float64(at))))
}

// behind is how long ago the event after a position was recorded.
func (e *Engine) behind(ctx context.Context, position eventstore.Position) (time.Duration, error) {
	for batch, err := range e.Store.Follow(ctx, position) {
		if err != nil || len(batch) == 0 {
			return 0, err
		}
		return time.Since(batch[0].RecordedAt), nil
	}
	return 0, nil
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
