// Package desk is what belongs to the desk as a whole: who its owners are, which journal lines were imported, and what became of its
// log.
package desk

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/event"
)

// Owners is the list of the desk's owners. A desk has at least one. Because all owners share this stream, two who step
// down at once do so one after the other.
type Owners struct {
	Agents []uuid.UUID
}

// OwnersID is the id of the only list.
var OwnersID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("daybook:owners"))

// OwnersStream is the kind of the list's stream.
var OwnersStream = event.Kind[Owners, OwnersEvent]{
	Category: "owners",
	Events:   OwnersEvents,
	Apply:    func(o *Owners, e OwnersEvent) { e.apply(o) },
	Exists:   func(o Owners) bool { return len(o.Agents) > 0 },
	Order:    event.First,
	Keyless:  true,
}

// OwnersEvent is what happens to the list of owners.
type OwnersEvent interface {
	event.Event
	apply(*Owners)
}

// OwnersEvents decodes the list's events.
var OwnersEvents = event.NewTable(ofOwners[OwnerEntered](), ofOwners[OwnerStruck]())

func ofOwners[T OwnersEvent]() event.Type[OwnersEvent] {
	return event.TypeOf(func(e T) OwnersEvent { return e })
}

// OwnerEntered: the agent is an owner, or is about to be.
type OwnerEntered struct {
	Agent uuid.UUID `json:"agent"`
}

// EventType returns the stored name.
func (OwnerEntered) EventType() string { return "owner-entered" }

func (e OwnerEntered) apply(o *Owners) {
	if !slices.Contains(o.Agents, e.Agent) {
		o.Agents = append(slices.Clone(o.Agents), e.Agent)
	}
}

// OwnerStruck: the agent is no longer an owner, or is about to stop being one.
type OwnerStruck struct {
	Agent uuid.UUID `json:"agent"`
}

// EventType returns the stored name.
func (OwnerStruck) EventType() string { return "owner-struck" }

func (e OwnerStruck) apply(o *Owners) {
	o.Agents = slices.DeleteFunc(slices.Clone(o.Agents), func(a uuid.UUID) bool { return a == e.Agent })
}
