// Package event is what all events share: a type name for ever, a table that reads them back, and metadata that says
// who did it, when, why and because of what.
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
	// EventType is the stored name, for ever. It never follows the Go name.
	EventType() string
}

// Metadata goes with every event from the first one on.
type Metadata struct {
	At          time.Time     `json:"at"`                       // when it happened, by the caller's word; UTC, microseconds
	Actor       Actor         `json:"actor"`                    // who did it
	Through     string        `json:"through"`                  // what it came through: "api", "import:journal", "first-start", …
	Reason      personal.Text `json:"reason"`                   // why, in the actor's words
	Request     uuid.UUID     `json:"request"`                  // the command that made it; the same on every retry
	Digest      string        `json:"digest,omitempty"`         // of the command's body, so that a request reused for another is noticed
	Correlation string        `json:"$correlationId,omitempty"` // the conversation that it belongs to
	Causation   string        `json:"$causationId,omitempty"`   // the event or command that led to it
}

// An Actor is who did it: an agent, a contact, a rule, an API key, or the system itself.
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

// TheSystem is Daybook acting of its own accord.
var TheSystem = Actor{Kind: System}

// String writes an actor as it is stored: "system" or "KIND:ID".
func (a Actor) String() string {
	if a.Kind == System || a.Kind == "" {
		return string(System)
	}
	return string(a.Kind) + ":" + a.ID.String()
}

// MarshalText writes what String does.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Actor) UnmarshalText(text []byte) error {
	kind, id, found := strings.Cut(string(text), ":")
	if !found && kind == string(System) {
		*a = TheSystem
		return nil
	}
	if !slices.Contains([]ActorKind{Agent, Contact, Rule, Key}, ActorKind(kind)) {
		return fmt.Errorf("%q is no actor: write system or KIND:ID", text)
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("%q is no actor: %w", text, err)
	}
	*a = Actor{ActorKind(kind), parsed}
	return nil
}

// AgentID returns the agent who acted, or nil.
func (a Actor) AgentID() uuid.UUID {
	if a.Kind != Agent {
		return uuid.Nil
	}
	return a.ID
}

// Written is an event as it stands in the log, whose writer need not read it back.
type Written struct {
	Event    Event
	ID       uuid.UUID
	Metadata Metadata
	Revision int64  // in its stream
	Position uint64 // in the log; that of the last event of those that were written at once
}

// A Type reads one type of event back. E is the interface that all events of its room fulfil.
type Type[E Event] struct {
	Name   string
	decode func(data []byte, id uuid.UUID, keys personal.Keys) (E, error)
}

// TypeOf describes the event type T; as is the identity, and lets the compiler see that T belongs to the room.
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

// A Table reads events back by their stored names.
type Table[E Event] map[string]Type[E]

// NewTable makes a table. Two types of one name are a mistake in the program.
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

// Names lists the stored names, sorted.
func (t Table[E]) Names() []string { return slices.Sorted(maps.Keys(t)) }

// ErrUnknown is what decoding a type that the table does not have comes to: an event of a newer program.
var ErrUnknown = errors.New("unknown event type")

// Decode reads an event back and opens what was sealed in it. id is the event's.
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

// Encode writes an event as it is stored, its texts sealed under the subject's key.
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

// EncodeMetadata writes metadata as it is stored.
func EncodeMetadata(m Metadata, id, subject uuid.UUID, keys personal.Keys) ([]byte, error) {
	closed, err := personal.Seal(m, keys, subject, id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(closed)
}

// DecodeMetadata reads metadata back. id is the event's.
func DecodeMetadata(data []byte, id uuid.UUID, keys personal.Keys) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("decoding the metadata of event %s: %w", id, err)
	}
	return m, personal.Open(&m, keys, id)
}
