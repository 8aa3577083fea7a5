package storetest

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"daybook/eventstore"
)

var followCases = []testCase{
	{"C33 positions grow strictly, in the order of a stream's revisions", func(d *desk) {
		d.has(5)
		d.has(5)
		last, revisions := d.start, map[string]eventstore.Revision{}
		for _, e := range d.rest(d.start) {
			if e.Position <= last {
				d.Fatalf("position %d after %d", e.Position, last)
			}
			if slices.Contains(d.features, Dense) && e.Position != last+1 {
				d.Errorf("position %d follows %d", e.Position, last)
			}
			if e.Revision != revisions[e.Stream] {
				d.Errorf("%s: revision %d, want %d", e.Stream, e.Revision, revisions[e.Stream])
			}
			last = e.Position
			revisions[e.Stream]++
		}
	}},
	{"C34 16 writers, followers early, late and slow: each sees each event once, in order", func(d *desk) { d.race() }},
	{"C36 Read includes its starting point, Follow does not", func(d *desk) {
		stream, given := d.has(3)
		read, err := d.reads(stream, 1, eventstore.Forwards, 0)
		if err != nil {
			d.Fatalf("Read: %v", err)
		}
		d.same(read, given[1:], stream, 1, 1)
		d.same(d.rest(read[0].Position), given[2:], stream, 2, 1)
	}},
	{"C37 the head is the position of the last event", func(d *desk) {
		for i := range 5 {
			got := d.appends(d.stream(), eventstore.NoStream, events(i+1))
			head, err := d.Head(d.ctx)
			if err != nil {
				d.Fatalf("Head: %v", err)
			}
			if head < got.Position {
				d.Errorf("head %d after an append at %d", head, got.Position)
			}
			if slices.Contains(d.features, Dense) && head != got.Position {
				d.Errorf("head %d, want %d", head, got.Position)
			}
		}
	}},
	{"C38 following from the start gives all, then one empty batch, then what comes", func(d *desk) {
		stream, given := d.has(3)
		more := events(4)
		var got []eventstore.Recorded
		caughtUp := 0
		for batch, err := range d.Follow(d.ctx, eventstore.Start) {
			if err != nil {
				d.Fatalf("Follow: %v", err)
			}
			if len(batch) == 0 {
				if caughtUp++; caughtUp > 1 {
					d.Fatal("a second empty batch")
				}
				d.same(got, given, stream, 0, 1)
				d.appends(stream, 2, more[:2])
			}
			got = append(got, d.own(batch)...)
			switch len(got) {
			case 5:
				d.appends(stream, 4, more[2:])
			case 7:
				d.same(got, append(given, more...), stream, 0, 1)
				return
			}
		}
	}},
	{"C38 an empty batch comes even from an empty log", func(d *desk) {
		head, err := d.Head(d.ctx)
		if err != nil {
			d.Fatalf("Head: %v", err)
		}
		if got := d.rest(head); len(got) != 0 {
			d.Errorf("followed %d events", len(got))
		}
	}},
	{"C39 following from a position gives exactly the rest", func(d *desk) {
		stream, given := d.has(7)
		for i, e := range d.rest(d.start) {
			d.same(d.rest(e.Position), given[i+1:], stream, eventstore.Revision(i+1), 1)
		}
	}},
	{"C40 following after the first event leaves it out", func(d *desk) {
		stream, given := d.has(2)
		first := d.rest(d.start)[0]
		d.same(d.rest(first.Position), given[1:], stream, 1, 1)
	}},
	{"C42 a slow follower gets everything, and delays nobody", func(d *desk) {
		stream, given := d.stream(), events(2*eventstore.MaxAppendEvents)
		d.appends(stream, eventstore.NoStream, given[:1])
		var got []eventstore.Recorded
		for batch, err := range d.Follow(d.ctx, d.start) {
			if err != nil {
				d.Fatalf("Follow: %v", err)
			}
			// The rest is written while this follower holds its first batch.
			if len(got) == 0 {
				for from := 1; from < len(given); from += eventstore.MaxAppendEvents {
					d.appends(stream, eventstore.Revision(from)-1, given[from:min(from+eventstore.MaxAppendEvents, len(given))])
				}
			}
			if got = append(got, d.own(batch)...); len(got) >= len(given) {
				break
			}
		}
		d.same(got, given, stream, 0, 1)
	}},
	{"C42 a batch is the follower's own", func(d *desk) {
		stream, given := d.has(2)
		for range 2 {
			got := d.rest(d.start)
			d.same(got, given, stream, 0, 1)
			for i := range got {
				clear(got[i].Data)
				clear(got[i].Meta)
			}
			clear(got)
		}
	}},
	{"C46 following anew from every position seen loses nothing", func(d *desk) {
		one, two := d.stream(), d.stream()
		for i := range 20 {
			d.appends(one, eventstore.Revision(i)-1, events(1))
			d.appends(two, eventstore.Revision(2*i)-1, events(2))
		}
		all := d.rest(d.start)
		for i := range all {
			d.sameIDs("a new follower", ids(all[i+1:]), ids(d.rest(all[i].Position)))
		}
	}},
	{"C47 a position ahead of the log is refused", func(d *desk) {
		head, err := d.Head(d.ctx)
		if err != nil {
			d.Fatalf("Head: %v", err)
		}
		for _, after := range []eventstore.Position{head + 1<<40, 1<<63 - 1} {
			var last error
			for batch, err := range d.Follow(d.ctx, after) {
				if last = err; err == nil {
					d.Fatalf("Follow after %d yielded %d events", after, len(batch))
				}
			}
			if !errors.Is(last, eventstore.ErrAhead) {
				d.Errorf("Follow after %d: %v", after, last)
			}
		}
	}},
	{"C48 a log has an identity, so that a position in another is noticed", func(d *desk) {
		id := d.ID()
		d.has(1)
		if id == uuid.Nil || d.ID() != id {
			d.Errorf("ID %v, then %v", id, d.ID())
		}
	}},
	{"C49 unknown types pass through", func(d *desk) {
		stream, given := d.stream(), events(3)
		given[0].Type, given[1].Type, given[2].Type = "$metadata", "$>", " "
		d.appends(stream, eventstore.NoStream, given)
		d.holds(stream, given)
		d.same(d.rest(d.start), given, stream, 0, 1)
	}},
	{"C50 a reader that panics harms no other", func(d *desk) {
		stream, given := d.has(3)
		panics := func(read func()) {
			defer func() {
				if recover() == nil {
					d.Error("the panic was swallowed")
				}
			}()
			read()
		}
		for range 20 {
			panics(func() {
				for range d.Read(d.ctx, stream, 0, eventstore.Forwards, 0) {
					panic("reading")
				}
			})
			panics(func() {
				for range d.Follow(d.ctx, d.start) {
					panic("following")
				}
			})
		}
		more := events(1)
		d.appends(stream, 2, more)
		d.holds(stream, append(given, more...))
	}},
	{"C50 closing ends followers, waits for appends and refuses more", func(d *desk) {
		stream, given := d.stream(), events(1)
		waiting := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			var last error
			for batch, err := range d.Follow(d.ctx, d.start) {
				if last = err; err == nil && len(batch) == 0 {
					close(waiting)
				}
			}
			ended <- last
		}()
		<-waiting
		d.appends(stream, eventstore.NoStream, given)
		if err := d.Close(); err != nil {
			d.Errorf("Close: %v", err)
		}
		if err := <-ended; !errors.Is(err, eventstore.ErrClosed) {
			d.Errorf("the follower ended with %v", err)
		}
		if _, err := eventstore.AppendTo(d.ctx, d, stream, 0, events(1)); !errors.Is(err, eventstore.ErrClosed) {
			d.Errorf("Append: %v", err)
		}
		if _, err := d.reads(stream, 0, eventstore.Forwards, 0); !errors.Is(err, eventstore.ErrClosed) {
			d.Errorf("Read: %v", err)
		}
		if _, err := d.Head(d.ctx); !errors.Is(err, eventstore.ErrClosed) {
			d.Errorf("Head: %v", err)
		}
		for _, err := range d.Follow(d.ctx, d.start) {
			if !errors.Is(err, eventstore.ErrClosed) {
				d.Errorf("Follow: %v", err)
			}
		}
	}},
}

// race runs writers and followers at the same time. Every follower must see exactly what was acknowledged, in the order of the
// acknowledged positions.
func (d *desk) race() {
	const writers, appends, size = 16, 60, 8
	streams := make([]string, writers)
	for i := range streams {
		streams[i] = d.stream()
	}
	type acknowledged struct {
		eventstore.Appended
		events []eventstore.Event
	}
	results := make([][]acknowledged, writers)

	now, half, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
	close(now)
	followers := []struct {
		name   string
		begins <-chan struct{}
		pauses <-chan struct{} // until this closes, it holds its first events
		seen   []eventstore.Recorded
	}{
		{name: "early", begins: now, pauses: now},
		{name: "second early", begins: now, pauses: now},
		{name: "slow", begins: now, pauses: all},
		{name: "late", begins: half, pauses: now},
		{name: "last", begins: all, pauses: now},
	}
	var following, writing, halfway sync.WaitGroup
	for i := range followers {
		f := &followers[i]
		following.Go(func() {
			<-f.begins
			for batch, err := range d.Follow(d.ctx, d.start) {
				if err != nil {
					d.Errorf("the %s follower: %v", f.name, err)
					return
				}
				if f.seen = append(f.seen, d.own(batch)...); len(f.seen) > 0 {
					<-f.pauses
				}
				if len(f.seen) >= writers*appends*size {
					return
				}
			}
		})
	}
	halfway.Add(writers)
	for w, stream := range streams {
		writing.Go(func() {
			for n := range appends {
				if n == appends/2 {
					halfway.Done()
				}
				given := events(size)
				got, err := eventstore.AppendTo(d.ctx, d, stream, eventstore.Revision(n*size)-1, given)
				if err != nil {
					d.Errorf("Append: %v", err)
				}
				results[w] = append(results[w], acknowledged{got, given})
			}
		})
	}
	halfway.Wait()
	close(half)
	writing.Wait()
	close(all)
	following.Wait()

	inOrder := slices.Concat(results...)
	slices.SortFunc(inOrder, func(a, b acknowledged) int { return cmp.Compare(a.Position, b.Position) })
	var want []uuid.UUID
	for _, a := range inOrder {
		for _, e := range a.events {
			want = append(want, e.ID)
		}
	}
	for _, f := range followers {
		d.sameIDs("the "+f.name+" follower", want, ids(f.seen))
	}
	if more := d.rest(inOrder[len(inOrder)-1].Position); len(more) > 0 {
		d.Errorf("%d events come after the last acknowledged", len(more))
	}
	for w, stream := range streams {
		var given []eventstore.Event
		for _, a := range results[w] {
			given = append(given, a.events...)
		}
		d.holds(stream, given)
	}
}
