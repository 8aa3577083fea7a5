package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A tenure is a term for as long as it is used.
type tenure struct {
	table.Term
	ctx context.Context
}

// keep works until the context ends, and again if that fails and there is hope.
func (e *Engine) keep(ctx context.Context, patient bool, work func() error) (err error) {
	defer close(e.ended)
	defer func() { e.note(func(s *situation) { s.running, s.failure = false, err }) }()
	for pause := pauses(); ; {
		err := work()
		if ctx.Err() != nil || hopeless(err) || err != nil && !patient && !errors.Is(err, errAnew) {
			return err
		}
		if err == nil { // the term is over
			pause.Reset()
			continue
		}
		e.fails(err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// pauses are how long to wait before something is tried again: longer each time, up to 5 s.
func pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = 50*time.Millisecond, 2, 5*time.Second
	b.Reset()
	return b
}

// wait waits for the next pause, or until the context ends.
func wait(ctx context.Context, b *backoff.ExponentialBackOff) error {
	select {
	case <-time.After(b.NextBackOff()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
	during, stop := until(ctx, term.Context())
	defer stop()
	defer e.note(func(s *situation) { s.tenure = nil })
	err = e.postIn(&tenure{term, during}, progress)
	if ctx.Err() == nil && (during.Err() != nil || errors.Is(err, table.ErrTermOver)) { // whatever it came to, it came of that
		return nil
	}
	return err
}

// until is a context that ends with another one too.
func until(ctx, other context.Context) (during context.Context, stop func()) {
	during, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return during, func() { forget(); cancel(nil) }
}

// hold waits until it may post, and follows meanwhile what somebody else posts.
func (e *Engine) hold(ctx context.Context) (table.Term, error) {
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	return e.home.Hold(ctx, e.schema, func() { watchers.Go(func() { _ = e.watch(watching) }) }) // what fails shows in Status
}

// postIn posts in a tenure.
func (e *Engine) postIn(t *tenure, progress func(Progress)) error {
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
func (e *Engine) start(t *tenure, progress func(Progress)) (*poster, error) {
	ctx := t.ctx
	e.building.Lock()
	defer e.building.Unlock()
	e.note(func(s *situation) { s.tenure = t })
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
