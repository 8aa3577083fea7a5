package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
)

const (
	pageEvents = 1024 // events in a page, at most
)

const (
	columns   = "SELECT position, stream, revision, id, type, data, meta, recorded_at, checksum FROM events "
	forwards  = columns + "WHERE stream = $1 AND revision >= $2 ORDER BY revision LIMIT $3"
	backwards = columns + "WHERE stream = $1 AND revision <= $2 ORDER BY revision DESC LIMIT $3"
	following = columns + "WHERE position >= $1 ORDER BY position LIMIT $2"
	askHead   = "SELECT coalesce(max(position), 0) FROM events"
)

// A row is a row of the table events.
type row struct {
	Position   int64
	Stream     string
	Revision   int64
	ID         uuid.UUID
	Type       string
	Data       []byte
	Meta       []byte
	RecordedAt time.Time `db:"recorded_at"`
	Checksum   int64
}

// event returns the event of a row, or a *eventstore.DamageError if the row is not as it was written.
func (s *Store) event(r row) (eventstore.Recorded, error) {
	e := eventstore.Recorded{
		ID: r.ID, Type: r.Type, Data: r.Data, Meta: r.Meta, Stream: r.Stream,
		Revision: eventstore.Revision(r.Revision), Position: eventstore.Position(r.Position), RecordedAt: r.RecordedAt.UTC(),
	}
	if s.checksum(e)^given(e) != r.Checksum {
		return e, &eventstore.DamageError{Position: e.Position, Stream: e.Stream, What: "its checksum is wrong"}
	}
	return e, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// given returns the part of a row's checksum that the function append adds: the position and the time that it gives the event.
func given(e eventstore.Recorded) int64 { return e.RecordedAt.UnixMicro() ^ int64(e.Position)<<24 }

// checksum returns the part of a row's checksum that its writer knows.
func (s *Store) checksum(e eventstore.Recorded) int64 {
	var room [256]byte
	b := append(append(room[:0], s.id[:]...), e.ID[:]...)
	for _, n := range []uint64{uint64(e.Revision), uint64(len(e.Stream)), uint64(len(e.Type)), uint64(len(e.Data))} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := crc32.Update(0, castagnoli, append(append(b, e.Stream...), e.Type...))
	return int64(crc32.Update(crc32.Update(sum, castagnoli, e.Data), castagnoli, e.Meta))
}

// Read implements eventstore.Store. It reads pages, so that a long stream needs little memory and a slow reader no connection. The first
// are small, for readers who want no more.
func (s *Store) Read(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if from == eventstore.Last && way == eventstore.Forwards {
			way, limit = eventstore.Backwards, 1
		}
		question, step := forwards, eventstore.Revision(1)
		if way == eventstore.Backwards {
			question, step = backwards, -1
		}
		bytes := eventstore.BatchBytes / 16
		for first, left := true, limit; limit <= 0 || left > 0; first = false {
			n := askFor(bytes)
			if limit > 0 {
				n = min(n, left)
			}
			p, err := s.page(ctx, bytes, question, stream, int64(from), n)
			if err == nil && first && len(p.events) == 0 {
				if err = s.mustExist(ctx, stream); err == nil { // it may have begun meanwhile
					p, err = s.page(ctx, bytes, question, stream, int64(from), n)
				}
			}
			if !p.more {
				bytes = min(4*bytes, eventstore.BatchBytes)
			}
			if err != nil {
				yield(eventstore.Recorded{}, s.explain(ctx, "read stream "+stream, err))
				return
			}
			want := max(from, 0)
			if first && way == eventstore.Backwards && len(p.events) > 0 {
				want = p.events[0].Revision
			}
			for _, e := range p.events {
				err := ctx.Err()
				if err == nil && e.Revision != want {
					err = &eventstore.DamageError{Stream: stream, What: fmt.Sprintf("revision %d is missing", want)}
				}
				want += step
				if err != nil {
					yield(eventstore.Recorded{}, err)
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			if !p.more && len(p.events) < n {
				if want >= 0 && way == eventstore.Backwards && len(p.events) > 0 {
					yield(eventstore.Recorded{}, &eventstore.DamageError{Stream: stream, What: fmt.Sprintf("revision %d is missing", want)})
				}
				return
			}
			left -= len(p.events)
			from = p.events[len(p.events)-1].Revision + step
		}
	}
}

// mustExist returns ErrNotFound if a stream has no events at all.
func (s *Store) mustExist(ctx context.Context, stream string) error {
	_, err := answered(ctx, func() (any, error) {
		var exists bool
		err := s.db.GetContext(ctx, &exists, "SELECT EXISTS (SELECT FROM events WHERE stream = $1)", stream)
		if err == nil && !exists {
			err = eventstore.ErrNotFound
		}
		return nil, err
	})
	return err
}

// Follow implements eventstore.Store.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		last := eventstore.Recorded{Position: after} // the first page adds the id
		bytes := eventstore.BatchEnd(most)
		n := askFor(bytes)
		for caughtUp := false; ; {
			more := s.news.wait() // before the query, so that nothing is missed
			events, cut, err := s.next(ctx, &last, n, bytes)
			if err != nil {
				yield(nil, s.explain(ctx, fmt.Sprintf("reading the event log after %d", last.Position), err))
				return
			}
			n = min(2*n, pageEvents)
			if cut {
				n = 2 * len(events)
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
				case <-s.closing.Done():
				}
			}
		}
	}
}

// askFor returns how many events to ask for first where so many bytes are wanted: the driver receives all of them, whatever their size.
func askFor(bytes int) int { return min(pageEvents, bytes/4096) }

// next reads the next n events after the last one that was read, or fewer if it cuts them at about so many bytes. That one must still be where it was: otherwise the log has lost its end,
// and may have grown again.
func (s *Store) next(ctx context.Context, last *eventstore.Recorded, n, bytes int) (events []eventstore.Recorded, cut bool, err error) {
	p, err := s.page(ctx, bytes, following, int64(last.Position), n+1)
	if err != nil {
		return nil, false, err
	}
	events = p.events
	if last.Position > eventstore.Start {
		found, known := len(events) > 0 && events[0].Position == last.Position, last.ID != uuid.Nil
		if !found || known && events[0].ID != last.ID {
			return nil, false, s.lost(ctx, *last)
		}
		last.ID = events[0].ID
		events[0] = eventstore.Recorded{} // which a slow reader would hold with the batch
		events = events[1:]
	}
	for _, e := range events {
		if e.Position != last.Position+1 {
			return nil, false, &eventstore.DamageError{Position: last.Position + 1, What: "the event there is missing"}
		}
		last.Position, last.ID = e.Position, e.ID
	}
	return events, p.more, nil
}

// lost returns ErrAhead if the log has lost an event. A read-only server proves nothing: it may be behind.
func (s *Store) lost(ctx context.Context, e eventstore.Recorded) error {
	_, err := answered(ctx, func() (any, error) {
		var lost bool
		err := s.db.GetContext(ctx, &lost, `SELECT NOT EXISTS (SELECT FROM events WHERE position = $1 AND ($2 OR id = $3))
			AND NOT current_setting('transaction_read_only')::boolean`, int64(e.Position), e.ID == uuid.Nil, e.ID)
		if err == nil && lost {
			err = eventstore.ErrAhead
		}
		return nil, err
	})
	return err
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	head, err := answered(ctx, func() (head int64, err error) {
		err = s.db.GetContext(ctx, &head, askHead)
		return head, err
	})
	return eventstore.Position(head), s.explain(ctx, "ask where the event log ends", err)
}

// No further event is recorded before reached. An UPDATE of the turn waits for the commit that has locked it.
const (
	reached  = "greatest(settled, (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1))"
	clock    = "coalesce($1, clock_timestamp())"
	askTimes = "SELECT " + reached + " AS reached, " + clock + " AS clock FROM turn"
	isPast   = "SELECT $1 < " + reached + " FROM turn"
	settle   = "UPDATE turn SET settled = greatest(settled, $2::timestamptz + interval '1 microsecond') WHERE $2 <= greatest(" + clock + ", " + reached + ")"
)

// Settle implements eventstore.Store. It writes only if no event has been recorded after the instant yet.
func (s *Store) Settle(ctx context.Context, at time.Time) (eventstore.Position, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	at = at.Truncate(time.Microsecond)
	_, err := answered(ctx, func() (any, error) {
		var past bool
		if err := s.db.GetContext(ctx, &past, isPast, at); err != nil || past {
			return nil, err
		}
		// Afterwards every event that was recorded by then is committed: its commit had locked the turn.
		done, err := s.db.ExecContext(ctx, settle, s.now(), at)
		if err != nil {
			return nil, err
		}
		if rows, err := done.RowsAffected(); err != nil || rows == 0 {
			return nil, errors.Join(err, eventstore.ErrFuture)
		}
		return nil, nil
	})
	if err != nil {
		return 0, s.explain(ctx, "settle the time of the event log", err)
	}
	return s.Head(ctx)
}

// Ahead implements eventstore.Store.
func (s *Store) Ahead(ctx context.Context) (time.Duration, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	type times struct{ Reached, Clock time.Time }
	t, err := answered(ctx, func() (t times, err error) {
		err = s.db.GetContext(ctx, &t, askTimes, s.now())
		return t, err
	})
	return max(0, t.Reached.Sub(t.Clock)), s.explain(ctx, "ask for the time of the event log", err)
}

// A page is the result of one query, up to about so many bytes of data and metadata. If more, it was cut there. It has two events at
// least, if there are: the first one may be known.
type page struct {
	events []eventstore.Recorded
	more   bool
}

func (s *Store) page(ctx context.Context, bytes int, question string, args ...any) (page, error) {
	if err := s.usable(ctx); err != nil {
		return page{}, err
	}
	return answered(ctx, func() (p page, err error) {
		rows, err := s.pages[question].QueryxContext(ctx, args...)
		if err != nil {
			return p, err
		}
		defer rows.Close()
		for size := 0; !p.more && rows.Next(); p.more = len(p.events) > 1 && size >= bytes {
			var r row
			if err := rows.StructScan(&r); err != nil {
				return p, err
			}
			e, err := s.event(r)
			if err != nil {
				return p, err
			}
			size += e.Size()
			p.events = append(p.events, e)
		}
		return p, rows.Err()
	})
}

// answered calls a function that may not return when the context ends, because the driver does not let go, and then leaves it
// behind: it ends with its connection.
func answered[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := call()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// usable returns the error of a store that is closed or a context that has ended.
func (s *Store) usable(ctx context.Context) error {
	if s.closing.Err() != nil {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

// explain adds what was being done to an error. It leaves errors of the contract as they are.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil || errors.Is(err, eventstore.ErrNotFound) || errors.Is(err, eventstore.ErrAhead) || errors.Is(err, eventstore.ErrFuture):
		return err
	case s.usable(ctx) != nil:
		return s.usable(ctx)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
