package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
)

// knownStreams is of how many streams, at least, it is remembered where they stand.
const knownStreams = 1 << 16

// A request is an append that waits for the writer. Its events are its own.
type request struct {
	stream   string
	expected eventstore.Revision
	events   []eventstore.Event
	size     int
	answer   chan answer // has room for the one answer, so that the writer never waits for a caller who has left
}

type answer struct {
	appended eventstore.Appended
	err      error
}

// Append implements eventstore.Store.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.Check(stream, events); err != nil {
		return eventstore.Appended{}, err
	}
	if s.requests == nil {
		return eventstore.Appended{}, ErrReadOnly
	}
	r := &request{stream: stream, expected: expected, answer: make(chan answer, 1)}
	r.events, r.size = own(events)
	if err := s.accept(ctx, r); err != nil {
		return eventstore.Appended{}, err
	}
	select {
	case a := <-r.answer:
		return a.appended, a.err
	case <-ctx.Done():
		return eventstore.Appended{}, ctx.Err()
	}
}

// accept puts a request in the queue.
func (s *Store) accept(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.accepting.RLock()
	defer s.accepting.RUnlock()
	if s.closing {
		return eventstore.ErrClosed
	}
	select {
	case s.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// own copies events, since a caller who left early may use his memory again before the writer comes to it.
func own(events []eventstore.Event) ([]eventstore.Event, int) {
	size := 0
	for _, e := range events {
		size += e.Size()
	}
	memory := make(arena, 0, size)
	events = slices.Clone(events)
	for i := range events {
		events[i].Data, events[i].Meta = memory.copy(events[i].Data), memory.copy(events[i].Meta)
	}
	return events, size
}

// A place is where a stream stands.
type place struct {
	id       int64
	revision eventstore.Revision
}

// places remembers where streams stand, as they were committed: for the writer, and so that readers need not ask for what
// is not there.
type places struct {
	mu    sync.Mutex
	known *recent[string, place]
}

func newPlaces() *places { return &places{known: newRecent[string, place](knownStreams)} }

// find may be called of nothing, which knows nothing.
func (p *places) find(stream string) (place, bool) {
	if p == nil {
		return place{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.get(stream)
}

func (p *places) put(changed map[string]place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for stream, at := range changed {
		p.known.put(stream, at)
	}
}

func (p *places) forget(batch []*request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range batch {
		p.known.forget(r.stream)
	}
}

// A writer is what the writing goroutine alone knows.
type writer struct {
	*Store
	head    eventstore.Position
	indexer indexer
	spare   []*pack // to be used again

	// Of the batch at hand:
	conn    *conn
	now     time.Time
	written []eventstore.Recorded
	packs   []*pack          // written, as rows of the log
	places  map[string]place // of the streams that it touches, as its transaction sees them
	founded []string         // streams whose first event is in written
	answers []answer
}

// write is the writing goroutine. It ends when the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	w := &writer{Store: s, head: s.tail.head, indexer: newIndexer(s), places: map[string]place{}}
	var batch []*request
	for r := range s.requests {
		// The callers that the last commit woke get to run and queue up first. A timer instead would only cost time.
		runtime.Gosched()
		batch = s.drain(append(batch[:0], r))
		w.carryOut(batch)
		clear(batch)
	}
	w.indexer.leave()
}

// drain adds what is waiting, as far as one commit may take it.
func (s *Store) drain(batch []*request) []*request {
	for size := batch[0].size; len(batch) < s.maxBatch && size < eventstore.MaxAppendSize; {
		select {
		case r, ok := <-s.requests:
			if !ok {
				return batch
			}
			batch = append(batch, r)
			size += r.size
		default:
			return batch
		}
	}
	return batch
}

// carryOut writes a batch in one transaction, hands the events to the followers and answers the callers. If the
// transaction fails, it fails for all of them, and nothing is left of it here.
func (w *writer) carryOut(batch []*request) {
	w.now = time.Now().UTC().Truncate(time.Microsecond)
	err := w.indexer.keepUp()
	before := len(w.indexer.loose)
	if err == nil {
		err = w.transact(batch)
	}
	if err != nil {
		err = fmt.Errorf("append to the event log: %w", explain(err))
		w.indexer.loose = w.indexer.loose[:before]
		w.known.forget(batch)
		for _, r := range batch {
			r.answer <- answer{err: err}
		}
	} else {
		w.head += eventstore.Position(len(w.written))
		w.indexer.bytes += size(w.written)
		if len(w.written) > 0 {
			w.tail.add(w.written)
		}
		w.known.put(w.places)
		for i, r := range batch {
			r.answer <- w.answers[i]
		}
	}
	for _, p := range w.packs {
		if cap(p.bodies) <= 2*packBytes { // else it held a large event, and is not kept
			p.clear()
			w.spare = append(w.spare, p)
		}
	}
	clear(w.places)
	clear(w.written)
	clear(w.answers)
	w.written, w.packs, w.founded, w.answers = w.written[:0], w.packs[:0], w.founded[:0], w.answers[:0]
}

// transact judges the requests in order, each seeing what those before it write, and writes what was accepted.
func (w *writer) transact(batch []*request) error {
	c, err := w.writing.get(context.Background())
	if err != nil {
		return err
	}
	defer w.writing.put(c)
	w.conn = c
	for _, r := range batch {
		a, err := w.judge(r)
		if err != nil {
			return err
		}
		w.answers = append(w.answers, a)
	}
	if len(w.packs) == 0 {
		return nil
	}
	if len(w.packs) == 1 && len(w.founded) == 0 {
		return w.insert() // one statement is a transaction by itself
	}
	return c.atomically(func() error {
		for _, stream := range w.founded {
			if _, err := c.stream.exec(w.places[stream].id, stream); err != nil {
				return err
			}
		}
		return w.insert()
	})
}

// insert adds the packs to the log.
func (w *writer) insert() error {
	last := int64(w.head)
	for _, p := range w.packs {
		last += int64(p.events)
		if _, err := w.conn.pack.exec(last, w.now.UnixMicro(), p.heads, p.bodies); err != nil {
			return err
		}
	}
	return nil
}

// judge adds a request's events to what the batch writes, or refuses them. An error is the batch's; the request's own is
// in the answer.
func (w *writer) judge(r *request) (answer, error) {
	p, err := w.find(r.stream)
	if err != nil {
		return answer{}, err
	}
	if p.revision != r.expected {
		return w.repeated(r, p)
	}
	position := w.head + eventstore.Position(len(w.written))
	if p.id == 0 {
		p.id = int64(position) + 1
		w.founded = append(w.founded, r.stream)
	}
	for i := range r.events {
		e := &r.events[i]
		p.revision++
		position++
		w.written = append(w.written, eventstore.Recorded{
			ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta,
			Stream: r.stream, Revision: p.revision, Position: position, RecordedAt: w.now,
		})
		w.pack(e).add(p.id, p.revision, e)
		w.indexer.loose = append(w.indexer.loose, entry{p.id, p.revision, position})
	}
	w.places[r.stream] = p
	return answer{appended: eventstore.Appended{Revision: p.revision, Position: position}}, nil
}

// pack returns the pack that an event goes to.
func (w *writer) pack(e *eventstore.Event) *pack {
	if n := len(w.packs); n > 0 && w.packs[n-1].fits(e) {
		return w.packs[n-1]
	}
	p := new(pack)
	if n := len(w.spare); n > 0 {
		p, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	w.packs = append(w.packs, p)
	return p
}

// find says where a stream stands. In a file there is no round trip to save, so those that are not known are looked up
// one by one. A stream that is not there yet has no id.
func (w *writer) find(stream string) (place, error) {
	if p, ok := w.places[stream]; ok {
		return p, nil
	}
	if p, ok := w.known.find(stream); ok {
		return p, nil
	}
	p := place{revision: eventstore.NoStream}
	err := w.conn.findStream.each(func(row []driver.Value) bool {
		p.id = row[0].(int64)
		if last, ok := row[1].(int64); ok {
			p.revision = eventstore.Revision(last)
		}
		return false
	}, stream)
	if err != nil {
		return place{}, err
	}
	if loose := w.tail.unindexed(stream); len(loose) > 0 {
		p.revision = loose[len(loose)-1].Revision
	}
	if p.id != 0 {
		w.places[stream] = p
	}
	return p, nil
}

// repeated tells the retry of an append that succeeded from a conflict, by the ids of what follows the expected revision.
func (w *writer) repeated(r *request, p place) (answer, error) {
	conflict := answer{err: &eventstore.ConflictError{Stream: r.stream, Expected: r.expected, Actual: p.revision}}
	n := eventstore.Revision(len(r.events))
	if r.expected < eventstore.NoStream || r.expected > p.revision-n {
		return conflict, nil
	}
	// The events are in the index, or committed and not in it yet, or written by this batch.
	before := pageOf(r.stream, p.id, r.expected+1, eventstore.Forwards, len(r.events))
	before.whole = true
	if err := before.read(w.conn.forwards, p.id, int64(r.expected+1), int64(n)); err != nil {
		return answer{}, err
	}
	found := slices.Concat(before.events, w.tail.unindexed(r.stream), w.written)
	var position eventstore.Position
	for i, e := range r.events {
		revision := r.expected + 1 + eventstore.Revision(i)
		at := slices.IndexFunc(found, func(f eventstore.Recorded) bool { return f.Revision == revision && f.Stream == r.stream })
		if at < 0 || found[at].ID != e.ID {
			return conflict, nil
		}
		position = found[at].Position
	}
	return answer{appended: eventstore.Appended{Revision: r.expected + n, Position: position}}, nil
}
