package storetest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
)

var readCases = []testCase{
	{"C22 a stream that is not there is ErrNotFound", func(d *desk) {
		for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
			for _, from := range []eventstore.Revision{0, 7, eventstore.Last} {
				got, err := d.reads(d.stream(), from, way, 1)
				if !errors.Is(err, eventstore.ErrNotFound) || len(got) != 0 {
					d.Errorf("Read from %d: %v, %v", from, got, err)
				}
			}
		}
	}},
	{"C23 reading from a revision includes it", func(d *desk) {
		stream, given := d.has(5)
		for from := range given {
			got, err := d.reads(stream, eventstore.Revision(from), eventstore.Forwards, 0)
			if err != nil {
				d.Fatalf("Read: %v", err)
			}
			d.same(got, given[from:], stream, eventstore.Revision(from), 1)
		}
		if got, err := d.reads(stream, 5, eventstore.Forwards, 0); err != nil || len(got) != 0 {
			d.Errorf("Read beyond the end: %v, %v", got, err)
		}
		got, err := d.reads(stream, eventstore.Last, eventstore.Forwards, 0)
		if err != nil {
			d.Fatalf("Read the last: %v", err)
		}
		d.same(got, given[4:], stream, 4, 1)
	}},
	{"C24 backwards begins at the end, or at a revision, that one included", func(d *desk) {
		stream, given := d.has(5)
		back := slices.Clone(given)
		slices.Reverse(back)
		for from, skipped := range map[eventstore.Revision]int{eventstore.Last: 0, 100: 0, 5: 0, 4: 0, 3: 1, 0: 4} {
			got, err := d.reads(stream, from, eventstore.Backwards, 0)
			if err != nil {
				d.Fatalf("Read: %v", err)
			}
			d.same(got, back[skipped:], stream, 4-eventstore.Revision(skipped), -1)
		}
	}},
	{"C25 a limit is kept", func(d *desk) {
		stream, given := d.has(5)
		back := slices.Clone(given)
		slices.Reverse(back)
		for limit := 1; limit < 8; limit++ {
			got, err := d.reads(stream, 0, eventstore.Forwards, limit)
			if err != nil {
				d.Fatalf("Read: %v", err)
			}
			d.same(got, given[:min(limit, 5)], stream, 0, 1)
			got, err = d.reads(stream, eventstore.Last, eventstore.Backwards, limit)
			if err != nil {
				d.Fatalf("Read: %v", err)
			}
			d.same(got, back[:min(limit, 5)], stream, 4, -1)
		}
	}},
	{"C29 a stream of 10 000 events is read in bounded memory", func(d *desk) {
		const count, size, bound = 10_000, 4 << 10, 16 << 20
		stream := d.stream()
		for from := 0; from < count; from += 100 {
			batch := events(100)
			for i := range batch {
				batch[i].Data = make([]byte, size)
			}
			d.appends(stream, eventstore.Revision(from)-1, batch)
		}
		for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
			from, read := eventstore.Revision(0), 0
			if way == eventstore.Backwards {
				from = eventstore.Last
			}
			before := heap()
			for e, err := range d.Read(d.ctx, stream, from, way, 0) {
				if err != nil {
					d.Fatalf("Read: %v", err)
				}
				want := eventstore.Revision(read)
				if way == eventstore.Backwards {
					want = count - 1 - want
				}
				if e.Revision != want || len(e.Data) != size {
					d.Fatalf("event %d has revision %d and %d bytes", read, e.Revision, len(e.Data))
				}
				if read++; read%2500 == 0 {
					if now := heap(); now > before+bound {
						d.Errorf("%d events of %d bytes read, and %d MiB more in use", read, size, (now-before)>>20)
					}
				}
			}
			if read != count {
				d.Errorf("read %d events", read)
			}
		}
	}},
	{"C30 a reader whose context ends returns its error at once", func(d *desk) {
		stream, _ := d.has(10)
		ctx, cancel := context.WithCancel(d.ctx)
		defer cancel()
		read := 0
		var last error
		for _, err := range d.Read(ctx, stream, 0, eventstore.Forwards, 0) {
			if last = err; err != nil {
				continue
			}
			if read++; read == 3 {
				cancel()
			}
		}
		if read != 3 || !errors.Is(last, context.Canceled) {
			d.Errorf("read %d events, then %v", read, last)
		}
		if _, err := eventstore.AppendTo(ctx, d, stream, 9, events(1)); !errors.Is(err, context.Canceled) {
			d.Errorf("Append: %v", err)
		}
		if _, err := d.Head(ctx); !errors.Is(err, context.Canceled) {
			d.Errorf("Head: %v", err)
		}
		last = nil
		for batch, err := range d.Follow(ctx, d.start) {
			if last = err; err == nil {
				d.Errorf("Follow yielded %d events", len(batch))
			}
		}
		if !errors.Is(last, context.Canceled) {
			d.Errorf("Follow: %v", last)
		}
	}},
	{"C30 a reader may stop in the middle", func(d *desk) {
		stream, given := d.has(10)
		for range d.Read(d.ctx, stream, 0, eventstore.Forwards, 0) {
			break
		}
		for range d.Follow(d.ctx, d.start) {
			break
		}
		d.holds(stream, given)
	}},
	{"C31 a deadline that has passed is reported as such", func(d *desk) {
		stream, _ := d.has(1)
		ctx, cancel := context.WithDeadline(d.ctx, time.Unix(0, 0))
		defer cancel()
		if _, err := eventstore.AppendTo(ctx, d, stream, 0, events(1)); !errors.Is(err, context.DeadlineExceeded) {
			d.Errorf("Append: %v", err)
		}
		for _, err := range d.Read(ctx, stream, 0, eventstore.Forwards, 0) {
			if !errors.Is(err, context.DeadlineExceeded) {
				d.Errorf("Read: %v", err)
			}
		}
		for _, err := range d.Follow(ctx, d.start) {
			if !errors.Is(err, context.DeadlineExceeded) {
				d.Errorf("Follow: %v", err)
			}
		}
	}},
	{"C32 ids, types, data and metadata survive byte for byte", func(d *desk) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		given := []eventstore.Event{
			{ID: uuid.New(), Type: "binary", Data: all, Meta: all},
			{ID: uuid.New(), Type: "nothing"},
			{ID: uuid.New(), Type: "empty", Data: []byte{}, Meta: []byte{}},
			{ID: uuid.New(), Type: "nul", Data: []byte("a\x00b\x00"), Meta: []byte{0}},
			{ID: uuid.New(), Type: "not UTF-8", Data: []byte("\xff\xfe\xc0\x80"), Meta: []byte("\xed\xa0\x80")},
			{ID: uuid.New(), Type: "größer-als-今日-🗒", Data: []byte("今日"), Meta: []byte(`{"a":"ü"}`)},
			{ID: uuid.UUID{0: 1}, Type: "no version", Data: []byte("x")},
			{ID: uuid.Max, Type: "max", Data: []byte("x")},
			{ID: uuid.New(), Type: "json", Data: []byte(`{ "b" : 1.0, "a":2 , "a":3}`)},
		}
		stream := d.stream() + "-größer 今日/%20?#'\""
		before := time.Now().Add(-time.Hour)
		d.appends(stream, eventstore.NoStream, given)
		d.holds(stream, given)
		followed := d.rest(d.start)
		d.same(followed, given, stream, 0, 1)
		read, err := d.reads(stream, 0, eventstore.Forwards, 0)
		if err != nil {
			d.Fatalf("Read: %v", err)
		}
		for i, e := range read {
			at := e.RecordedAt
			if at.Location() != time.UTC || at.Truncate(time.Microsecond) != at || at.Before(before) {
				d.Errorf("recorded at %v", at)
			}
			if e.Position != followed[i].Position || !at.Equal(followed[i].RecordedAt) {
				d.Errorf("read at %d, %v, followed at %d, %v", e.Position, at, followed[i].Position, followed[i].RecordedAt)
			}
		}
	}},
	{"C64 the ends of several streams are read at once", func(d *desk) {
		long, longHas := d.has(eventstore.TailEvents + 20)
		short, shortHas := d.has(3)
		none := d.stream()
		known := func(stream string, events []eventstore.Event, at int) eventstore.Known {
			if at < 0 {
				return eventstore.Known{Stream: stream, Revision: eventstore.NoStream}
			}
			return eventstore.Known{Stream: stream, Revision: eventstore.Revision(at), ID: events[at].ID}
		}
		ask := []eventstore.Known{known(none, nil, -1)}
		for at := -1; at < len(shortHas); at++ {
			ask = append(ask, known(short, shortHas, at))
		}
		for _, at := range []int{-1, 0, 10, 19, 20, 30, len(longHas) - 2, len(longHas) - 1} {
			ask = append(ask, known(long, longHas, at))
		}
		got, err := d.Tails(d.ctx, ask...)
		if err != nil || len(got) != len(ask) {
			d.Fatalf("%d tails, %v", len(got), err)
		}
		if !errors.Is(got[0].Err, eventstore.ErrNotFound) || len(got[0].Events) > 0 {
			d.Errorf("of a stream that does not exist: %+v", got[0])
		}
		for i, k := range ask[1:] {
			t, has := got[i+1], longHas
			if k.Stream == short {
				has = shortHas
			}
			rest := has[k.Revision+1:]
			if n := min(len(rest), eventstore.TailEvents); t.Err != nil || len(t.Events) != n || n < len(rest) && !t.More {
				d.Fatalf("after %d of %d: %d events, more %v, %v", k.Revision, len(has), len(t.Events), t.More, t.Err)
			}
			d.same(t.Events, rest[:len(t.Events)], k.Stream, k.Revision+1, 1)
		}
		if got, err := d.Tails(d.ctx); err != nil || len(got) != 0 {
			d.Errorf("of no streams: %v, %v", got, err)
		}
	}},
	{"C65 a stream that lacks the known event tells so", func(d *desk) {
		stream, has := d.has(2)
		for _, k := range []eventstore.Known{{Stream: stream, Revision: 2, ID: uuid.New()}, {Stream: stream, Revision: 7, ID: has[1].ID}, {Stream: d.stream(), Revision: 0, ID: has[0].ID}} {
			got, err := d.Tails(d.ctx, eventstore.Known{Stream: stream, Revision: 0, ID: has[0].ID}, k)
			if err != nil || got[0].Err != nil || len(got[0].Events) != 1 || !errors.Is(got[1].Err, eventstore.ErrGone) && !errors.Is(got[1].Err, eventstore.ErrNotFound) {
				d.Errorf("%+v, %v", got, err)
			}
		}
		if slices.Contains(d.features, Shared) {
			got, err := d.Tails(d.ctx, eventstore.Known{Stream: stream, Revision: 1, ID: uuid.New()})
			if err != nil || !errors.Is(got[0].Err, eventstore.ErrGone) {
				d.Errorf("another event was known: %+v, %v", got, err)
			}
		}
	}},
	{"C66 what was acknowledged is at the ends of streams", func(d *desk) {
		streams := []string{d.stream(), d.stream(), d.stream()}
		together(len(streams)*2, func(i int) {
			if i >= len(streams) {
				for range 20 {
					if _, err := d.Tails(d.ctx, eventstore.Known{Stream: streams[i%3], Revision: eventstore.NoStream}); err != nil {
						d.Error(err)
					}
				}
				return
			}
			last := eventstore.Known{Stream: streams[i], Revision: eventstore.NoStream}
			for range 20 {
				given := events(1)
				before := last
				if _, err := eventstore.AppendTo(d.ctx, d, last.Stream, last.Revision, given); err != nil {
					d.Error(err)
					return
				}
				last.Revision, last.ID = last.Revision+1, given[0].ID
				got, err := d.Tails(d.ctx, before, last)
				if err != nil || got[0].Err != nil || got[1].Err != nil || len(got[0].Events) != 1 || got[0].Events[0].ID != last.ID || len(got[1].Events) != 0 {
					d.Errorf("after revision %d: %+v, %v", last.Revision, got, err)
					return
				}
			}
		})
		ctx, cancel := context.WithCancel(d.ctx)
		cancel()
		if _, err := d.Tails(ctx, eventstore.Known{Stream: streams[0], Revision: eventstore.NoStream}); !errors.Is(err, context.Canceled) {
			d.Errorf("with a context that has ended: %v", err)
		}
	}},
}

// heap returns how much memory is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
