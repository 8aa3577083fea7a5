// Package group is the groups that contacts and companies are sorted into. A group is never put on a ticket: tickets
// have tags.
package group

import (
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
)

// A Group is the state that rules need.
type Group struct {
	Created bool
	Deleted bool
	Name    string
	Look    Look
}

// A Look is how a group is shown: two colours as #rrggbb, or empty.
type Look struct {
	Color      string `json:"color"`
	Background string `json:"background"`
}

// Stream is the kind of stream that a group has.
var Stream = event.Kind[Group, Event]{
	Category: "group",
	Events:   Events,
	Apply:    func(g *Group, e Event) { e.apply(g) },
	Exists:   func(g Group) bool { return g.Created && !g.Deleted },
	Unknown:  domain.NotFound("group-unknown", "There is no such group. Create it first."),
	Holds:    func(g Group) []event.Hold { return []event.Hold{Named(g.Name)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named is a group's name as a name that only one may have; case does not tell two names apart.
func Named(name string) event.Hold {
	return event.Hold{Space: "group/1", Name: strings.ToLower(name), Taken: "There is a group of this name already. Use it, or choose another name."}
}

// MustExist refuses a group that is not there.
func (g Group) MustExist() error {
	return Stream.Must(g)
}

// Event is what happens to a group.
type Event interface {
	event.Event
	apply(*Group)
}

// Events reads group events back.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Restyled](), of[Deleted](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: there is a new group.
type Created struct {
	Name string `json:"name"`
	Look
	Ref string `json:"ref,omitempty"`
}

// EventType is the stored name.
func (Created) EventType() string { return "group-created" }

func (e Created) apply(g *Group) { g.Created, g.Name, g.Look = true, e.Name, e.Look }

// Renamed: the group has another name; who is in it stays.
type Renamed struct {
	Name string `json:"name"`
}

// EventType is the stored name.
func (Renamed) EventType() string { return "group-renamed" }

func (e Renamed) apply(g *Group) { g.Name = e.Name }

// Restyled: the group is shown in other colours.
type Restyled struct {
	Look
}

// EventType is the stored name.
func (Restyled) EventType() string { return "group-restyled" }

func (e Restyled) apply(g *Group) { g.Look = e.Look }

// Deleted: the group is no longer used; its history stays.
type Deleted struct{}

// EventType is the stored name.
func (Deleted) EventType() string { return "group-deleted" }

func (Deleted) apply(g *Group) { g.Deleted = true }

// ClaimLapsed: somebody else needed a name that this group had claimed but never used. It changes nothing of the group;
// standing in the stream, it makes the unfinished command that claimed the name begin again.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType is the stored name.
func (ClaimLapsed) EventType() string { return "group-claim-lapsed" }

func (ClaimLapsed) apply(*Group) {}
