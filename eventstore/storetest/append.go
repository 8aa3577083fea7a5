package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"daybook/eventstore"
)

var appendCases = []testCase{
	{"C1 NoStream on a new stream begins it", func(d *desk) {
		stream, given := d.stream(), events(2)
		d.appends(stream, eventstore.NoStream, given)
		d.holds(stream, given)
	}},
	{"C2 NoStream on a stream that exists conflicts and tells its revision", func(d *desk) {
		stream, given := d.has(3)
		d.conflicts(stream, eventstore.NoStream, 2, events(1))
		d.holds(stream, given)
	}},
	{"C3 the right revision is accepted", func(d *desk) {
		stream, given := d.has(1)
		more := events(3)
		d.appends(stream, 0, more[:1])
		d.appends(stream, 1, more[1:])
		d.holds(stream, append(given, more...))
	}},
	{"C4 a revision too low conflicts", func(d *desk) {
		stream, given := d.has(5)
		for expected := eventstore.Revision(-3); expected < 4; expected++ {
			d.conflicts(stream, expected, 4, events(1))
		}
		d.holds(stream, given)
	}},
	{"C5 a revision too high conflicts", func(d *desk) {
		stream, given := d.has(2)
		d.conflicts(stream, 2, 1, events(1))
		d.conflicts(stream, eventstore.Last, 1, events(1))
		d.holds(stream, given)
		d.conflicts(d.stream(), 0, eventstore.NoStream, events(1))
	}},
	{"C7 a retry gives the first result and writes nothing", func(d *desk) {
		stream, first, second := d.stream(), events(3), events(2)
		began := d.appends(stream, eventstore.NoStream, first)
		went := d.appends(stream, 2, second)
		began.New, went.New = false, false // as a retry must return
		for range 2 {
			if again := d.appends(stream, eventstore.NoStream, first); again != began {
				d.Errorf("retry at NoStream: %+v, first %+v", again, began)
			}
			if again := d.appends(stream, 2, second); again != went {
				d.Errorf("retry at 2: %+v, first %+v", again, went)
			}
		}
		d.holds(stream, append(first, second...))
	}},
	{"C8 a retry with one other id conflicts", func(d *desk) {
		stream, given := d.has(3)
		for i := range given {
			other := slices.Clone(given)
			other[i].ID = uuid.New()
			d.conflicts(stream, eventstore.NoStream, 2, other)
		}
		d.holds(stream, given)
	}},
	{"C9 a retry of the beginning of a batch counts as written", func(d *desk) {
		stream, given := d.stream(), events(4)
		d.appends(stream, eventstore.NoStream, given)
		for n := 1; n < len(given); n++ {
			d.appends(stream, eventstore.NoStream, given[:n])
		}
		d.appends(stream, 1, given[2:3])
		d.holds(stream, given)
	}},
	{"C10 a retry with one event more conflicts", func(d *desk) {
		stream, given := d.has(2)
		d.conflicts(stream, eventstore.NoStream, 1, append(slices.Clone(given), events(1)...))
		d.holds(stream, given)
	}},
	{"C11 the same id at the stream's end is appended", func(d *desk) {
		stream, given := d.has(2)
		d.appends(stream, 1, given)
		d.holds(stream, append(given, given...))
	}},
	{"C12 the same id goes into two streams", func(d *desk) {
		one, given := d.has(1)
		two := d.stream()
		d.appends(two, eventstore.NoStream, given)
		d.holds(one, given)
		d.holds(two, given)
	}},
	{"C13 32 goroutines, same revision: exactly one wins", func(d *desk) {
		stream := d.stream()
		var all []eventstore.Event
		for round := range 20 {
			given := events(32)
			var winners atomic.Int32
			var winner atomic.Int32
			together(32, func(i int) {
				_, err := eventstore.AppendTo(d.ctx, d, stream, eventstore.Revision(round)-1, given[i:i+1])
				var conflict *eventstore.ConflictError
				switch {
				case err == nil:
					winners.Add(1)
					winner.Store(int32(i))
				case !errors.As(err, &conflict):
					d.Errorf("a loser got %v", err)
				case conflict.Actual != eventstore.Revision(round):
					d.Errorf("a loser was told revision %d, not %d", conflict.Actual, round)
				}
			})
			if winners.Load() != 1 {
				d.Fatalf("round %d had %d winners", round, winners.Load())
			}
			all = append(all, given[winner.Load()])
		}
		d.holds(stream, all)
	}},
	{"C13 32 goroutines on one stream, each trying again: all win in the end", func(d *desk) {
		stream, given := d.stream(), events(32)
		results := make([]eventstore.Appended, len(given))
		together(len(given), func(i int) {
			for expected := eventstore.NoStream; ; {
				got, err := eventstore.AppendTo(d.ctx, d, stream, expected, given[i:i+1])
				var conflict *eventstore.ConflictError
				if errors.As(err, &conflict) {
					expected = conflict.Actual
					continue
				}
				if err != nil {
					d.Errorf("Append: %v", err)
				}
				results[i] = got
				return
			}
		})
		all := make([]eventstore.Event, len(given))
		for i, r := range results {
			all[r.Revision] = given[i]
		}
		d.holds(stream, all)
	}},
	{"C14 32 goroutines, a stream each: all win, each stream in order", func(d *desk) {
		streams, given := make([]string, 32), make([][]eventstore.Event, 32)
		for i := range streams {
			streams[i], given[i] = d.stream(), events(20)
		}
		together(len(streams), func(i int) {
			for n := range given[i] {
				if _, err := eventstore.AppendTo(d.ctx, d, streams[i], eventstore.Revision(n)-1, given[i][n:n+1]); err != nil {
					d.Errorf("Append: %v", err)
				}
			}
		})
		for i := range streams {
			d.holds(streams[i], given[i])
		}
	}},
	{"C15 an empty batch is refused", func(d *desk) {
		stream, given := d.has(1)
		d.refuses(stream, 0, nil, eventstore.ErrEmpty)
		d.holds(stream, given)
	}},
	{"C16 an event without an id or a type is refused, and a stream without a name", func(d *desk) {
		stream := d.stream()
		noID, noType := events(2), events(2)
		noID[1].ID, noType[1].Type = uuid.Nil, ""
		d.refuses(stream, eventstore.NoStream, noID, eventstore.ErrNoID)
		d.refuses(stream, eventstore.NoStream, noType, eventstore.ErrNoType)
		d.refuses("", eventstore.NoStream, events(1), eventstore.ErrNoName)
		for _, bad := range []string{"a\x00b", "a\xff"} {
			noType[0].Type = bad
			d.refuses(stream, eventstore.NoStream, noType, eventstore.ErrNoType)
			d.refuses(d.mine+bad, eventstore.NoStream, events(1), eventstore.ErrNoName)
		}
		d.refuses(d.mine+strings.Repeat("x", eventstore.MaxStreamName), eventstore.NoStream, events(1), eventstore.ErrNoName)
		longest := d.mine + strings.Repeat("x", eventstore.MaxStreamName-len(d.mine))
		given := events(1)
		d.appends(longest, eventstore.NoStream, given)
		d.holds(longest, given)
	}},
	{"C17 a batch of just the limit is kept, one byte or event more is refused and nothing written", func(d *desk) {
		stream, given := d.stream(), events(3)
		room := eventstore.MaxAppendSize
		for _, e := range given {
			room -= 2*len(e.Type) + len(e.Data) + len(e.Meta)
		}
		given[2].Data = append(given[2].Data, bytes.Repeat([]byte{'x'}, room)...)
		larger := slices.Clone(given)
		larger[1].Type += "x"
		d.tooLarge(stream, larger, eventstore.MaxAppendSize+2)
		larger = slices.Clone(given)
		larger[0].Meta = append(slices.Clone(larger[0].Meta), ' ')
		d.tooLarge(stream, larger, eventstore.MaxAppendSize+1)
		d.appends(stream, eventstore.NoStream, given)
		d.holds(stream, given)

		most := make([]eventstore.Event, eventstore.MaxAppendEvents+1)
		for i := range most {
			most[i] = eventstore.Event{ID: uuid.New(), Type: "t"}
		}
		d.tooLarge(stream, most, 2*len(most))
		d.appends(stream, 2, most[:eventstore.MaxAppendEvents])
		d.holds(stream, append(given, most[:eventstore.MaxAppendEvents]...))
	}},
	{"C19 a caller that leaves has its whole batch appended or nothing, and a retry settles it", func(d *desk) {
		for range 50 {
			stream, given := d.stream(), events(5)
			ctx, leave := context.WithCancel(d.ctx)
			left := make(chan struct{})
			go func() { defer close(left); leave() }()
			_, err := eventstore.AppendTo(ctx, d, stream, eventstore.NoStream, given)
			<-left
			if err != nil && !errors.Is(err, context.Canceled) {
				d.Fatalf("Append: %v", err)
			}
			if got, err := d.reads(stream, 0, eventstore.Forwards, 0); err == nil {
				d.same(got, given, stream, 0, 1)
			} else if !errors.Is(err, eventstore.ErrNotFound) {
				d.Fatalf("Read: %v", err)
			}
			d.appends(stream, eventstore.NoStream, given)
			d.holds(stream, given)
		}
	}},
	{"C19 the caller may change its bytes afterwards", func(d *desk) {
		stream, given := d.stream(), events(1)
		lent := slices.Clone(given)
		lent[0].Data, lent[0].Meta = slices.Clone(given[0].Data), slices.Clone(given[0].Meta)
		d.appends(stream, eventstore.NoStream, lent)
		clear(lent[0].Data)
		clear(lent[0].Meta)
		d.holds(stream, given)
		d.same(d.rest(d.start), given, stream, 0, 1)
	}},
	{"C20 a result stands after everything acknowledged before", func(d *desk) {
		last, streams := d.start, []string{d.stream(), d.stream(), d.stream()}
		for i := range 30 {
			got := d.appends(streams[i%3], eventstore.Revision(i/3)-1, events(1))
			if got.Position <= last {
				d.Fatalf("position %d after %d", got.Position, last)
			}
			last = got.Position
		}
		all := d.rest(d.start)
		if end := all[len(all)-1]; end.Position != last || len(all) != 30 {
			d.Errorf("followed %d events up to %d, want 30 up to %d", len(all), end.Position, last)
		}
	}},
	{"C61 several streams are written in the order of their steps", func(d *desk) {
		old, had := d.has(2)
		to := []eventstore.Append{
			{Stream: d.stream(), Expected: eventstore.NoStream, Events: events(2)},
			{Stream: old, Expected: 1, Events: events(3), Step: 1},
			{Stream: d.stream(), Expected: eventstore.NoStream, Events: events(1), Step: 2},
		}
		got := d.appendsAll(to)
		if got[0].Revision != 1 || got[1].Revision != 4 || got[2].Revision != 0 || got[0].Position >= got[1].Position || got[1].Position >= got[2].Position {
			d.Errorf("%+v", got)
		}
		d.holds(to[0].Stream, to[0].Events)
		d.holds(old, append(had, to[1].Events...))
		d.holds(to[2].Stream, to[2].Events)
		d.refusesAll(eventstore.ErrEmpty)
		d.refusesAll(eventstore.ErrTwice, eventstore.Append{Stream: "a", Events: events(1)}, eventstore.Append{Stream: "a", Expected: 1, Events: events(1)})
		d.refusesAll(eventstore.ErrEmpty, eventstore.Append{Stream: old, Expected: 4, Events: events(1)}, eventstore.Append{Stream: "a", Events: events(0)})
		d.holds(old, append(had, to[1].Events...))
	}},
	{"C62 of several streams, a conflict lets none be written", func(d *desk) {
		one, had := d.has(1)
		other, others := d.has(2)
		for _, step := range []int{0, 1} {
			to := []eventstore.Append{
				{Stream: one, Expected: 0, Events: events(2), Step: 1},
				{Stream: other, Expected: 0, Events: events(1), Step: step},
				{Stream: d.stream(), Expected: eventstore.NoStream, Events: events(1), Step: 2},
			}
			_, err := d.Append(d.ctx, to...)
			var conflict *eventstore.ConflictError
			if !errors.As(err, &conflict) || *conflict != (eventstore.ConflictError{Stream: other, Expected: 0, Actual: 1}) {
				d.Fatal(err)
			}
			d.holds(other, others)
			if _, err := d.reads(to[2].Stream, 0, eventstore.Forwards, 0); !errors.Is(err, eventstore.ErrNotFound) {
				d.Errorf("a later step was written: %v", err)
			}
			if step == 0 || slices.Contains(d.features, Atomic) {
				d.holds(one, had)
			}
		}
	}},
	{"C63 a retry of several streams writes those that are missing", func(d *desk) {
		old, had := d.has(1)
		to := []eventstore.Append{
			{Stream: d.stream(), Expected: eventstore.NoStream, Events: events(2)},
			{Stream: old, Expected: 0, Events: events(2), Step: 1},
			{Stream: d.stream(), Expected: eventstore.NoStream, Events: events(1), Step: 2},
		}
		first := d.appends(old, 0, to[1].Events)
		got := d.appendsAll(to)
		if got[1].Position != first.Position || got[1].New {
			d.Errorf("%+v, first %+v", got[1], first)
		}
		for range 2 {
			for i, again := range d.appendsAll(to) {
				if again.Position != got[i].Position || again.Revision != got[i].Revision || again.New {
					d.Errorf("retry: %+v, first %+v", again, got[i])
				}
			}
		}
		d.holds(to[0].Stream, to[0].Events)
		d.holds(old, append(had, to[1].Events...))
		d.holds(to[2].Stream, to[2].Events)
	}},
	{"C61 many append to several streams at once", func(d *desk) {
		shared := []string{d.stream(), d.stream(), d.stream()}
		wrote := make([][3]int, 8)
		together(8, func(i int) {
			for n := 0; n < 10; {
				var to []eventstore.Append
				for k, s := range shared {
					last := eventstore.NoStream
					for e, err := range d.Read(d.ctx, s, eventstore.Last, eventstore.Backwards, 1) {
						if err == nil {
							last = e.Revision
						}
					}
					to = append(to, eventstore.Append{Stream: s, Expected: last, Events: events(1), Step: k})
				}
				done, err := d.Append(d.ctx, to...)
				var conflict *eventstore.ConflictError
				if errors.As(err, &conflict) && slices.Contains(d.features, Atomic) {
					continue
				}
				if errors.As(err, &conflict) {
					n++ // how much of it was written is not known here
					continue
				}
				if err != nil {
					d.Error(err)
					return
				}
				n++
				for k := range done {
					wrote[i][k]++
				}
			}
		})
		for k, s := range shared {
			sum := 0
			for i := range wrote {
				sum += wrote[i][k]
			}
			got, err := d.reads(s, 0, eventstore.Forwards, 0)
			if exact := slices.Contains(d.features, Atomic); err != nil || len(got) < sum || exact && len(got) != 80 {
				d.Errorf("%d events, acknowledged %d: %v", len(got), sum, err)
			}
		}
	}},
}

// appendsAll makes appends that must be accepted.
func (d *desk) appendsAll(to []eventstore.Append) []eventstore.Appended {
	d.Helper()
	got, err := d.Append(d.ctx, to...)
	if err != nil {
		d.Fatal(err)
	}
	return got
}

func (d *desk) refusesAll(want error, to ...eventstore.Append) {
	d.Helper()
	if _, err := d.Append(d.ctx, to...); !errors.Is(err, want) {
		d.Errorf("Append: %v, want %v", err, want)
	}
}

func (d *desk) refuses(stream string, expected eventstore.Revision, given []eventstore.Event, want error) {
	d.Helper()
	if _, err := eventstore.AppendTo(d.ctx, d, stream, expected, given); !errors.Is(err, want) {
		d.Errorf("Append: %v, want %v", err, want)
	}
}

func (d *desk) tooLarge(stream string, given []eventstore.Event, bytes int) {
	d.Helper()
	want := eventstore.TooLargeError{Bytes: bytes, Events: len(given), Limit: eventstore.MaxAppendSize}
	_, err := eventstore.AppendTo(d.ctx, d, stream, eventstore.NoStream, given)
	var got *eventstore.TooLargeError
	if !errors.As(err, &got) || *got != want {
		d.Errorf("Append: %v, want %v", err, &want)
	}
}

// together runs work n times at once and waits for all.
func together(n int, work func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			work(i)
		})
	}
	close(start)
	all.Wait()
}
