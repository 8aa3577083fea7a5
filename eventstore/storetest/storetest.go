// Package storetest defines what every event store must do, as tests. A backend runs them in three lines:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) eventstore.Store { return open(t) })
//	}
//
// The cases have the numbers of docs/conformance.md. They write to streams with random names and look at nothing else, so that a log
// can be shared with others. They wait for events and never for time.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"daybook/eventstore"
)

// A Feature is a promise of a store beyond the contract.
type Feature int

const (
	// Dense means that positions are numbered without gaps, over all streams.
	Dense Feature = iota
	// Atomic means that several streams are appended to at once, all or none.
	Atomic
	// Shared means that other processes may have the log open, so that it may be restored from a backup meanwhile.
	Shared
)

// patience ends a test that hangs. No result depends on it.
const patience = 2 * time.Minute

// A testCase is a sentence that must be true of a store.
type testCase struct {
	name string
	run  func(*desk)
}

var cases = slices.Concat(appendCases, readCases, followCases, clockCases, modelCases)

// Run runs all cases. Each gets its own store from open, which Run closes.
func Run(t *testing.T, open func(testing.TB) eventstore.Store, features ...Feature) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			others := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, others) })
			store := open(t)
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			start, err := store.Head(ctx)
			if err != nil {
				t.Fatalf("Head: %v", err)
			}
			c.run(&desk{T: t, Store: store, ctx: ctx, start: start, features: features, mine: "storetest-" + uuid.NewString()})
		})
	}
}

// A desk is what a case works on: a store, and a part of its log that nobody else uses.
type desk struct {
	*testing.T
	eventstore.Store

	ctx      context.Context
	start    eventstore.Position // the end of the log when the case began
	features []Feature
	mine     string // the prefix of this case's streams
	named    int
}

// stream names a new stream.
func (d *desk) stream() string {
	d.named++
	return fmt.Sprintf("%s-%d", d.mine, d.named)
}

// events makes n events.
func events(n int) []eventstore.Event {
	made := make([]eventstore.Event, n)
	for i := range made {
		id := uuid.New()
		made[i] = eventstore.Event{ID: id, Type: "happened", Data: fmt.Appendf(nil, `{"id":%q}`, id), Meta: []byte(`{"n":1}`)}
	}
	return made
}

// has creates a stream of n events.
func (d *desk) has(n int) (string, []eventstore.Event) {
	d.Helper()
	stream, given := d.stream(), events(n)
	for from := 0; from < n; from += eventstore.MaxAppendEvents {
		d.appends(stream, eventstore.Revision(from)-1, given[from:min(n, from+eventstore.MaxAppendEvents)])
	}
	return stream, given
}

// appends makes an append that must be accepted.
func (d *desk) appends(stream string, expected eventstore.Revision, given []eventstore.Event) eventstore.Appended {
	d.Helper()
	got, err := eventstore.AppendTo(d.ctx, d, stream, expected, given)
	if err != nil {
		d.Fatalf("Append at %d: %v", expected, err)
	}
	if want := expected + eventstore.Revision(len(given)); got.Revision != want {
		d.Fatalf("Append at %d of %d events: revision %d, want %d", expected, len(given), got.Revision, want)
	}
	return got
}

// conflicts makes an append that must be refused because of the stream's revision.
func (d *desk) conflicts(stream string, expected, actual eventstore.Revision, given []eventstore.Event) {
	d.Helper()
	got, err := eventstore.AppendTo(d.ctx, d, stream, expected, given)
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) {
		d.Fatalf("Append at %d to a stream at %d: %+v, %v, want a conflict", expected, actual, got, err)
	}
	if want := (eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}); *conflict != want {
		d.Fatalf("conflict %+v, want %+v", *conflict, want)
	}
}

// holds checks that a stream consists of exactly the given events, byte for byte.
func (d *desk) holds(stream string, want []eventstore.Event) {
	d.Helper()
	got, err := d.reads(stream, 0, eventstore.Forwards, 0)
	if err != nil {
		d.Fatalf("Read: %v", err)
	}
	d.same(got, want, stream, 0, 1)
}

// same compares read events with the given ones, whose first has a revision and whose next ones are step further.
func (d *desk) same(got []eventstore.Recorded, want []eventstore.Event, stream string, first, step eventstore.Revision) {
	d.Helper()
	expected := make([]eventstore.Recorded, len(want))
	for i, e := range want {
		expected[i] = eventstore.Recorded{ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta, Stream: stream, Revision: first}
		first += step
	}
	if diff := difference(expected, got); diff != "" {
		d.Fatalf("events differ: %s", diff)
	}
}

// difference describes how events differ, apart from position and time. It compares before it explains, because explaining is slow.
func difference(want, got []eventstore.Recorded) string {
	equal := slices.EqualFunc(want, got, func(w, g eventstore.Recorded) bool {
		return w.ID == g.ID && w.Type == g.Type && w.Stream == g.Stream && w.Revision == g.Revision &&
			bytes.Equal(w.Data, g.Data) && bytes.Equal(w.Meta, g.Meta)
	})
	if equal {
		return ""
	}
	ignored := cmpopts.IgnoreFields(eventstore.Recorded{}, "Position", "RecordedAt")
	return "-want +got\n" + cmp.Diff(want, got, ignored, cmpopts.EquateEmpty())
}

// reads returns all that Read yields.
func (d *desk) reads(stream string, from eventstore.Revision, way eventstore.Direction, limit int) ([]eventstore.Recorded, error) {
	var got []eventstore.Recorded
	for e, err := range d.Read(d.ctx, stream, from, way, limit) {
		if err != nil {
			return got, err
		}
		got = append(got, e)
	}
	return got, nil
}

// rest follows from a position until it has caught up, and returns this case's events.
func (d *desk) rest(after eventstore.Position) []eventstore.Recorded {
	d.Helper()
	var got []eventstore.Recorded
	for batch, err := range d.Follow(d.ctx, after) {
		if err != nil {
			d.Fatalf("Follow after %d: %v", after, err)
		}
		if len(batch) == 0 {
			break
		}
		got = append(got, d.own(batch)...)
	}
	return got
}

// own leaves out other cases' events.
func (d *desk) own(batch []eventstore.Recorded) []eventstore.Recorded {
	return slices.DeleteFunc(batch, func(e eventstore.Recorded) bool { return !strings.HasPrefix(e.Stream, d.mine) })
}

// sameIDs compares the order of events.
func (d *desk) sameIDs(who string, want, got []uuid.UUID) {
	d.Helper()
	if !slices.Equal(want, got) {
		d.Errorf("%s: -want +got\n%s", who, cmp.Diff(want, got))
	}
}

func ids(recorded []eventstore.Recorded) []uuid.UUID {
	all := make([]uuid.UUID, len(recorded))
	for i, e := range recorded {
		all[i] = e.ID
	}
	return all
}
