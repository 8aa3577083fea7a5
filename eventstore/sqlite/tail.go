package sqlite

import (
	"context"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
)

// tailEvents is how many indexed events the tail keeps, at most; it keeps at least half as many. Tests change it.
var tailEvents = 16384

const tailBytes = 16 << 20

// A tail is the end of the log in memory, from which subscriptions near the end read. The writer never waits for them: a reader that
// falls behind the tail reads pages from the file until it catches up.
type tail struct {
	mu      sync.Mutex
	head    eventstore.Position
	reached time.Time             // no further event is recorded before it
	events  []eventstore.Recorded // the last ones up to head, without gaps; readers get copies
	bytes   int
	more    chan struct{} // closed and replaced when events come; closed at the end
	closed  bool

	// The events that the index lacks, by stream: those being indexed, up to a position, and later ones.
	handed, loose map[string][]eventstore.Position
	handedTo      eventstore.Position
	covered       eventstore.Position // up to which the index is complete; later events are kept
}

func newTail(head eventstore.Position, reached time.Time) *tail {
	return &tail{head: head, reached: reached, covered: head, loose: map[string][]eventstore.Position{}, more: make(chan struct{})}
}

func (t *tail) end(ctx context.Context) (head eventstore.Position, reached time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return 0, reached, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, reached, eventstore.ErrClosed
	}
	return t.head, t.reached, nil
}

// time returns the time at which an event is recorded now, given what the clock says.
func (t *tail) time(clock time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if clock = clock.UTC().Truncate(time.Microsecond); clock.Before(t.reached) {
		return t.reached
	}
	return clock
}

// settle is called when no further event may be recorded before a time.
func (t *tail) settle(reached time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reached = reached
}

// add adds committed events, which the index lacks so far.
func (t *tail) add(events []eventstore.Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		t.loose[e.Stream] = append(t.loose[e.Stream], e.Position)
	}
	t.bytes += size(events)
	t.events = append(t.events, events...)
	t.head, t.reached = events[len(events)-1].Position, events[len(events)-1].RecordedAt
	if len(t.events) > tailEvents || t.bytes > tailBytes {
		t.forget()
	}
	close(t.more)
	t.more = make(chan struct{})
}

// forget keeps the younger half, in memory of its own so that the older half can be freed. It does nothing until the older half is
// indexed.
func (t *tail) forget() {
	lacks := int(t.head - t.covered)
	if lacks > len(t.events)/2 {
		return
	}
	keep, kept := len(t.events), 0
	for keep > 0 && (len(t.events)-keep < lacks || len(t.events)-keep < tailEvents/2 && kept < tailBytes/2) {
		keep--
		kept += len(t.events[keep].Data) + len(t.events[keep].Meta)
	}
	t.events, t.bytes = append(make([]eventstore.Recorded, 0, cap(t.events)), t.events[keep:]...), kept
}

// handOver is called before the events that the index lacks are written to it.
func (t *tail) handOver() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed, t.handedTo, t.loose = t.loose, t.head, map[string][]eventstore.Position{}
}

// indexed is called afterwards.
func (t *tail) indexed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed, t.covered = nil, t.handedTo
}

// after returns the events after a position, which are shared and must be copied for a reader, or a channel that closes when it is
// worth asking again. near is false if the tail no longer has the next event.
func (t *tail) after(p eventstore.Position) (events []eventstore.Recorded, more <-chan struct{}, near bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	missing := uint64(t.head - p)
	switch {
	case missing == 0 && t.closed:
		return nil, nil, true, eventstore.ErrClosed
	case missing > uint64(len(t.events)):
		return nil, nil, false, nil
	}
	return t.events[uint64(len(t.events))-missing:], t.more, true, nil
}

// unindexed returns the events of a stream that the index lacks. They are shared and must be copied for a reader.
func (t *tail) unindexed(stream string) []eventstore.Recorded {
	t.mu.Lock()
	defer t.mu.Unlock()
	positions := slices.Concat(t.handed[stream], t.loose[stream])
	if len(positions) == 0 {
		return nil
	}
	first := t.head - eventstore.Position(len(t.events)) + 1
	found := make([]eventstore.Recorded, len(positions))
	for i, p := range positions {
		found[i] = t.events[p-first]
	}
	return found
}

// close wakes the subscriptions for the last time.
func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	close(t.more)
}

// clone copies events and their bytes, in two allocations.
func clone(events []eventstore.Recorded) []eventstore.Recorded {
	memory := make(arena, 0, size(events))
	events = slices.Clone(events)
	for i := range events {
		events[i].Data, events[i].Meta = memory.copy(events[i].Data), memory.copy(events[i].Meta)
	}
	return events
}

// begin returns the first events of some, up to about so many bytes.
func begin(events []eventstore.Recorded, bytes int) []eventstore.Recorded {
	for i, e := range events {
		if bytes -= e.Size(); bytes <= 0 {
			return events[:i+1]
		}
	}
	return events
}

// size counts the bytes of events, as the limits here do.
func size(events []eventstore.Recorded) (n int) {
	for _, e := range events {
		n += e.Size()
	}
	return n
}

// An arena is one allocation for the bytes of many events. Its capacity must be right from the start.
type arena []byte

func (a *arena) copy(b []byte) []byte {
	*a = append(*a, b...)
	return (*a)[len(*a)-len(b) : len(*a) : len(*a)]
}
