package main

import (
	"context"
	"path/filepath"

	"daybook/bench/history"
	"daybook/readmodels/table"
)

var long = []measure{
	{id: "P11", title: "durable append, embedded store, 64 callers, log of 10 M events", reference: "log of 100 k", must: 0.7, aim: 0.9, full: true, start: startP11(appendingTo)},
	{id: "P11r", title: "rebuild of all read models from 10 M events", reference: "from 100 k", must: 0.7, aim: 0.9, full: true, start: startP11(rebuildingFrom)},
}

// startP11 compares a side on a long log with the same on one that has a hundredth of its events.
func startP11(side func(s setting, d *desk, events int) (func() (float64, error), error)) func(setting) (rounds, error) {
	return func(s setting) (rounds, error) {
		with := func(events int) func(*desk) (func() (float64, error), error) {
			return func(d *desk) (func() (float64, error), error) { return side(s, d, events) }
		}
		return twoDesks(s, with(s.long), with(s.long/100))
	}
}

func appendingTo(s setting, d *desk, events int) (func() (float64, error), error) {
	err := history.Write(context.Background(), d.store, d.vault, events)
	if err == nil {
		err = settle(d.store, filepath.Join(d.dir, "events.db"))
	}
	return appending(s, manyCallers, toStore(d.store), 0), err
}

func rebuildingFrom(_ setting, d *desk, events int) (func() (float64, error), error) {
	return d.rebuilding(table.Folder(d.dir), events)
}
