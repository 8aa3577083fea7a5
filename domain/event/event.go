// Package event is what all events share: a stored type name that never changes, a table that decodes them, and metadata
// that says who did it, when, why and what caused it.
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/domain/personal"
)

// An Event is something that happened on the desk.
type Event interface {
	// EventType returns the stored name. It never changes, whatever the Go type is called.
	EventType() string
}

// Metadata is stored with every event.
type Metadata struct {
	At          time.Time     `json:"at"`                       // when it happened, as the caller says; UTC, to the microsecond
	Actor       Actor         `json:"actor"`                    // who did it
	Through     string        `json:"through"`                  // how it came in: "api", "import:journal", "first-start", …
	Reason      personal.Text `json:"reason"`                   // why, in the actor's words
	Request     uuid.UUID     `json:"request"`                  // the request that caused it; the same on every retry
	Digest      string        `json:"digest,omitempty"`         // of the request's body, so that an id reused for another request is detected
	Correlation string        `json:"$correlationId,omitempty"` // groups everything that one request or import led to
	Causation   string        `json:"$causationId,omitempty"`   // the event or request that directly led to it
}

// An Actor is who did something: an agent, a contact, a rule, an API key or the system.
type Actor struct {
	Kind ActorKind
	ID   uuid.UUID // nil for the system
}

// ActorKind is the kind of an actor.
type ActorKind string

// The kinds of actors.
const (
	System  ActorKind = "system"
	Agent   ActorKind = "agent"
	Contact ActorKind = "contact"
	Rule    ActorKind = "rule"
	Key     ActorKind = "key"
)

// TheSystem is Daybook acting on its own.
var TheSystem = Actor{Kind: System}

// String returns the actor as it is stored: "system" or "KIND:ID".
func (a Actor) String() string {
	if a.Kind == System || a.Kind == "" {
		return string(System)
	}
	return string(a.Kind) + ":" + a.ID.String()
}

// MarshalText returns String's form.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses MarshalText's form.
func (a *Actor) UnmarshalText(text []byte) error {
	kind, id, found := strings.Cut(string(text), ":")
	if !found && kind == string(System) {
		*a = TheSystem
		return nil
	}
	if !slices.Contains([]ActorKind{Agent, Contact, Rule, Key}, ActorKind(kind)) {
		return fmt.Errorf("%q is not an actor: write system or KIND:ID", text)
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("%q is not an actor: %w", text, err)
	}
	*a = Actor{ActorKind(kind), parsed}
	return nil
}

// AgentID returns the agent who acted, or uuid.Nil.
func (a Actor) AgentID() uuid.UUID {
	if a.Kind != Agent {
		return uuid.Nil
	}
	return a.ID
}

// Written is an event that was just appended, so that its writer need not read it back.
type Written struct {
	Event    Event
	ID       uuid.UUID
	Metadata Metadata
	Revision int64  // in its stream
	Position uint64 // in the log; for events of one append, the position of the last
}

// A Type decodes one type of event. E is the interface that all events of its package implement.
type Type[E Event] struct {
	Name   string
	decode func(data []byte, id uuid.UUID, keys personal.Keys) (E, error)
}

// TypeOf describes the event type T. as is the identity function; it makes the compiler check that T is an E.
func TypeOf[E Event, T Event](as func(T) E) Type[E] {
	var zero T
	return Type[E]{
		Name: zero.EventType(),
		decode: func(data []byte, id uuid.UUID, keys personal.Keys) (E, error) {
			var v T
			if err := json.Unmarshal(data, &v); err != nil {
				return as(v), err
			}
			err := personal.Open(&v, keys, id)
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

// Decode decodes an event and opens its sealed texts. id is the event's id. It returns ErrUnknown for a name that is not
// in the table.
func (t Table[E]) Decode(name string, data []byte, id uuid.UUID, keys personal.Keys) (E, error) {
	known, ok := t[name]
	if !ok {
		var none E
		return none, fmt.Errorf("%w %q", ErrUnknown, name)
	}
	e, err := known.decode(data, id, keys)
	if err != nil {
		return e, fmt.Errorf("decoding event %s of type %s: %w", id, name, err)
	}
	return e, nil
}

// Encode returns an event in its stored form, with its texts sealed under the subject's key.
func Encode(e Event, id, subject uuid.UUID, keys personal.Keys) ([]byte, error) {
	closed, err := personal.Seal(e, keys, subject, id)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(closed)
	if err != nil {
		return nil, fmt.Errorf("encoding an event of type %s: %w", e.EventType(), err)
	}
	return data, nil
}

// EncodeMetadata returns metadata in its stored form, sealed like its event.
func EncodeMetadata(m Metadata, id, subject uuid.UUID, keys personal.Keys) ([]byte, error) {
	closed, err := personal.Seal(m, keys, subject, id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(closed)
}

// DecodeMetadata decodes an event's metadata and opens its sealed texts. id is the event's id.
func DecodeMetadata(data []byte, id uuid.UUID, keys personal.Keys) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("decoding the metadata of event %s: %w", id, err)
	}
	return m, personal.Open(&m, keys, id)
}
