// Package key is the API keys of the desk, as far as they belong in the audit trail: who was given one, what it allowed, and
// when it was revoked. The keys themselves, and whether they are valid, are in the vault.
package key

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// A Key is the state that rules need.
type Key struct {
	Created bool
	Revoked bool
	Agent   uuid.UUID // whom it acts as; nil: itself
}

// Stream is the kind of a key's stream.
var Stream = event.Kind[Key, Event]{
	Category: "key",
	Events:   Events,
	Apply:    func(k *Key, e Event) { e.apply(k) },
	Exists:   func(k Key) bool { return k.Created },
	Unknown:  domain.NotFound("key-unknown", "There is no such API key."),
	Subject:  func(k Key) uuid.UUID { return k.Agent },
}

// Event is what happens to a key.
type Event interface {
	event.Event
	apply(*Key)
}

// Events decodes key events.
var Events = event.NewTable(of[Created](), of[Revoked]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: an API key was created.
type Created struct {
	Name  personal.Text `json:"name"`
	Role  role.Role     `json:"role"`
	Agent uuid.UUID     `json:"agent,omitzero"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "key-created" }

func (e Created) apply(k *Key) { k.Created, k.Agent = true, e.Agent }

// Revoked: the key allows nothing any more.
type Revoked struct{}

// EventType returns the stored name.
func (Revoked) EventType() string { return "key-revoked" }

func (Revoked) apply(k *Key) { k.Revoked = true }
