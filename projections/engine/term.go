package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A tenure is a term that this engine holds, with the context for work in it.
type tenure struct {
	table.Term
	ctx context.Context
}

// keep repeats work until the context ends or retrying cannot help.
func (e *Engine) keep(ctx context.Context, patient bool, work func() error) (err error) {
	defer close(e.ended)
	defer func() { e.note(func(s *situation) { s.running, s.failure = false, err }) }()
	for pause := pauses(); ; {
		err := work()
		switch {
		case hopeless(err):
			return err
		case ctx.Err() != nil: // err may be only how a database says so
			return ctx.Err()
		case err == nil: // the term is over
			pause.Reset()
			continue
		case !patient && !errors.Is(err, errAnew):
			return err
		}
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			if err := e.awaitNewer(ctx, newer); err != nil {
				return err
			}
			pause.Reset()
			continue
		}
		e.fails(err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// awaitNewer follows what other processes project, until one of them has projected an event that this one does not know.
func (e *Engine) awaitNewer(ctx context.Context, newer *NewerError) error {
	e.note(func(s *situation) { s.newer = newer })
	defer e.note(func(s *situation) { s.newer = nil })
	e.failing(newer)
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer stop()
	watcher.Go(func() { _ = e.watch(watching) }) // Status shows errors
	return e.live.Wait(ctx, newer.Position)
}

// pauses are the times between retries: 50 ms at first, doubling up to 5 s.
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

// fails records and reports why something is retried.
func (e *Engine) fails(err error) {
	e.note(func(s *situation) { s.running, s.failure = true, err })
	e.failing(err)
}

// hopeless reports whether retrying cannot help.
func hopeless(err error) bool {
	fenced, poison := (*FencedError)(nil), (*PoisonError)(nil)
	return errors.As(err, &fenced) || errors.As(err, &poison) || errors.Is(err, eventstore.ErrClosed)
}

// ends reports whether an error ends a projector: it must not continue with what it has in memory.
func ends(err error) bool {
	unfit := (*UnfitError)(nil)
	return hopeless(err) || errors.As(err, &unfit) || errors.Is(err, errAnew) || table.IsDamage(err)
}

// An UnfitError means that read models cannot be continued from this log. Its text says what to do.
type UnfitError struct{ err error }

func (e *UnfitError) Error() string { return e.err.Error() }

func (e *UnfitError) Unwrap() error { return e.err }

// term waits for a term and projects until it is over; then it returns nil.
func (e *Engine) term(ctx context.Context, progress func(Progress)) (err error) {
	term, err := e.hold(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = term.End(ending) // otherwise it expires
	}()
	during, stop := until(ctx, term.Context())
	defer func() { stop(err) }() // tells a rebuild why
	defer func() {
		e.note(func(s *situation) { // at once, so that nobody takes it for another process's turn
			if s.tenure = nil; err != nil && !errors.As(err, &s.newer) {
				s.failure = err
			}
		})
	}()
	err = e.projectIn(&tenure{term, during}, progress)
	if ctx.Err() == nil && (during.Err() != nil || errors.Is(err, table.ErrTermOver)) { // the end of the term caused err
		return nil
	}
	return err
}

// until returns a context that ends with either of two.
func until(ctx, other context.Context) (during context.Context, stop func(cause error)) {
	during, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return during, func(cause error) { forget(); cancel(cause) }
}

// hold waits for a term, and follows meanwhile what another process projects.
func (e *Engine) hold(ctx context.Context) (table.Term, error) {
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	return e.home.Hold(ctx, e.schema, func() { watchers.Go(func() { _ = e.watch(watching) }) }) // Status shows errors
}

// projectIn projects in a tenure.
func (e *Engine) projectIn(t *tenure, progress func(Progress)) error {
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
			return nil //nolint:nilerr // the term is over; otherwise a process without a term has taken over
		}
		if err != nil {
			return e.unless(p.number, err)
		}
		p = next
	}
}

// unless returns the error of a generation. One that is damaged is left alone from now on, and the projector starts again: with another
// one, that it builds if there is none.
func (e *Engine) unless(damaged int, err error) error {
	if table.IsDamage(err) {
		e.spoilt, err = damaged, fmt.Errorf("%w: %w", errAnew, table.AsDamage(err))
	}
	return err
}

// start opens the live generation, or builds one if there is none. Rebuild has to wait for it.
func (e *Engine) start(t *tenure, progress func(Progress)) (*projector, error) {
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
	if err := table.Clean(ctx, e.home, t, e.schema); err != nil { // what the previous process left
		return nil, err
	}
	all = slices.DeleteFunc(all, func(g table.Generation) bool { return g.Number == e.spoilt })
	live, found := table.Newest(all, e.schema)
	if !found {
		return e.first(ctx, t, progress)
	}
	db, err := e.home.Open(ctx, live.Number)
	if err != nil {
		return nil, e.unless(live.Number, err)
	}
	p, err := e.resume(ctx, t, db)
	if err != nil {
		return nil, e.unless(live.Number, err)
	}
	p.number = live.Number // whatever the rows say
	return p, nil
}

// foreign returns the error for a generation that was projected from another log.
func (e *Engine) foreign(ctx context.Context, g table.Generation) error {
	db, err := e.home.OpenReadOnly(ctx, g.Number)
	if err != nil {
		return err
	}
	return errors.Join(e.Source.foreign(db, g), db.Close())
}

func (s Source) foreign(db *table.DB, g table.Generation) error {
	return &UnfitError{fmt.Errorf("%s was projected from log %s, but this is log %s: give the right data folder, or %s to have it rebuilt from this log",
		db.Path(), g.Log, s.Store.ID(), db.WayOut())}
}

// resume takes over a generation, unless it was not projected from this log.
func (e *Engine) resume(ctx context.Context, term table.Term, db *table.DB) (*projector, error) {
	p, err := func() (*projector, error) {
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
	return &UnfitError{fmt.Errorf("%s is at position %s but the log ends at %s (%w): restore the whole log, or %s to have it rebuilt from this log",
		db.Path(), position, head, eventstore.ErrAhead, db.WayOut())}
}

// fits checks that a generation's last event is still at its place in the log. If not, the generation contains events that the
// log no longer has.
func (s Source) fits(ctx context.Context, db *table.DB, at table.Point) error {
	head, err := s.Store.Head(ctx)
	if err != nil {
		return err
	}
	if at.Position > head {
		return ahead(db, at.Position, head)
	}
	if at.Stream == "" { // the start, or a notice
		return nil
	}
	for found, err := range s.Store.Read(ctx, at.Stream, at.Revision, eventstore.Forwards, 1) {
		if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
			if lost(err) { // and the event with it, perhaps
				return nil
			}
			return err
		}
		if err == nil && found.ID == at.EventID && found.Position == at.Position {
			return nil
		}
	}
	return &UnfitError{fmt.Errorf("%s is at position %s, but the log no longer has the event that was there: it was restored from an older backup or lost its end, and has grown since. Restore the whole log, or %s to have it rebuilt from this log",
		db.Path(), at.Position, db.WayOut())}
}
