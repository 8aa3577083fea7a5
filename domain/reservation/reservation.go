// Package reservation keeps names unique: addresses, logins, names of tags and groups.
//
// Two streams cannot be written in one transaction, so each name has a stream of its own, whose id is a keyed hash of the
// name. The last event of that stream says who claimed the name. A claim counts only once the holder's own stream shows
// the name. Until then it belongs to a command that is still running, or that died. Another command that needs the name
// writes to the holder's stream that the claim lapsed, which makes a command that is still running start over, and then
// claims the name for its own thing.
package reservation

import (
	"github.com/google/uuid"

	"daybook/domain/event"
)

// A Reservation is the state that rules need.
type Reservation struct {
	Category string    // category of the holder
	Holder   uuid.UUID // nil: free
}

// Stream is the kind of a name's stream.
var Stream = event.Kind[Reservation, Event]{
	Category: "reservation",
	Events:   Events,
	Apply:    func(r *Reservation, e Event) { e.apply(r) },
	Exists:   func(r Reservation) bool { return r.Holder != uuid.Nil },
	Order:    event.First,
	Keyless:  true,
}

// Event is what happens to a reservation.
type Event interface {
	event.Event
	apply(*Reservation)
}

// Events decodes reservation events.
var Events = event.NewTable(of[Claimed](), of[Released]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Claimed: the name is claimed for this holder, and no longer for an earlier one.
type Claimed struct {
	Category string    `json:"category"`
	Holder   uuid.UUID `json:"holder"`
}

// EventType returns the stored name.
func (Claimed) EventType() string { return "name-claimed" }

func (e Claimed) apply(r *Reservation) { r.Category, r.Holder = e.Category, e.Holder }

// Released: the name is free.
type Released struct {
	Holder uuid.UUID `json:"holder"`
}

// EventType returns the stored name.
func (Released) EventType() string { return "name-released" }

func (e Released) apply(r *Reservation) { r.Holder = uuid.Nil }
