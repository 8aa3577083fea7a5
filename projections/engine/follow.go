package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"daybook/readmodels/table"
)

// lookAgain is how often a follower checks without a notification, in case one was lost, and a projector that its rows are there.
const lookAgain = time.Second

// watch follows what another process projects, until the context ends.
func (e *Engine) watch(ctx context.Context) error {
	changes := e.home.Changes(ctx)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for told := false; ; {
		err := e.look(ctx, told)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.note(func(s *situation) { s.running, s.failure = true, err })
		select {
		case <-changes:
			told = true
		case <-tick.C:
			told = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look checks the position of the shown generation, whether it fits the log, and whether there is a newer one to show. After a
// notification, progress of the shown generation is enough, and it checks nothing else.
func (e *Engine) look(ctx context.Context, told bool) (wrong error) {
	e.mu.Lock()
	now := e.shown
	e.mu.Unlock()
	if now.db != nil {
		at, err := pointOf(ctx, now.db)
		if err != nil {
			at = now.at // it was there before
		} else {
			e.saw(now.db, at)
		}
		if told && at.Position > now.at.Position {
			e.note(func(s *situation) { s.nobody = false })
			return nil
		}
		wrong = errors.Join(err, e.fits(ctx, now.db, at))
	}
	all, err := e.home.Generations(ctx)
	if err != nil {
		return err
	}
	held := slices.ContainsFunc(all, func(g table.Generation) bool { return g.Schema == e.schema && g.Held })
	e.note(func(s *situation) { s.nobody = !held })
	newest, found := table.Newest(all, e.schema)
	if !found || newest.Number == now.number {
		return wrong
	}
	if newest.Log != e.Store.ID() {
		return e.foreign(ctx, newest)
	}
	db, err := e.home.OpenReadOnly(ctx, newest.Number)
	if err != nil {
		return err
	}
	at, err := pointOf(ctx, db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	notYet := at.Position < e.live.Position() && !errors.As(wrong, new(*UnfitError))
	if notYet || !e.show(db, newest.Number, at) {
		return db.Close()
	}
	return nil
}

// saw records the position of the shown generation.
func (e *Engine) saw(db *table.DB, at table.Point) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shown.at = at
	e.live.Advance(db, at.Position)
}

// pointOf returns the position of a generation.
func pointOf(ctx context.Context, db *table.DB) (table.Point, error) {
	all, err := table.ReadCheckpoints(ctx, db.Readers)
	if err != nil {
		return table.Point{}, err
	}
	if len(all) == 0 {
		return table.Point{}, fmt.Errorf("%s has no checkpoints; to have it rebuilt, %s", db.Path(), db.WayOut())
	}
	return all[0].Point, nil
}
