package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/sync/semaphore"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Source is a log and the projections of it.
type Source struct {
	Store eventstore.Store
	// Decode decodes and decrypts an event. Several goroutines may call it. For an unknown type it returns an error that is
	// event.ErrUnknown, and what it can read of the event.
	Decode      func(eventstore.Recorded) (Recorded, error)
	Projections []Projection
	// Version is the version of the projections' results. Read models of another version are not used.
	Version string

	// Scratch is the folder of temporary databases, which are as large as the read models. "": the system's.
	Scratch string
	// CacheRows is how many rows a table keeps in memory, at least, default 10 000; at most twice as many and the rows of a batch.
	CacheRows int
	// Defer makes every change of a row wait for the end of its batch, as if no row were in memory. It does not change the
	// result; tests check that.
	Defer bool
}

// ledger returns empty tables with the projections bound to them.
func (s Source) ledger() (*Ledger, error) {
	l, err := newLedger(s.Projections, cmp.Or(s.CacheRows, cacheRows))
	if err == nil {
		l.version, l.defers = s.Version, s.Defer
	}
	return l, err
}

// An entry is an event to be projected, or a notice about a stream.
type entry struct {
	Recorded
	size   int   // bytes in the log
	err    error // why it could not be decoded, or a *eventstore.DamageError
	notice bool
}

// point returns the event's place in the log. A notice belongs to no stream.
func (e *entry) point() table.Point {
	if e.notice {
		return table.Point{Position: e.Position}
	}
	return table.Point{Position: e.Position, Stream: e.Stream, Revision: e.Revision, EventID: e.EventID}
}

func (e *entry) unknown() bool { return errors.Is(e.err, event.ErrUnknown) }

// damaged reports whether the log has lost events of the stream.
func (e *entry) damaged() bool { return errors.As(e.err, new(*eventstore.DamageError)) }

// eventsIn counts the events of a batch.
func eventsIn(batch []entry) (n int64) {
	for i := range batch {
		if !batch[i].notice {
			n++
		}
	}
	return n
}

// A NewerError means that a newer version of the program wrote an event that this one does not know. Nothing is projected past it,
// or what this version lacks would be lost to the newer one.
type NewerError struct {
	Stream   string
	Position eventstore.Position
	Cause    error // an event.ErrUnknown that names the type
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("a newer version of Daybook wrote the event at position %s of stream %s, and this version does not know it (%v): it projects nothing from there on; start the newer version",
		e.Position, e.Stream, e.Cause)
}

func (e *NewerError) Unwrap() error { return e.Cause }

// split returns the events before the first of an unknown type, and the error for that one, if there is one.
func split(batch []entry) (before []entry, newer *NewerError) {
	i := slices.IndexFunc(batch, func(e entry) bool { return e.unknown() })
	if i < 0 {
		return batch, nil
	}
	return batch[:i], &NewerError{Stream: batch[i].Stream, Position: batch[i].Position, Cause: batch[i].err}
}

func (s Source) decode(stored eventstore.Recorded) entry {
	if stored.Notice || stored.Damage != nil {
		e := entry{Recorded{EventID: stored.ID, Stream: stored.Stream, Revision: stored.Revision, Position: stored.Position}, 0, nil, stored.Notice}
		if stored.Damage != nil {
			e.err = stored.Damage
		}
		return e
	}
	decoded, err := s.Decode(stored)
	if err != nil {
		decoded.EventID, decoded.Revision, decoded.Position = stored.ID, stored.Revision, stored.Position
	}
	decoded.Stream = stored.Stream
	return entry{decoded, len(stored.Data) + len(stored.Meta), err, false}
}

// A feed is the log after a position. Its own goroutine decodes ahead while the receiver folds and writes. Call stop after use.
type feed struct {
	pages <-chan page
	rest  []entry // decoded and not yet returned
	batch []entry // the last one, and what was decoded beside it
	stop  func()
}

// A page is some events, or none if the end of the log is reached for now, or an error.
type page struct {
	entries []entry
	err     error
	free    func() // lets others be decoded; nil: there is nothing to free
}

// pagesAhead is how many pages are decoded ahead: more events than a transaction of a rebuild takes, if the log is fast enough.
const pagesAhead = 8

// Events are as large as their texts, and rows as events. So what is in memory is limited by bytes too: of the log, which is fewer than
// a decoded event takes.
const (
	aheadBytes = 32 << 20 // that are decoded ahead
	batchBytes = 16 << 20 // in one transaction, or one event
)

// fitting returns how many of the first events go into one transaction, at most n.
func fitting(events []entry, n int) int {
	n = min(n, len(events))
	size := 0
	for i := range n {
		if size += events[i].size; size > batchBytes && i > 0 {
			return i
		}
	}
	return n
}

func (s Source) feed(ctx context.Context, after eventstore.Position) *feed {
	ctx, stop := context.WithCancel(ctx)
	pages, room := make(chan page, pagesAhead), semaphore.NewWeighted(aheadBytes)
	go func() {
		defer close(pages)
		for batch, err := range s.Store.Follow(ctx, after) {
			size := 0
			for _, stored := range batch {
				size += len(stored.Data) + len(stored.Meta)
			}
			taken := int64(min(size, aheadBytes))
			if room.Acquire(ctx, taken) != nil {
				return
			}
			entries := make([]entry, len(batch))
			for i, stored := range batch {
				entries[i] = s.decode(stored)
			}
			select {
			case pages <- page{entries, err, func() { room.Release(taken) }}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return &feed{pages: pages, stop: func() {
		stop()
		for range pages { // until the goroutine ends
		}
	}}
}

var errFeedEnded = errors.New("the event store ended its feed")

// next returns the next n events, or fewer if they are large or if it reaches the position upTo first, which the log must have. They are
// there until the next call.
func (f *feed) next(ctx context.Context, n int, upTo eventstore.Position) ([]entry, error) {
	f.rest = append(f.batch[:0], f.rest...)
	for len(f.rest) < n && fitting(f.rest, n) == len(f.rest) && !f.reaches(upTo) {
		select {
		case p, ok := <-f.pages:
			if err := p.check(ok); err != nil {
				return nil, err
			}
			f.rest = append(f.rest, p.entries...)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.reaches(upTo) {
		n = min(n, sort.Search(len(f.rest), func(i int) bool { return f.rest[i].Position > upTo }))
	}
	n = fitting(f.rest, n)
	f.batch, f.rest = f.rest, f.rest[n:]
	return f.batch[:n:n], nil
}

func (f *feed) reaches(p eventstore.Position) bool {
	return len(f.rest) > 0 && f.rest[len(f.rest)-1].Position >= p
}

// more adds further decoded events to a page, up to about n, without waiting.
func (f *feed) more(first page, n int) ([]entry, error) {
	f.rest = append(f.rest, first.entries...)
	for len(f.rest) < n && fitting(f.rest, n) == len(f.rest) {
		select {
		case p, ok := <-f.pages:
			if err := p.check(ok); err != nil {
				return nil, err
			}
			f.rest = append(f.rest, p.entries...)
			continue
		default:
		}
		break
	}
	batch := f.rest
	f.rest = nil
	return batch, nil
}

func (p page) check(ok bool) error {
	if p.free != nil {
		p.free()
	}
	if !ok {
		return errFeedEnded
	}
	if p.err != nil {
		return fmt.Errorf("following the log: %w", p.err)
	}
	return nil
}
