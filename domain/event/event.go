// Package event is what all events share: a stored type name that never changes, a table that decodes them, and metadata
// that says who did it, when, why and what caused it.
package event

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/domain/personal"
)

// An Event is something that happened on the desk.
type Event interface {
	// EventType returns the stored name. It never changes, whatever the Go type is called.
	EventType() string
}

// An Owned event has texts that belong to somebody else than its thing does, such as a message on another contact's ticket.
type Owned interface {
	// Owner returns whose key seals the event.
	Owner() uuid.UUID
}

// A Consequence is an event that was led to by the one before it, where one decision has both: a message reopens a ticket.
type Consequence interface{ Consequence() }

// Metadata is stored with every event.
type Metadata struct {
	At        time.Time     `json:"at"`                    // when it happened, as the caller says; UTC, to the microsecond
	Actor     Actor         `json:"actor"`                 // who did it, in the desk's world; of what a contact wrote, the contact
	Principal Principal     `json:"principal"`             // who was signed in and sent it; of an import, who imported
	Through   string        `json:"through"`               // by which door it came: see ThroughAPI
	Reason    personal.Text `json:"reason,omitzero"`       // why, in the actor's words; with the first event of a request only
	Request   uuid.UUID     `json:"request"`               // the request that it came with; the same on every retry
	Digest    personal.Text `json:"digest,omitzero"`       // of the request's body, so that an id reused for another request is detected
	Cause     uuid.UUID     `json:"$causationId,omitzero"` // the event that led to it, if one did

	// Correlation groups everything that belongs together: a trace, a request, an import.
	Correlation string `json:"$correlationId,omitzero"`
}

// Written is an event that was just appended or read, so that nobody need read it again.
type Written struct {
	Event    Event
	ID       uuid.UUID
	Metadata Metadata
	Revision int64  // in its stream
	Position uint64 // in the log; where positions are not dense, that of the last event of the append
}

// A Type decodes one type of event. E is the interface that all events of its package implement.
type Type[E Event] struct {
	Name   string
	decode func(data []byte, at personal.Place, keys personal.Keys) (E, error)
}

// TypeOf describes the event type T. as is the identity function; it makes the compiler check that T is an E.
func TypeOf[E Event, T Event](as func(T) E) Type[E] {
	var zero T
	return Type[E]{
		Name: zero.EventType(),
		decode: func(data []byte, at personal.Place, keys personal.Keys) (E, error) {
			var v T
			if err := json.Unmarshal(data, &v); err != nil {
				return as(v), err
			}
			err := personal.Open(&v, keys, at)
			return as(v), err
		},
	}
}

// A Table decodes events by their stored names.
type Table[E Event] map[string]Type[E]

// NewTable returns a table of types. It panics if two have the same name.
func NewTable[E Event](types ...Type[E]) Table[E] {
	table := make(Table[E], len(types))
	for _, t := range types {
		if _, twice := table[t.Name]; twice {
			panic("two event types are named " + t.Name)
		}
		table[t.Name] = t
	}
	return table
}

// Names returns the stored names, sorted.
func (t Table[E]) Names() []string { return slices.Sorted(maps.Keys(t)) }

// ErrUnknown is returned for an event type that the table does not have: a newer program wrote it.
var ErrUnknown = errors.New("unknown event type")

// ErrOldFormat is returned for an event that was written before the stored form was settled.
var ErrOldFormat = errors.New("the log is in the format of a version of Daybook before its first release, which this version cannot read; start with an empty data folder, and import again")

// Decode decodes the event of a place and opens its sealed texts. It returns ErrUnknown for a type that is not in the table.
func (t Table[E]) Decode(at personal.Place, data []byte, keys personal.Keys) (E, error) {
	known, ok := t[at.Type]
	if !ok {
		var none E
		return none, fmt.Errorf("%w %q", ErrUnknown, at.Type)
	}
	at.Part = personal.Data
	e, err := known.decode(data, at, keys)
	if err != nil {
		return e, fmt.Errorf("decoding event %s of type %s: %w", at.Event, at.Type, err)
	}
	return e, nil
}

// Encode returns the event of a place in its stored form, with its texts sealed under the subject's key.
func Encode(e Event, at personal.Place, subject uuid.UUID, keys personal.Keys) ([]byte, error) {
	at.Part = personal.Data
	closed, err := personal.Seal(e, keys, subject, at)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(closed)
	if err != nil {
		return nil, fmt.Errorf("encoding an event of type %s: %w", at.Type, err)
	}
	return data, nil
}

// EncodeMetadata returns the metadata of the event of a place in its stored form, sealed like the event.
func EncodeMetadata(m Metadata, at personal.Place, subject uuid.UUID, keys personal.Keys) ([]byte, error) {
	at.Part = personal.Metadata
	closed, err := personal.Seal(m, keys, subject, at)
	if err != nil {
		return nil, err
	}
	return json.Marshal(closed)
}

// DecodeMetadata decodes the metadata of the event of a place and opens its sealed texts.
func DecodeMetadata(at personal.Place, data []byte, keys personal.Keys) (Metadata, error) {
	at.Part = personal.Metadata
	var m Metadata
	err := json.Unmarshal(data, &m)
	if m.Principal.Kind == "" {
		var says struct {
			Actor     json.RawMessage `json:"actor"`
			Principal json.RawMessage `json:"principal"`
		}
		if json.Unmarshal(data, &says) == nil && says.Actor != nil && says.Principal == nil {
			return m, ErrOldFormat
		}
		err = cmp.Or(err, errors.New("it names no principal"))
	}
	if err != nil {
		return m, fmt.Errorf("decoding the metadata of event %s: %w", at.Event, err)
	}
	return m, personal.Open(&m, keys, at)
}
