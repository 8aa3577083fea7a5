package main

import (
	"context"
	"errors"
	"time"

	"daybook/bench/history"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

const noEngine = "decoding the same events and writing the same rows, without the engine"

var rebuilds = []measure{
	{id: "P6", title: "rebuild of all read models", reference: noEngine, must: 0.75, aim: 0.9, start: startP6},
	{id: "P7", title: "rebuild of all read models into PostgreSQL", reference: noEngine, must: 0.8, aim: 0.95, postgres: true, start: startP7},
}

func startP6(s setting) (rounds, error) { return besideRecording(s, table.Folder(s.dir)) }

func startP7(s setting) (rounds, error) {
	home, err := table.NewSchemas(s.postgres, table.SchemasOptions{Name: "rebuilt"})
	if err != nil {
		return rounds{}, err
	}
	return besideRecording(s, home)
}

// besideRecording compares rebuilds with playing a recording of one.
func besideRecording(s setting, home table.Home) (rounds, error) {
	d, err := openDesk(s.dir)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if r.ours, err = d.rebuilding(home, s.events); err != nil {
			return r, err
		}
		limit, err := d.source.Record(context.Background())
		if err != nil {
			return r, err
		}
		r.reference = filling(home, limit.Events, func(db *table.DB) error { return limit.Play(context.Background(), db) })
		return r, nil
	})
}

// rebuilding writes a synthetic log, and returns a side that rebuilds read models from it.
func (d *desk) rebuilding(home table.Home, events int) (func() (float64, error), error) {
	ctx := context.Background()
	if err := history.Write(ctx, d.store, d.vault, events); err != nil {
		return nil, err
	}
	head, err := d.store.Head(ctx)
	return filling(home, int64(head), func(db *table.DB) error { return d.source.Fill(ctx, engine.Cut{}, db) }), err
}

// filling returns a side that fills one generation of read models after another.
func filling(home table.Home, events int64, fill func(*table.DB) error) func() (float64, error) {
	return func() (float64, error) {
		ctx := context.Background()
		began := time.Now()
		db, number, err := home.Create(ctx)
		if err != nil {
			return 0, err
		}
		err = errors.Join(fill(db), db.Close())
		rate := float64(events) / time.Since(began).Seconds()
		return rate, errors.Join(err, home.Remove(ctx, table.Alone{}, number))
	}
}
