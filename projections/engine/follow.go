package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/readmodels/table"
)

// lookAgain is how often a follower looks without being told, lest it was not.
const lookAgain = time.Second

// watch follows what another process posts, until the context ends.
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

// look sees how far the generation that is shown has come, whether it fits the log, and whether there is a newer one to be shown.
// Whoever was told of something need not look further when he has seen the first.
func (e *Engine) look(ctx context.Context, told bool) (wrong error) {
	e.mu.Lock()
	now := e.shown
	e.mu.Unlock()
	if now.db != nil {
		at, err := pointOf(ctx, now.db)
		if err != nil {
			at = now.at // what is gone was there
		} else {
			e.saw(now.db, at)
		}
		if told && at.Position > now.at.Position {
			return nil
		}
		wrong = errors.Join(err, e.fits(ctx, now.db, at))
	}
	all, err := e.home.Generations(ctx)
	if err != nil {
		return err
	}
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

// saw takes note of where the generation that is shown is.
func (e *Engine) saw(db *table.DB, at table.Point) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shown.at = at
	e.live.Advance(db, at.Position)
}

// pointOf is how far a generation has come.
func pointOf(ctx context.Context, db *table.DB) (table.Point, error) {
	all, err := table.ReadCheckpoints(ctx, db.Readers)
	if err != nil {
		return table.Point{}, err
	}
	if len(all) == 0 {
		return table.Point{}, fmt.Errorf("%s has no checkpoints: %s", db.Path(), db.WayOut())
	}
	return all[0].Point, nil
}
