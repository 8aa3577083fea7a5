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
	pageEvents = 2048    // events in a page, at most
	pageBytes  = 4 << 20 // of data and metadata, after which a page ends
	lookAgain  = 100 * time.Millisecond
)

// Read implements eventstore.Store. It reads pages, so that a long stream needs little memory.
func (s *Store) Read(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if from == eventstore.Last && way == eventstore.Forwards {
			way, limit = eventstore.Backwards, 1
		}
		if way == eventstore.Forwards {
			from = max(from, 0)
		}
		for left := limit; limit <= 0 || left > 0; {
			n := pageEvents
			if limit > 0 {
				n = min(n, left)
			}
			events, more, err := s.readPage(ctx, stream, from, way, n)
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

// readPage reads at most n events of a stream; those not yet indexed come from memory. It looks in memory first and then in the index:
// in this order it misses none.
func (s *Store) readPage(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, n int) (events []eventstore.Recorded, more bool, err error) {
	at, known := s.known.find(stream)
	if known && way == eventstore.Forwards && from > at.revision {
		return nil, false, s.reading.usable(ctx)
	}
	c, err := s.reading.get(ctx)
	if err != nil {
		return nil, false, err
	}
	defer s.reading.put(c)
	loose, err := s.unindexed(c, stream)
	if err != nil {
		return nil, false, fmt.Errorf("reading stream %s: %w", stream, explain(err))
	}
	if len(loose) > 0 && from >= loose[0].Revision {
		events, more = cut(loose, from, way, n)
		return events, more, nil
	}
	id := at.id
	if !known {
		var indexed bool
		if id, indexed, err = c.find(stream); err != nil {
			return nil, false, fmt.Errorf("reading stream %s: %w", stream, explain(err))
		}
		if !indexed {
			if len(loose) == 0 {
				err = eventstore.ErrNotFound
			}
			return nil, false, err
		}
	}
	p := pageOf(stream, id, from, way, n)
	question := c.forwards
	if way == eventstore.Backwards {
		question = c.backwards
	}
	if err := p.read(question, id, int64(from), int64(n)); err != nil {
		return nil, false, fmt.Errorf("reading stream %s: %w", stream, explain(err))
	}
	more = p.full() || way == eventstore.Forwards && len(loose) > 0
	return p.events, more && len(p.events) > 0, nil
}

// find looks up a stream's number, 0 if it has none, and whether the index has any of its events.
func (c *conn) find(stream string) (id int64, indexed bool, err error) {
	err = c.streamID.each(func(row []driver.Value) bool {
		id, indexed = row[0].(int64), row[1].(int64) != 0
		return false
	}, stream)
	return id, indexed, err
}

// unindexed returns the events of a stream that the index lacks: from this process's writer, or from the log of another's.
func (s *Store) unindexed(c *conn, stream string) ([]eventstore.Recorded, error) {
	if s.tail != nil {
		return s.tail.unindexed(stream), nil
	}
	id, _, err := c.find(stream)
	if err != nil || id == 0 {
		return nil, err
	}
	p := pageOf(stream, id, 0, eventstore.Forwards, math.MaxInt)
	p.whole = true
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
func (s *Store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		head, err := s.Head(ctx)
		if err == nil && after > head {
			err = eventstore.ErrAhead
		}
		for caughtUp := false; err == nil; {
			var events []eventstore.Recorded
			var more <-chan struct{}
			if events, more, err = s.next(ctx, after); err != nil {
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

// next returns the events after a position, or a channel that closes when it is worth asking again.
func (s *Store) next(ctx context.Context, after eventstore.Position) ([]eventstore.Recorded, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if s.tail != nil {
		if events, more, near, err := s.tail.after(after); near || err != nil {
			return clone(events), more, err
		}
	}
	c, err := s.reading.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.reading.put(c)
	p := page{
		name:  func(id int64) (string, error) { return s.names.find(c, id) },
		wants: func(it item) bool { return it.position > after },
		way:   eventstore.Forwards,
		limit: pageEvents,
	}
	if err := p.read(c.page, int64(after)); err != nil {
		return nil, nil, fmt.Errorf("reading the event log after %d: %w", after, explain(err))
	}
	more := make(chan struct{})
	if len(p.events) == 0 {
		time.AfterFunc(lookAgain, func() { close(more) })
	}
	return p.events, more, nil
}

// A page is the result of one query, up to a limit or to pageBytes.
type page struct {
	name   func(stream int64) (string, error)
	wants  func(item) bool // packs contain other events too
	way    eventstore.Direction
	limit  int
	whole  bool // ignore pageBytes
	events []eventstore.Recorded
	size   int
	err    error
}

// pageOf returns an empty page of the stream with the number id.
func pageOf(stream string, id int64, from eventstore.Revision, way eventstore.Direction, n int) *page {
	return &page{
		name: func(int64) (string, error) { return stream, nil },
		wants: func(it item) bool {
			return it.stream == id && (it.revision == from || (it.revision > from) == bool(way))
		},
		way:   way,
		limit: n,
	}
}

func (p *page) full() bool { return len(p.events) >= p.limit || p.size >= pageBytes && !p.whole }

func (p *page) read(question stmt, args ...driver.Value) error {
	err := question.each(p.take, args...)
	return errors.Join(p.err, err)
}

// take adds the wanted events of a row. Their bytes are the page's own.
func (p *page) take(row []driver.Value) (more bool) {
	at := time.UnixMicro(row[1].(int64)).UTC()
	more, p.err = unpack(row, p.way, func(it item) (bool, error) {
		if !p.wants(it) {
			return true, nil
		}
		e := it.event()
		e.RecordedAt = at
		var err error
		if e.Stream, err = p.name(it.stream); err != nil {
			return false, err
		}
		p.events = append(p.events, e)
		p.size += len(e.Data) + len(e.Meta)
		return !p.full(), nil
	})
	return more
}

// names caches the names of streams by their numbers in the log.
type names struct {
	mu    sync.Mutex
	known *recent.Map[int64, string]
}

func newNames() *names { return &names{known: recent.New[int64, string](knownStreams / 2)} }

func (n *names) find(c *conn, id int64) (string, error) {
	n.mu.Lock()
	name, ok := n.known.Get(id)
	n.mu.Unlock()
	if ok {
		return name, nil
	}
	err := c.streamName.each(func(row []driver.Value) bool {
		name = row[0].(string)
		return false
	}, id)
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	n.known.Put(id, name)
	n.mu.Unlock()
	return name, nil
}
