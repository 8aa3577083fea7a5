package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"daybook/bench/history"
	"daybook/projections"
	"daybook/readmodels"
)

var rebuilds = []measure{
	{id: "P6", title: "rebuild of all read models", reference: "the same events decoded, the same folded rows written, no engine between", must: 0.75, aim: 0.9, start: startP6},
}

func startP6(s setting) (rounds, error) {
	d, err := openDesk(s.dir)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		ctx := context.Background()
		if err := history.Write(ctx, d.store, d.vault, s.events); err != nil {
			return r, err
		}
		limit, err := d.source.Record(ctx)
		if err != nil {
			return r, err
		}
		r.ours = func() (float64, error) {
			path := filepath.Join(s.dir, "rebuilt.db")
			began := time.Now()
			err := d.source.Replay(ctx, projections.Cut{}, path)
			rate := float64(limit.Events) / time.Since(began).Seconds()
			return rate, errors.Join(err, readmodels.Remove(path))
		}
		r.reference = func() (float64, error) {
			path := filepath.Join(s.dir, "written.db")
			began := time.Now()
			db, err := readmodels.Open(path)
			if err != nil {
				return 0, err
			}
			err = errors.Join(limit.Play(ctx, db), db.Close())
			rate := float64(limit.Events) / time.Since(began).Seconds()
			return rate, errors.Join(err, readmodels.Remove(path))
		}
		return r, nil
	})
}
