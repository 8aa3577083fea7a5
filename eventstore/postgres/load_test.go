package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
)

// patient are options for a store whose appends must not fail, however long the database is away.
var patient = postgres.Options{Patience: time.Hour}

func event() []eventstore.Event {
	return []eventstore.Event{{ID: uuid.New(), Type: "happened", Data: []byte("{}")}}
}

// A load is writers, each on its own stream, and a follower and a reader of each store, all running until it ends.
type load struct {
	*testing.T
	stopping         atomic.Bool
	writing, reading sync.WaitGroup

	mu    sync.Mutex
	moved sync.Cond               // something was acknowledged, followed or read
	kept  map[string][]uuid.UUID  // what was acknowledged, by stream
	seen  [][]eventstore.Recorded // by each follower
	read  []int                   // how often by each reader
	all   int                     // how many events there are in the end, once it is known
}

// begin starts writers, a follower and a reader on each store.
func begin(t *testing.T, writers int, stores ...*postgres.Store) *load {
	l := &load{T: t, kept: map[string][]uuid.UUID{}, seen: make([][]eventstore.Recorded, len(stores)), read: make([]int, len(stores))}
	l.moved.L = &l.mu
	for n, store := range stores {
		for w := range writers {
			stream := fmt.Sprintf("stream-%d-%d", n, w)
			l.note(func() { l.kept[stream] = nil })
			l.writing.Go(func() { l.write(store, stream) })
		}
		l.reading.Go(func() { l.follow(store, n) })
		l.reading.Go(func() { l.reread(store, n) })
	}
	return l
}

// note records something and wakes those who wait for it.
func (l *load) note(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what()
	l.moved.Broadcast()
}

// waitFor waits until a condition is true.
func (l *load) waitFor(what func() bool) {
	l.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !what() {
		if l.Failed() {
			l.FailNow()
		}
		l.moved.Wait()
	}
}

func (l *load) acknowledged() (n int) {
	for _, ids := range l.kept {
		n += len(ids)
	}
	return n
}

// goOn waits until so many more events were acknowledged.
func (l *load) goOn(more int) {
	l.Helper()
	until := -1
	l.waitFor(func() bool {
		if until < 0 {
			until = l.acknowledged() + more
		}
		return l.acknowledged() >= until
	})
}

// allGoOn waits until all make progress: each writer, each reader, and each follower up to where the writers were.
func (l *load) allGoOn() {
	l.Helper()
	var kept map[string]int
	var read []int
	var total int
	l.waitFor(func() bool {
		if kept == nil {
			kept, read, total = map[string]int{}, slices.Clone(l.read), l.acknowledged()
			for stream, ids := range l.kept {
				kept[stream] = len(ids)
			}
		}
		for stream, n := range kept {
			if len(l.kept[stream]) == n {
				return false
			}
		}
		for n := range read {
			if l.read[n] == read[n] || len(l.seen[n]) < total {
				return false
			}
		}
		return true
	})
}

func (l *load) write(store *postgres.Store, stream string) {
	revision := eventstore.NoStream
	for !l.stopping.Load() {
		given := event()
		got, err := eventstore.AppendTo(l.Context(), store, stream, revision, given)
		if l.Context().Err() != nil {
			return
		}
		if err != nil || got.Revision != revision+1 {
			l.note(func() { l.Errorf("Append to %s: %+v, %v, want revision %d", stream, got, err, revision+1) })
			return
		}
		revision = got.Revision
		l.note(func() { l.kept[stream] = append(l.kept[stream], given[0].ID) })
	}
}

// follow resumes where it was after the database has been away, as a projection does.
func (l *load) follow(store *postgres.Store, n int) {
	after, done := eventstore.Start, false
	for !done && l.Context().Err() == nil {
		for batch, err := range store.Follow(l.Context(), after) {
			if err != nil {
				break
			}
			if len(batch) > 0 {
				after = batch[len(batch)-1].Position
			}
			l.note(func() {
				l.seen[n] = append(l.seen[n], batch...)
				done = l.all > 0 && len(l.seen[n]) >= l.all
			})
			if done {
				break
			}
		}
	}
}

// reread reads the end of a stream repeatedly.
func (l *load) reread(store *postgres.Store, n int) {
	stream := fmt.Sprintf("stream-%d-0", n)
	for !l.stopping.Load() && l.Context().Err() == nil {
		var last eventstore.Revision
		var failed error
		for e, err := range store.Read(l.Context(), stream, eventstore.Last, eventstore.Backwards, 20) {
			if failed = err; err != nil {
				break
			}
			if last > 0 && e.Revision != last-1 {
				l.note(func() { l.Errorf("read revision %d of %s after %d", e.Revision, stream, last) })
				return
			}
			last = e.Revision
		}
		if failed == nil {
			l.note(func() { l.read[n]++ })
		}
	}
}

// end ends the load, and reports what was lost, duplicated or out of order. It returns the number of events.
func (l *load) end(store *postgres.Store) int {
	l.Helper()
	l.stopping.Store(true)
	l.writing.Wait()
	last := event()
	l.note(func() { l.all = l.acknowledged() + 1 })
	if _, err := eventstore.AppendTo(l.Context(), store, "end", eventstore.NoStream, last); err != nil { // wakes waiting followers
		l.Fatal(err)
	}
	l.kept["end"] = []uuid.UUID{last[0].ID}
	l.reading.Wait()
	if head, err := store.Head(l.Context()); err != nil || int(head) != l.all {
		l.Errorf("%d events were acknowledged, and the log ends at %d: %v", l.all, head, err)
	}
	for n, seen := range l.seen {
		streams := map[string][]uuid.UUID{}
		for i, e := range seen {
			if e.Position != eventstore.Position(i+1) || int(e.Revision) != len(streams[e.Stream]) {
				l.Fatalf("follower %d saw position %d in place %d, revision %d of %s in place %d", n, e.Position, i+1, e.Revision, e.Stream, len(streams[e.Stream]))
			}
			streams[e.Stream] = append(streams[e.Stream], e.ID)
		}
		for stream, want := range l.kept {
			if got := streams[stream]; !slices.Equal(got, want) {
				l.Errorf("follower %d saw %d events of %s, and %d were acknowledged", n, len(got), stream, len(want))
			}
		}
	}
	return l.all
}
