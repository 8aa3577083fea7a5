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
}

// heap returns how much memory is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
