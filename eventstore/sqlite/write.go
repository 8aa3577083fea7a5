package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/commit"
	"daybook/internal/recent"
)

// knownStreams is how many streams' places are remembered, at least.
const knownStreams = 1 << 14

// Append implements eventstore.Store.
func (s *Store) Append(ctx context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	if s.queue == nil {
		return nil, cmp.Or(eventstore.Check(to), ErrReadOnly)
	}
	return s.queue.Append(ctx, to)
}

// A place is a stream's number and last revision.
type place struct {
	id       int64
	revision eventstore.Revision
}

// places remembers the committed places of streams: for the writer, and so that readers need not query for what does not exist.
type places struct {
	mu    sync.Mutex
	known *recent.Map[string, place]
}

func newPlaces() *places { return &places{known: recent.New[string, place](knownStreams)} }

// find returns a stream's place if it is known. A nil *places knows none.
func (p *places) find(stream string) (place, bool) {
	if p == nil {
		return place{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.Get(stream)
}

func (p *places) put(changed map[string]place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for stream, at := range changed {
		if at.id != 0 {
			p.known.Put(stream, at)
		}
	}
}

func (p *places) forget(batch []*commit.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range batch {
		for _, a := range r.Appends {
			p.known.Forget(a.Stream)
		}
	}
}

// A writer is the state of the goroutine that writes.
type writer struct {
	*Store
	head    eventstore.Position
	indexer indexer
	spare   []*pack // to be reused

	// Of the current batch:
	conn    *conn
	at      time.Time // at which its events are recorded
	written []eventstore.Recorded
	packs   []*pack          // written, as rows of the log
	places  map[string]place // of its streams, as its transaction sees them
	refused []error          // of each request
}

// write runs the writer. It ends when the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	w := &writer{Store: s, head: s.tail.head, indexer: newIndexer(s), places: map[string]place{}}
	s.queue.Batches(w.carryOut)
	w.indexer.leave()
}

// carryOut writes a batch in one transaction and answers the callers. If the transaction fails, it
// fails for all of them, and no trace of it is left here.
func (w *writer) carryOut(batch []*commit.Request) {
	err := w.proved(func() error {
		if err := w.indexer.keepUp(); err != nil {
			return err
		}
		before := len(w.indexer.loose)
		err := w.transact(batch)
		if err != nil {
			w.indexer.loose = w.indexer.loose[:before]
			w.known.forget(batch)
			w.clear()
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("appending to the event log: %w", explain(err))
		for _, r := range batch {
			r.Answer(err)
		}
	} else {
		w.indexer.bytes += size(w.written)
		for i, r := range batch {
			r.Answer(w.refused[i])
		}
	}
	w.clear()
}

// clear forgets the current batch.
func (w *writer) clear() {
	for _, p := range w.packs {
		if cap(p.bodies) <= 2*packBytes { // otherwise it held a large event, and is not kept
			p.clear()
			w.spare = append(w.spare, p)
		}
	}
	clear(w.places)
	clear(w.written)
	clear(w.refused)
	w.written, w.packs, w.refused = w.written[:0], w.packs[:0], w.refused[:0]
}

// transact checks the requests in order, each seeing what those before it write, writes what was accepted, and hands it to
// subscriptions. All of this is done with the writer's connection, so that whoever else has it knows that nothing is under way.
func (w *writer) transact(batch []*commit.Request) error {
	c, err := w.writing.get(context.Background())
	if err != nil {
		return err
	}
	defer w.writing.put(c)
	w.conn, w.at = c, w.tail.time(w.now())
	for _, r := range batch {
		refused, err := r.Judge(w)
		if err != nil {
			return err
		}
		w.refused = append(w.refused, refused)
	}
	if len(w.packs) > 0 {
		if err := w.commit(); err != nil {
			return err
		}
	}
	w.known.put(w.places) // before anybody can see the events, and ask for them
	if len(w.packs) > 0 {
		w.head += eventstore.Position(len(w.written))
		w.tail.add(w.written)
	}
	return nil
}

// commit writes the batch.
func (w *writer) commit() error {
	if len(w.packs) == 1 {
		return w.insert() // one statement is a transaction by itself
	}
	return w.conn.atomically(w.insert)
}

// insert adds the packs to the log, after the last one.
func (w *writer) insert() error {
	before, at := int64(w.head), w.at.UnixMicro()
	for _, p := range w.packs {
		last := before + int64(p.events)
		done, err := w.conn.pack.exec(last, at, p.heads, p.bodies, w.conn.checksum([]int64{last, at}, p.heads, p.bodies), before)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, error(&eventstore.DamageError{
				Position: eventstore.Position(before), What: "it does not end there any more, since another process wrote to it or its end is gone. Stop both processes, and run daybook verify. If the log is whole, start one of them. If not",
			}))
		}
		before = last
	}
	return nil
}

// Before tells what became of an append before: nothing, if the stream is at the expected revision.
func (w *writer) Before(a eventstore.Append) (eventstore.Appended, error) {
	p, err := w.find(a.Stream)
	if err != nil || p.revision == a.Expected {
		return eventstore.Appended{}, err
	}
	return w.repeated(a, p)
}

// Add adds an append to the batch. Its stream was found before.
func (w *writer) Add(a eventstore.Append) eventstore.Appended {
	p := w.places[a.Stream]
	position := w.head + eventstore.Position(len(w.written))
	if p.id == 0 {
		p.id = int64(position) + 1
	}
	for i := range a.Events {
		e := &a.Events[i]
		p.revision++
		position++
		w.written = append(w.written, eventstore.Recorded{
			ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta,
			Stream: a.Stream, Revision: p.revision, Position: position, RecordedAt: w.at,
		})
		name := ""
		if p.revision == 0 {
			name = a.Stream
		}
		w.pack(e).add(p.id, p.revision, e, name)
		w.indexer.loose = append(w.indexer.loose, entry{p.id, p.revision, position, e.ID, name})
	}
	w.places[a.Stream] = p
	return eventstore.Appended{Revision: p.revision, Position: position, New: true}
}

// pack returns the pack to which an event is added.
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

// find returns a stream's place. In a file there is no round trip to save, so unknown ones are looked up one by one. A stream that
// does not exist yet has number 0.
func (w *writer) find(stream string) (place, error) {
	if p, ok := w.places[stream]; ok {
		return p, nil
	}
	p, ok := w.known.find(stream)
	if !ok {
		var err error
		if p, err = w.conn.find(stream); err != nil {
			return place{}, err
		}
		if loose := w.tail.unindexed(stream); len(loose) > 0 {
			p.revision = loose[len(loose)-1].Revision
			if p.id == 0 {
				p.id = int64(loose[0].Position)
			}
		}
	}
	w.places[stream] = p
	return p, nil
}

// repeated tells the retry of an append that succeeded from a conflict, by the ids of the events after the expected revision.
func (w *writer) repeated(a eventstore.Append, p place) (eventstore.Appended, error) {
	conflict := &eventstore.ConflictError{Stream: a.Stream, Expected: a.Expected, Actual: p.revision}
	n := eventstore.Revision(len(a.Events))
	if a.Expected < eventstore.NoStream || a.Expected > p.revision-n {
		return eventstore.Appended{}, conflict
	}
	// The events are indexed, or committed and not yet indexed, or written by this batch.
	before := w.conn.pageOf(a.Stream, p.id, a.Expected+1, eventstore.Forwards, len(a.Events))
	before.bytes = math.MaxInt
	if err := before.read(w.conn.forwards, p.id, int64(a.Expected+1), int64(n)); err != nil {
		return eventstore.Appended{}, err
	}
	found := slices.Concat(before.events, w.tail.unindexed(a.Stream), w.written)
	var position eventstore.Position
	for i, e := range a.Events {
		revision := a.Expected + 1 + eventstore.Revision(i)
		at := slices.IndexFunc(found, func(f eventstore.Recorded) bool { return f.Revision == revision && f.Stream == a.Stream })
		if at < 0 {
			return eventstore.Appended{}, errIndex
		}
		if found[at].ID != e.ID {
			return eventstore.Appended{}, conflict
		}
		position = found[at].Position
	}
	return eventstore.Appended{Revision: a.Expected + n, Position: position}, nil
}
