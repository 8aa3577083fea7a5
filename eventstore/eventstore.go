// Package eventstore defines an event store: streams of bytes in one global order. It knows nothing of the desk.
//
// A stream is a list of events numbered from 0 (the revision). All streams together are one list in commit order (the position).
// Events never change. The backends are eventstore/sqlite, eventstore/postgres and eventstore/esdb; eventstore/storetest tests what
// each must do.
package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A Revision is the number of an event in its stream, from 0. As an expectation it is that of the last event that the caller has
// seen.
type Revision int64

const (
	// NoStream is the revision of a stream that has no event yet.
	NoStream Revision = -1
	// Last, as the place to read from, is the last event of a stream.
	Last Revision = 1<<63 - 1
)

// A Position is an event's place in the global order. Positions increase; only their order has meaning, and on some backends they
// have gaps. Start comes before the first event.
type Position uint64

// Start is the position before the first event.
const Start Position = 0

// String returns the position as a decimal number.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// ParsePosition parses what String returned.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || Position(n).String() != s {
		return 0, fmt.Errorf("%q is not a position: a position is a number from an earlier answer", s)
	}
	return Position(n), nil
}

// An Event is an event to be appended. The caller chooses the ID before the first attempt and keeps it over all retries: it makes a
// repeated append harmless.
type Event struct {
	ID   uuid.UUID
	Type string
	Data []byte
	Meta []byte
}

// Size is the number of bytes that count towards MaxAppendSize. The type counts twice, as it does in EventStoreDB.
func (e Event) Size() int { return 2*len(e.Type) + len(e.Data) + len(e.Meta) }

// Size is the sum over all events of an append.
func Size(events []Event) (size int) {
	for _, e := range events {
		size += e.Size()
	}
	return size
}

// Recorded is an event as the store has it.
type Recorded struct {
	ID       uuid.UUID
	Type     string
	Data     []byte
	Meta     []byte
	Stream   string
	Revision Revision
	Position Position
	// RecordedAt is by the store's clock, UTC, in microseconds. In SQLite and PostgreSQL it is never earlier than that of the event
	// before: if the clock goes back, it stays where it was until the clock catches up. EventStoreDB's can go back a little.
	RecordedAt time.Time

	// Notice says that this is no event of the stream: something was done to the stream as a whole, at this position. Only Follow
	// yields it, and only EventStoreDB has such positions. It has neither Data nor Meta nor a Revision.
	Notice bool
	// Damage, if not nil, says that events of the stream are lost, which Follow noticed here. Nothing of the stream from here on must
	// be folded; all other streams are as they were.
	Damage *DamageError
}

// Size counts the bytes that the limits of pages and batches are about: those of data and metadata.
func (r Recorded) Size() int { return len(r.Data) + len(r.Meta) }

// An Append is what is to be added to one stream.
type Append struct {
	Stream   string
	Expected Revision // of the last event that the caller has seen
	Events   []Event
	// Step says what goes first where several streams cannot be written at once: each step is durable before the next one begins.
	Step int
}

// Appended is the place of the last event of an append.
type Appended struct {
	Revision Revision
	Position Position
	// New reports that this call wrote the events. If false, they may have been there before: an append of the same ids is the
	// same append, whatever else the events contain. A backend that cannot tell returns false.
	New bool
}

// BatchBytes is about how many bytes of data and metadata a batch of Follow has at most, by default.
const BatchBytes = 4 << 20

// BatchEnd returns after how many bytes a batch of Follow ends.
func BatchEnd(most []int) int {
	if len(most) > 0 {
		return most[0]
	}
	return BatchBytes
}

// Limits of one append, the same on every backend, so that every backend can keep what another keeps.
const (
	MaxAppendSize   = 1 << 20 // bytes, as Size counts them
	MaxAppendEvents = 4096
	MaxStreamName   = 255 // bytes
)

// A Known is the last event of a stream that a caller knows. Revision is NoStream if it knows none.
type Known struct {
	Stream   string
	Revision Revision
	ID       uuid.UUID
}

// A Tail is what a stream has after a Known.
type Tail struct {
	Events []Recorded // at most TailEvents
	More   bool       // there may be more
	// Err is ErrNotFound if the stream has no events, ErrGone if it has not the event that was known, or a *DamageError.
	Err error
}

// TailEvents is how many events of a stream Tails returns, at most.
const TailEvents = 50

// Direction is the direction in which a stream is read.
type Direction bool

// The two directions.
const (
	Forwards  Direction = true
	Backwards Direction = false
)

// A Store is an event store. All methods can be called concurrently, and obey their context.
type Store interface {
	// Append adds events to streams, all or none, and returns when they are durable. EventStoreDB writes to one stream at a time:
	// there it is all or none of each stream, step after step.
	//
	// If a stream's last revision is not the expected one, it returns a *ConflictError, unless the events after that are, by their
	// ids, the given ones: then this is the retry of an append that succeeded, and the same result is returned.
	// It returns ErrEmpty, ErrNoID, ErrNoType, ErrNoName, ErrTwice or a *TooLargeError before anything is written.
	// After a *DamageError nothing more can be written to its stream, and all others are as they were.
	// After any other error the outcome is unknown: retrying the same append settles it.
	Append(ctx context.Context, to ...Append) ([]Appended, error)

	// Read yields a stream's events from a revision, which is included, at most limit of them (0: all). Backwards from beyond the
	// end starts at the end. A stream without events yields ErrNotFound, and one
	// that has lost events a *DamageError, whichever of them are asked for.
	Read(ctx context.Context, stream string, from Revision, way Direction, limit int) iter.Seq2[Recorded, error]

	// Tails reads the ends of several streams, of each what comes after an event that the caller knows: at once where the backend
	// can, else side by side.
	Tails(ctx context.Context, after ...Known) ([]Tail, error)

	// Follow subscribes to the global order after a position. It never ends by itself. It yields batches as large as are
	// available, and once an empty batch, when the reader has caught up for the first time. It ends with the context's error, with
	// ErrClosed, with ErrAhead if the position is beyond the end of the log, or with an error of the backend that retrying does
	// not help.
	// The reader owns a batch and may keep it. What Recorded.Notice and Recorded.Damage say concerns one stream each.
	//
	// A batch ends once it has about most[0] bytes of data and metadata, for a reader that may hold it for long; by default BatchBytes.
	Follow(ctx context.Context, after Position, most ...int) iter.Seq2[[]Recorded, error]

	// Head returns the position of the last event, or Start.
	Head(ctx context.Context) (Position, error)

	// Settle returns a position such that every event recorded by an instant, now or later, is at or before it: where needed, it sees
	// to it that no later event is recorded by then, whatever becomes of the clock. With EventStoreDB, which records by a clock of
	// its own, this holds only once an event has been recorded after the instant. It returns ErrFuture for an instant that both the
	// store's clock and the log have yet to reach.
	Settle(ctx context.Context, at time.Time) (Position, error)

	// Ahead returns by how much the time at which the next event is recorded is ahead of the store's clock: 0, unless the clock was
	// set back.
	Ahead(ctx context.Context) (time.Duration, error)

	// ID identifies the log: what was projected from one log must not be continued from another.
	ID() uuid.UUID

	// Dense reports whether positions count events: they begin at 1 and have no gaps. Otherwise the position of an append is that of
	// its last event, and nothing is known of those of the others until they are read.
	Dense() bool

	// Close ends all readers and waits until accepted appends are done.
	Close() error
}

// Errors of a Store. Test for them with errors.Is.
var (
	ErrNotFound = errors.New("stream not found")
	ErrGone     = errors.New("the stream no longer has the event that was known: the log was restored from an older backup, or another one is in its place")
	ErrEmpty    = errors.New("an append needs at least one event")
	ErrNoID     = errors.New("an event needs an id")
	ErrNoType   = errors.New("an event needs a type, in UTF-8 without a NUL")
	ErrTwice    = errors.New("a stream can be appended to only once at a time")
	ErrNoName   = fmt.Errorf("a stream needs a name of 1 to %d bytes, in UTF-8 without a NUL", MaxStreamName)
	ErrClosed   = errors.New("the event store is closed")
	ErrFuture   = errors.New("the instant is in the future")
	ErrAhead    = errors.New("the position is ahead of the log: it comes from another log, or the log was restored from an older backup")
)

// A ConflictError means that the stream is not at the expected revision, usually because another writer was faster.
type ConflictError struct {
	Stream   string
	Expected Revision
	Actual   Revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not %d", e.Stream, e.Actual, e.Expected)
}

// A TooLargeError means that an append exceeds MaxAppendSize or MaxAppendEvents, or a server's lower limit. Nothing was written.
type TooLargeError struct {
	Bytes, Events int
	Limit         int // of bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an append of %d events and %d bytes is over the limit of %d events and %d bytes",
		e.Events, e.Bytes, MaxAppendEvents, e.Limit)
}

// isName reports whether every backend can store a text as it is.
func isName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// Snapshots keeps parts of streams as they were folded, for processes that have yet to begin. What it holds is only a help.
type Snapshots interface {
	// Load decodes the snapshot of a part of a stream into pointers to structs, and reports whether there is one.
	Load(ctx context.Context, part, stream string, into ...any) bool
	// Save stores a snapshot, structs that must not change any more, unless keys were destroyed since they were folded: then they
	// had been destroyed so often. It must not block.
	Save(destroyed int, part, stream string, values ...any)
}

// Find returns the event at a revision of a stream, and reports whether it is the one with the id.
func Find(ctx context.Context, s Store, stream string, at Revision, id uuid.UUID) (e Recorded, found bool, err error) {
	for e, err := range s.Read(ctx, stream, at, Forwards, 1) {
		if errors.Is(err, ErrNotFound) {
			break
		}
		return e, err == nil && e.ID == id, err
	}
	return e, false, nil
}

// AppendTo appends to one stream.
func AppendTo(ctx context.Context, s Store, stream string, expected Revision, events []Event) (Appended, error) {
	done, err := s.Append(ctx, Append{Stream: stream, Expected: expected, Events: events})
	if err != nil {
		return Appended{}, err
	}
	return done[0], nil
}

// Check returns the error for appends that no store may accept. Backends call it first.
func Check(to []Append) error {
	if len(to) == 0 {
		return ErrEmpty
	}
	for _, a := range to {
		if err := a.check(); err != nil {
			return err
		}
	}
	if len(to) == 1 {
		return nil
	}
	streams := make(map[string]bool, len(to))
	for _, a := range to {
		if streams[a.Stream] {
			return ErrTwice
		}
		streams[a.Stream] = true
	}
	return nil
}

func (a Append) check() error {
	if !isName(a.Stream) || len(a.Stream) > MaxStreamName {
		return ErrNoName
	}
	if len(a.Events) == 0 {
		return ErrEmpty
	}
	for _, e := range a.Events {
		if e.ID == uuid.Nil {
			return ErrNoID
		}
		if !isName(e.Type) {
			return ErrNoType
		}
	}
	if size := Size(a.Events); size > MaxAppendSize || len(a.Events) > MaxAppendEvents {
		return &TooLargeError{Bytes: size, Events: len(a.Events), Limit: MaxAppendSize}
	}
	return nil
}
