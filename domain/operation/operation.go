// Package operation records a long-running plan over many things: what it is about, how much of it is done, and whether
// it has ended. After a crash the plan resumes from this record.
package operation

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
)

// An Operation is the state that rules need.
type Operation struct {
	Begun    bool
	Ended    bool
	Plan     string    // the plan's name
	About    uuid.UUID // the thing that the plan is about
	With     uuid.UUID // another thing that the plan needs; nil: none
	Revision int64     // of that thing, when the plan was made
	Done     int       // how many things have been processed
}

// Stream is the kind of an operation's stream. It is written before the changes that it announces.
var Stream = event.Kind[Operation, Event]{
	Category: "operation",
	Events:   Events,
	Apply:    func(o *Operation, e Event) { e.apply(o) },
	Exists:   func(o Operation) bool { return o.Begun },
	Unknown:  domain.NotFound("operation-unknown", "There is no such operation. Check its id."),
	Order:    event.First,
	Subject:  func(o Operation) uuid.UUID { return o.About },
}

// Of returns the id of the operation that a request begins.
func Of(request uuid.UUID) uuid.UUID { return uuid.NewSHA1(request, []byte(Stream.Category)) }

// Event is what happens to an operation.
type Event interface {
	event.Event
	apply(*Operation)
}

// Events reads operation events back.
var Events = event.NewTable(of[Begun](), of[Progressed](), of[Ended]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Begun: a plan is under way.
type Begun struct {
	Plan     string    `json:"plan"`
	About    uuid.UUID `json:"about"`
	With     uuid.UUID `json:"with,omitzero"`
	Revision int64     `json:"revision"` // of that thing, when the plan was made
}

// EventType returns the stored name.
func (Begun) EventType() string { return "operation-begun" }

func (e Begun) apply(o *Operation) {
	o.Begun, o.Ended, o.Plan, o.About, o.With, o.Revision = true, false, e.Plan, e.About, e.With, e.Revision
}

// Progressed: more things were processed.
type Progressed struct {
	Things int `json:"things"` // how many
}

// EventType returns the stored name.
func (Progressed) EventType() string { return "operation-progressed" }

func (e Progressed) apply(o *Operation) { o.Done += e.Things }

// Ended: nothing is left to do.
type Ended struct{}

// EventType returns the stored name.
func (Ended) EventType() string { return "operation-ended" }

func (Ended) apply(o *Operation) { o.Ended = true }
