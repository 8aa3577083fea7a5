package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
	"daybook/internal/recent"
)

const (
	pageEvents = 2048 // events in a page, at most
	lookAgain  = 100 * time.Millisecond
)

// Read implements eventstore.Store. It reads pages, so that a long stream needs little memory. The first are small, for readers who want
// no more.
func (s *Store) Read(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if from == eventstore.Last && way == eventstore.Forwards {
			way, limit = eventstore.Backwards, 1
		}
		if way == eventstore.Forwards {
			from = max(from, 0)
		}
		bytes := eventstore.BatchBytes / 16
		for left := limit; limit <= 0 || left > 0; bytes = min(2*bytes, eventstore.BatchBytes) {
			n := pageEvents
			if limit > 0 {
				n = min(n, left)
			}
			events, more, err := s.readPage(ctx, stream, from, way, n, bytes)
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, e := range events {
				if err := ctx.Err(); err != nil {
					yield(eventstore.Recorded{}, err)
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			if !more {
				return
			}
			left -= len(events)
			from = events[len(events)-1].Revision + 1
			if way == eventstore.Backwards {
				from -= 2
			}
		}
	}
}

// Tails implements eventstore.Store. Nobody else writes to the log, so an event that is known is there as long as the stream reaches to it.
func (s *Store) Tails(ctx context.Context, after ...eventstore.Known) ([]eventstore.Tail, error) {
	tails := make([]eventstore.Tail, len(after))
	for i, k := range after {
		t := &tails[i]
		t.Events, t.More, t.Err = s.readPage(ctx, k.Stream, k.Revision+1, eventstore.Forwards, eventstore.TailEvents, eventstore.BatchBytes)
		damage := (*eventstore.DamageError)(nil)
		switch {
		case errors.Is(t.Err, eventstore.ErrNotFound), errors.As(t.Err, &damage):
		case t.Err != nil:
			return nil, t.Err
		case len(t.Events) == 0:
			if at, known := s.known.find(k.Stream); !known || at.revision < k.Revision {
				t.Err = s.mustHave(ctx, k)
			}
		}
	}
	return tails, nil
}

// mustHave returns ErrGone if a stream lacks an event.
func (s *Store) mustHave(ctx context.Context, k eventstore.Known) error {
	events, _, err := s.readPage(ctx, k.Stream, k.Revision, eventstore.Forwards, 1, eventstore.BatchBytes)
	if err == nil && (len(events) == 0 || events[0].ID != k.ID) {
		err = eventstore.ErrGone
	}
	return err
}

// readPage reads at most n events of a stream, up to about so many bytes, and proves that they are all there are.
func (s *Store) readPage(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, n, bytes int) (events []eventstore.Recorded, more bool, err error) {
	err = s.proved(func() (err error) {
		events, more, err = s.lookUp(ctx, stream, from, way, n, bytes)
		return err
	})
	if errors.Is(err, errIndex) { // which was made anew from the log
		err = &eventstore.DamageError{Stream: stream, What: "its events are not all there"}
	}
	if err != nil && !errors.Is(err, eventstore.ErrNotFound) && ctx.Err() == nil {
		err = fmt.Errorf("reading stream %s: %w", stream, explain(err))
	}
	return events, more, err
}

// lookUp reads a page once. Events that are not indexed yet come from memory. It looks in memory first and then in the index: in
// this order it misses none.
func (s *Store) lookUp(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, n, bytes int) (events []eventstore.Recorded, more bool, err error) {
	at, known := s.known.find(stream)
	if known && way == eventstore.Forwards && from > at.revision {
		return nil, false, s.reading.usable(ctx)
	}
	c, err := s.reading.get(ctx)
	if err != nil {
		return nil, false, err
	}
	defer s.reading.put(c)
	if s.tail == nil { // what the log has and what the index lacks must be of one moment
		if err := c.run("BEGIN"); err != nil {
			return nil, false, err
		}
		defer c.run("COMMIT")
	}
	loose, err := s.unindexed(c, stream)
	if err != nil {
		return nil, false, err
	}
	if len(loose) > 0 && from >= loose[0].Revision {
		events, more = cut(loose, from, way, n)
		return events, more, nil
	}
	if !known {
		if at, err = c.find(stream); err != nil {
			return nil, false, err
		}
		if at.id == 0 {
			if len(loose) == 0 {
				err = eventstore.ErrNotFound
			}
			return nil, false, err
		}
	}
	p := c.pageOf(stream, at.id, from, way, n)
	p.bytes = bytes
	question := c.forwards
	if way == eventstore.Backwards {
		question = c.backwards
	}
	if err := p.read(question, at.id, int64(from), int64(n)); err != nil {
		return nil, false, err
	}
	indexed := at.revision
	if len(loose) > 0 {
		indexed = loose[0].Revision - 1
	}
	if !p.complete(from, indexed) {
		return nil, false, errIndex
	}
	more = p.full() || way == eventstore.Forwards && len(loose) > 0
	return p.events, more && len(p.events) > 0, nil
}

// unindexed returns the events of a stream that the index lacks: from this process's writer, or from the log of another's.
func (s *Store) unindexed(c *conn, stream string) ([]eventstore.Recorded, error) {
	if s.tail != nil {
		return s.tail.unindexed(stream), nil
	}
	at, err := c.find(stream)
	if err != nil {
		return nil, err
	}
	p := c.pageOf(stream, at.id, 0, eventstore.Forwards, math.MaxInt)
	p.bytes = math.MaxInt
	p.wants = func(it item) bool {
		if at.id == 0 && it.revision == 0 && it.name() == stream {
			at.id = it.stream
		}
		return at.id != 0 && it.stream == at.id
	}
	err = p.read(c.unindexed)
	return p.events, err
}

// cut copies a page from a stream's last events, the first of which is at or before from.
func cut(events []eventstore.Recorded, from eventstore.Revision, way eventstore.Direction, n int) (page []eventstore.Recorded, more bool) {
	skip := int(min(from-events[0].Revision, eventstore.Revision(len(events))))
	if way == eventstore.Forwards {
		events = events[skip:]
		return clone(events[:min(n, len(events))]), n < len(events)
	}
	events = events[:min(skip+1, len(events))]
	page = clone(events[max(0, len(events)-n):])
	slices.Reverse(page)
	return page, page[len(page)-1].Revision > 0
}

// Follow implements eventstore.Store.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		head, err := s.Head(ctx)
		if err == nil && after > head {
			err = eventstore.ErrAhead
		}
		for caughtUp := false; err == nil; {
			var events []eventstore.Recorded
			var more <-chan struct{}
			if events, more, err = s.next(ctx, after, eventstore.BatchEnd(most)); err != nil {
				break
			}
			if len(events) > 0 {
				after = events[len(events)-1].Position
			}
			if len(events) > 0 || !caughtUp {
				caughtUp = caughtUp || len(events) == 0
				if !yield(events, nil) {
					return
				}
			}
			if len(events) == 0 {
				select {
				case <-more:
				case <-ctx.Done():
				}
			}
		}
		yield(nil, err)
	}
}

// next returns the events after a position, up to about so many bytes, or a channel that closes when it is worth asking again.
func (s *Store) next(ctx context.Context, after eventstore.Position, bytes int) ([]eventstore.Recorded, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if s.tail != nil {
		if events, more, near, err := s.tail.after(after); near || err != nil {
			return clone(begin(events, bytes)), more, err
		}
	}
	p, err := s.pageAfter(ctx, after, bytes)
	if err != nil {
		return nil, nil, err
	}
	more := make(chan struct{})
	if len(p.events) == 0 {
		time.AfterFunc(lookAgain, func() { close(more) })
	}
	return p.events, more, nil
}

// pageAfter reads the events after a position from the log.
func (s *Store) pageAfter(ctx context.Context, after eventstore.Position, bytes int) (p page, err error) {
	err = s.revived(func() error {
		c, err := s.reading.get(ctx)
		if err != nil {
			return err
		}
		defer s.reading.put(c)
		p = page{
			conn:  c,
			name:  func(it item) (string, error) { return s.names.find(c, it) },
			wants: func(it item) bool { return it.position > after },
			way:   eventstore.Forwards,
			limit: pageEvents,
			bytes: bytes,
		}
		err = p.read(c.page, int64(after))
		if err == nil && (!p.dense(after) || len(p.events) == 0 && s.tail != nil) { // the tail knows of more
			err = missingAt(after + 1 + eventstore.Position(p.run(after)))
		}
		return err
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, eventstore.ErrClosed) {
		err = fmt.Errorf("reading the event log after %d: %w", after, explain(err))
	}
	return p, err
}

// A page is the result of one query, up to a limit of events and one of bytes.
type page struct {
	conn   *conn
	name   func(item) (string, error)
	wants  func(item) bool // packs contain other events too
	way    eventstore.Direction
	limit  int
	bytes  int // of data and metadata, after which the page ends
	events []eventstore.Recorded
	size   int
	err    error
}

// pageOf returns an empty page of the stream with the number id.
func (c *conn) pageOf(stream string, id int64, from eventstore.Revision, way eventstore.Direction, n int) *page {
	return &page{
		conn: c,
		name: func(item) (string, error) { return stream, nil },
		wants: func(it item) bool {
			return it.stream == id && (it.revision == from || (it.revision > from) == bool(way))
		},
		way:   way,
		limit: n,
		bytes: eventstore.BatchBytes,
	}
}

func (p *page) full() bool { return len(p.events) >= p.limit || p.size >= p.bytes }

func (p *page) read(question stmt, args ...driver.Value) error {
	err := question.each(p.take, args...)
	return errors.Join(p.err, err)
}

// take adds the wanted events of a row. Their bytes are the page's own.
func (p *page) take(row []driver.Value) (more bool) {
	recorded, _ := row[1].(int64)
	at := time.UnixMicro(recorded).UTC()
	more, p.err = p.conn.unpack(row, p.way, func(it item) (bool, error) {
		if !p.wants(it) {
			return true, nil
		}
		e := it.event()
		e.RecordedAt = at
		var err error
		if e.Stream, err = p.name(it); err != nil {
			return false, err
		}
		p.events = append(p.events, e)
		p.size += e.Size()
		return !p.full(), nil
	})
	return more
}

// complete reports whether a page from a revision has one revision after another, to its limit or to the end of what is indexed.
func (p *page) complete(from, indexed eventstore.Revision) bool {
	step, end := eventstore.Revision(1), indexed+1
	want := from
	if p.way == eventstore.Backwards {
		step, end, want = -1, eventstore.NoStream, min(from, indexed)
		if len(p.events) > 0 {
			want = max(want, min(from, p.events[0].Revision)) // indexed since
		}
	}
	for _, e := range p.events {
		if e.Revision != want {
			return false
		}
		want += step
	}
	return p.full() || (want-end)*step >= 0
}

// run returns how many events of a page follow each other without a gap, from the one after a position.
func (p *page) run(after eventstore.Position) int {
	for i, e := range p.events {
		if e.Position != after+eventstore.Position(i)+1 {
			return i
		}
	}
	return len(p.events)
}

func (p *page) dense(after eventstore.Position) bool { return p.run(after) == len(p.events) }

// names caches the names of streams by their numbers in the log.
type names struct {
	mu    sync.Mutex
	known *recent.Map[int64, string]
}

func newNames() *names { return &names{known: recent.New[int64, string](knownStreams / 2)} }

// find returns the name of an event's stream, which is with the stream's first event.
func (n *names) find(c *conn, it item) (string, error) {
	n.mu.Lock()
	name, ok := n.known.Get(it.stream)
	n.mu.Unlock()
	if ok {
		return name, nil
	}
	var damaged error
	if it.revision == 0 {
		name = it.name()
	} else {
		err := c.founding.each(func(row []driver.Value) bool {
			_, damaged = c.unpack(row, eventstore.Forwards, func(first item) (bool, error) {
				if first.stream == it.stream && first.revision == 0 {
					name = first.name()
				}
				return name == "", nil
			})
			return false
		}, it.stream)
		if err = errors.Join(err, damaged); err != nil {
			return "", err
		}
	}
	if name == "" {
		return "", missingAt(eventstore.Position(it.stream))
	}
	n.mu.Lock()
	n.known.Put(it.stream, name)
	n.mu.Unlock()
	return name, nil
}
