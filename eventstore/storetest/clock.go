package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
)

var clockCases = []testCase{
	{"C59 instants up to the last event are settled, those that nobody has reached are refused", func(d *desk) {
		stream, _ := d.has(3)
		all := d.rest(d.start)
		last := all[len(all)-1]
		for _, at := range []time.Time{{}, last.RecordedAt.Add(-time.Hour), last.RecordedAt} {
			if p, err := d.Settle(d.ctx, at); err != nil || p < last.Position {
				d.Errorf("Settle at %v: %d, %v, want at least %d", at, p, err, last.Position)
			}
		}
		if p, err := d.Settle(d.ctx, last.RecordedAt.AddDate(100, 0, 0)); !errors.Is(err, eventstore.ErrFuture) {
			d.Errorf("Settle in a hundred years: %d, %v", p, err)
		}
		d.appends(stream, 2, events(1))
		if ahead, err := d.Ahead(d.ctx); err != nil || ahead > time.Hour {
			d.Errorf("Ahead: %v, %v", ahead, err)
		}
	}},
}

// Clock tests that recording times never go back, whatever the clock does, and that what is settled stays so. It does not apply to
// EventStoreDB, which records by a clock of its own. create creates a log and returns what opens it, with a clock.
func Clock(t *testing.T, create func(testing.TB) (open func(now func() time.Time) eventstore.Store)) {
	const year = 365 * 24 * time.Hour
	for name, clock := range map[string][]time.Duration{
		"an hour back, then on":     {0, -time.Hour, -time.Hour + time.Microsecond, 0, time.Second},
		"an hour ahead, then right": {0, time.Hour, 0, 2 * time.Hour},
		"years ahead, then right":   {0, 20 * year, 0, time.Second, 20*year - time.Microsecond, 20*year + time.Second},
		"years back, then right":    {0, -20 * year, 0, time.Second},
		"back and forth":            {0, -time.Hour, time.Hour, -20 * year, 20 * year, -time.Hour, 0, time.Hour},
		"not even on":               {0, 0, 0},
	} {
		for _, again := range []bool{false, true} {
			if again {
				name += ", opened again each time"
			}
			t.Run(name, func(t *testing.T) { sets(t, create(t), clock, again) })
		}
	}
	t.Run("settled while 4 goroutines append", func(t *testing.T) { settles(t, create(t)) })
}

// settled is what a store has promised: every event recorded by at is at or before position.
type settled struct {
	at       time.Time
	position eventstore.Position
}

// sets appends under each setting of a clock.
func sets(t *testing.T, open func(now func() time.Time) eventstore.Store, clock []time.Duration, again bool) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var now time.Time
	store := open(func() time.Time { return now })
	var last time.Time
	var promised []settled
	for i, d := range clock {
		if again {
			shut(t, store)
			store = open(func() time.Time { return now })
		}
		now = start.Add(d)
		if _, err := eventstore.AppendTo(t.Context(), store, "a", eventstore.Revision(2*i-1), events(2)); err != nil {
			t.Fatal(err)
		}
		want := now
		if want.Before(last) {
			want = last
		}
		e := lastOf(t, store)
		if !e.RecordedAt.Equal(want) {
			t.Errorf("with the clock at %v, after an event at %v: recorded at %v, want %v", now, last, e.RecordedAt, want)
		}
		if last = e.RecordedAt; last.Before(now) {
			last = now
		}
		if ahead, err := store.Ahead(t.Context()); err != nil || ahead != max(0, last.Sub(now)) {
			t.Errorf("with the clock at %v and the last event at %v: ahead by %v, %v", now, last, ahead, err)
		}
		for _, at := range []time.Time{start.AddDate(-30, 0, 0), last, now} {
			p, err := store.Settle(t.Context(), at)
			if err != nil || p != e.Position {
				t.Errorf("Settle at %v: %d, %v, want %d", at, p, err, e.Position)
			}
			promised = append(promised, settled{at, p})
			if next := at.Add(time.Microsecond); next.After(last) {
				last = next
			}
		}
		future := last.Add(time.Microsecond)
		if future.Before(now) {
			future = now.Add(time.Microsecond)
		}
		if p, err := store.Settle(t.Context(), future); !errors.Is(err, eventstore.ErrFuture) {
			t.Errorf("Settle at %v, with the clock at %v: %d, %v, want a refusal", future, now, p, err)
		}
	}
	keeps(t, store, promised)
	shut(t, store)
}

// settles settles the current time again and again while others append.
func settles(t *testing.T, open func(now func() time.Time) eventstore.Store) {
	store := open(nil) // by its own clock
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var writers, settler sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		stream := uuid.NewString()
		writers.Go(func() {
			for i := range 200 {
				if _, err := eventstore.AppendTo(ctx, store, stream, eventstore.Revision(i)-1, events(1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var promised []settled
	settler.Go(func() {
		for !done.Load() {
			now := time.Now()
			p, err := store.Settle(ctx, now)
			if err != nil {
				t.Error(err)
				return
			}
			promised = append(promised, settled{now, p})
		}
	})
	writers.Wait()
	done.Store(true)
	settler.Wait()
	keeps(t, store, promised)
	shut(t, store)
}

// keeps checks that recording times do not go back, and what was promised.
func keeps(t *testing.T, store eventstore.Store, promised []settled) {
	t.Helper()
	all := wholeLog(t, store)
	if !slices.IsSortedFunc(all, func(a, b eventstore.Recorded) int { return a.RecordedAt.Compare(b.RecordedAt) }) {
		t.Error("recording times go back")
	}
	for _, s := range promised {
		for _, e := range all {
			if !e.RecordedAt.After(s.at) && e.Position > s.position {
				t.Fatalf("%v was settled at position %d, but the event at %d was recorded at %v", s.at, s.position, e.Position, e.RecordedAt)
			}
		}
	}
}

func wholeLog(t *testing.T, store eventstore.Store) (all []eventstore.Recorded) {
	t.Helper()
	for batch, err := range store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		all = append(all, batch...)
	}
	return all
}

func lastOf(t *testing.T, store eventstore.Store) eventstore.Recorded {
	t.Helper()
	all := wholeLog(t, store)
	return all[len(all)-1]
}

func shut(t *testing.T, store eventstore.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
