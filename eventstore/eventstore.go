// Package eventstore keeps bytes in one global order and knows nothing of the desk.
//
// A store holds streams. Each stream is a list of events numbered from 0 (the revision), and all streams together
// are one list in the order in which they were committed (the position). What was appended stays as it is for ever.
// The backends are eventstore/sqlite and those that join it later; eventstore/storetest says what each must do.
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

// A Revision is the number of an event in its stream, from 0. As an expectation it is the number of the last event
// that the caller has seen.
type Revision int64

const (
	// NoStream is the revision of a stream that has no event yet.
	NoStream Revision = -1
	// Last, as the place to read from, is the last event of a stream.
	Last Revision = 1<<63 - 1
)

// A Position says where in the global order an event stands. Positions grow; only their order means something, and
// on some backends they have gaps. Start comes before the first event.
type Position uint64

// Start is the position before the first event.
const Start Position = 0

// String writes the position as callers carry it, as a decimal number.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is no position: a position is a number that an earlier answer gave", s)
	}
	return Position(n), nil
}

// An Event is what a caller wants kept. ID is chosen before the first try and kept over all retries: it is what makes
// a repeated append harmless.
type Event struct {
	ID   uuid.UUID
	Type string
	Data []byte
	Meta []byte
}

// Size is the number of bytes that count towards MaxAppendSize. The type counts twice, since EventStoreDB counts so.
func (e Event) Size() int { return 2*len(e.Type) + len(e.Data) + len(e.Meta) }

// Size is that number for all events of an append.
func Size(events []Event) (size int) {
	for _, e := range events {
		size += e.Size()
	}
	return size
}

// Recorded is an event as the store keeps it.
type Recorded struct {
	ID         uuid.UUID
	Type       string
	Data       []byte
	Meta       []byte
	Stream     string
	Revision   Revision
	Position   Position
	RecordedAt time.Time // by the store's clock, UTC, microseconds; never a thing to order by
}

// Appended says where the last event of an append stands.
type Appended struct {
	Revision Revision
	Position Position
	// New says that this very append wrote the events. If not, they may have been there: an append of the same ids is the
	// same append, whatever else the events say. A backend that cannot tell says no.
	New bool
}

// Limits of one append, the same on every backend so that what one keeps another keeps too.
const (
	MaxAppendSize   = 1 << 20 // bytes, as Size counts them
	MaxAppendEvents = 4096
	MaxStreamName   = 255 // bytes
)

// Direction is the way a stream is read.
type Direction bool

// The two ways to read a stream.
const (
	Forwards  Direction = true
	Backwards Direction = false
)

// A Store keeps events. All methods may be called by many goroutines at once, and obey their context.
type Store interface {
	// Append adds events to a stream whose last revision is expected, all or none, and returns when they are durable.
	//
	// If the stream is elsewhere it returns a *ConflictError, unless the events that follow expected are, by their ids,
	// the very ones given: then this is the retry of an append that succeeded, and its result is returned again.
	// It returns ErrEmpty, ErrNoID, ErrNoType, ErrNoName or a *TooLargeError before anything is written.
	// After any other error the outcome is unknown: the same append, tried again, settles it.
	Append(ctx context.Context, stream string, expected Revision, events []Event) (Appended, error)

	// Read yields a stream's events from a revision, that one included, at most limit of them (0: all).
	// Backwards from above the end begins at the end. A stream that has no events yields ErrNotFound.
	Read(ctx context.Context, stream string, from Revision, way Direction, limit int) iter.Seq2[Recorded, error]

	// Follow yields the global order from after a position, for ever, in batches as large as are at hand. The first time
	// that nothing more is at hand it yields one empty batch: the reader has caught up. It ends with the context's error,
	// with ErrClosed, with ErrAhead if the position lies beyond the log's end, or with an error of the backend that it
	// does not wait out.
	// The reader owns a batch; it may keep it.
	Follow(ctx context.Context, after Position) iter.Seq2[[]Recorded, error]

	// Head returns the position of the last event, or Start.
	Head(ctx context.Context) (Position, error)

	// ID says which log this is: what was posted from one log must not be continued from another.
	ID() uuid.UUID

	// Close ends all readers and waits for what was accepted.
	Close() error
}

// Errors of the contract. Test for them with errors.Is.
var (
	ErrNotFound = errors.New("stream not found")
	ErrEmpty    = errors.New("an append needs at least one event")
	ErrNoID     = errors.New("an event needs an id")
	ErrNoType   = errors.New("an event needs a type, in UTF-8 without a NUL")
	ErrNoName   = fmt.Errorf("a stream needs a name of 1 to %d bytes, in UTF-8 without a NUL", MaxStreamName)
	ErrClosed   = errors.New("the event store is closed")
	ErrAhead    = errors.New("the position is ahead of the log: it comes from another log, or the log was restored from an older backup")
)

// A ConflictError says that somebody else was faster, or that the caller never knew the stream.
type ConflictError struct {
	Stream   string
	Expected Revision
	Actual   Revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not %d", e.Stream, e.Actual, e.Expected)
}

// A TooLargeError says that an append is over MaxAppendSize or MaxAppendEvents, or over less that a server was set to.
// Nothing was written.
type TooLargeError struct {
	Bytes, Events int
	Limit         int // of bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an append of %d events and %d bytes is over the limit of %d events and %d bytes",
		e.Events, e.Bytes, MaxAppendEvents, e.Limit)
}

// isName says whether every backend can keep a text as it is.
func isName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// Check refuses what no store may take. Backends call it first.
func Check(stream string, events []Event) error {
	if !isName(stream) || len(stream) > MaxStreamName {
		return ErrNoName
	}
	if len(events) == 0 {
		return ErrEmpty
	}
	for _, e := range events {
		if e.ID == uuid.Nil {
			return ErrNoID
		}
		if !isName(e.Type) {
			return ErrNoType
		}
	}
	if size := Size(events); size > MaxAppendSize || len(events) > MaxAppendEvents {
		return &TooLargeError{Bytes: size, Events: len(events), Limit: MaxAppendSize}
	}
	return nil
}
