// Package reservation is who has a name that only one may have: an address, a login, the name of a tag.
//
// Streams cannot be written together, so a name has a stream of its own, called by a keyed hash of the name. Its last
// event says who claimed it. A claim counts only once its holder's own stream shows the name: until then it belongs to a
// command that is under way, or that died. Whoever needs the name then lets the claim lapse in the holder's stream, which
// makes the command under way begin again, and claims it himself.
package reservation

import (
	"github.com/google/uuid"

	"daybook/domain/event"
)

// A Reservation is the state that rules need.
type Reservation struct {
	Category string    // the kind of stream of the holder
	Holder   uuid.UUID // nil: free
}

// Stream is the kind of stream that a name has.
var Stream = event.Kind[Reservation, Event]{
	Category: "reservation",
	Events:   Events,
	Apply:    func(r *Reservation, e Event) { e.apply(r) },
	Exists:   func(r Reservation) bool { return r.Holder != uuid.Nil },
	Order:    event.First,
}

// Event is what happens to a reservation.
type Event interface {
	event.Event
	apply(*Reservation)
}

// Events reads reservation events back.
var Events = event.NewTable(of[Claimed](), of[Released]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Claimed: the name is for this holder, whoever had claimed it before.
type Claimed struct {
	Category string    `json:"category"`
	Holder   uuid.UUID `json:"holder"`
}

// EventType is the stored name.
func (Claimed) EventType() string { return "name-claimed" }

func (e Claimed) apply(r *Reservation) { r.Category, r.Holder = e.Category, e.Holder }

// Released: the name is free.
type Released struct {
	Holder uuid.UUID `json:"holder"`
}

// EventType is the stored name.
func (Released) EventType() string { return "name-released" }

func (e Released) apply(r *Reservation) { r.Holder = uuid.Nil }
