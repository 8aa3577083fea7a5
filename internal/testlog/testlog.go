// Package testlog gives tests a log in memory, desks on it, and logs that are watched or that die.
package testlog

import (
	"context"
	"errors"
	"iter"

	"daybook/commands/work"
	"daybook/domain/personal/personaltest"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
)

// TB is what a test needs to have a log: testing.T has it, and rapid.T.
type TB interface {
	Helper()
	Fatal(args ...any)
	Error(args ...any)
	Cleanup(func())
}

// Memory opens a log in memory until the test ends.
func Memory(t TB) *sqlite.Store {
	t.Helper()
	store, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Desk returns a desk with an empty cache, as a process has it after a restart. All desks have the same keys and hashes.
func Desk(store eventstore.Store) *work.Desk {
	return &work.Desk{Store: store, Keys: &personaltest.Keys{}, Names: personaltest.Names{}}
}

// Watched is a log that tells what is read by stream.
type Watched struct {
	eventstore.Store
	Asked func(stream string)                                    // is told of each read; may be nil
	Got   func(r eventstore.Recorded, read eventstore.Direction) // is told of each event that a read returns; may be nil
}

// Read implements eventstore.Store.
func (w *Watched) Read(ctx context.Context, stream string, from eventstore.Revision, direction eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	if w.Asked != nil {
		w.Asked(stream)
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range w.Store.Read(ctx, stream, from, direction, limit) {
			if err == nil && w.Got != nil {
				w.Got(r, direction)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Tails implements eventstore.Store.
func (w *Watched) Tails(ctx context.Context, after ...eventstore.Known) ([]eventstore.Tail, error) {
	if w.Asked != nil {
		for _, k := range after {
			w.Asked(k.Stream)
		}
	}
	tails, err := w.Store.Tails(ctx, after...)
	for _, t := range tails {
		for _, r := range t.Events {
			if w.Got != nil {
				w.Got(r, eventstore.Forwards)
			}
		}
	}
	return tails, err
}

// ErrDied is the error of a log that dies.
var ErrDied = errors.New("the process died")

// An End is how an append ends in a log that may die.
type End int

// The ends of an append.
const (
	Lives   End = iota
	Before      // it dies before the events are written
	Written     // it dies after they are written, and only the answer is lost
)

// Dying is a log that writes to one stream at a time, as EventStoreDB does, and in which appends fail. End must be safe for
// concurrent use.
type Dying struct {
	eventstore.Store
	End func(stream string, expected eventstore.Revision) End
}

// Append implements eventstore.Store.
func (d *Dying) Append(ctx context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	var all []eventstore.Appended
	for _, a := range to {
		end := d.End(a.Stream, a.Expected)
		if end == Before {
			return nil, ErrDied
		}
		done, err := d.Store.Append(ctx, a)
		if err != nil {
			return nil, err
		}
		if end == Written {
			return nil, ErrDied
		}
		all = append(all, done...)
	}
	return all, nil
}
