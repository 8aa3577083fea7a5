// Package group is the groups of contacts and companies. Tickets are not grouped: they have tags.
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

// Stream is the kind of a group's stream.
var Stream = event.Kind[Group, Event]{
	Category: "group",
	Events:   Events,
	Apply:    func(g *Group, e Event) { e.apply(g) },
	Exists:   func(g Group) bool { return g.Created && !g.Deleted },
	Unknown:  domain.NotFound("group-unknown", "There is no such group. Check its id or name, or create the group first."),
	Holds:    func(g Group) []event.Hold { return []event.Hold{Named(g.Name)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named returns the hold of a group's name, which is unique regardless of case.
func Named(name string) event.Hold {
	return event.Hold{Space: "group/1", Name: strings.ToLower(name), Taken: "A group with this name already exists. Use it, or choose another name."}
}

// MustExist returns an error if the group does not exist.
func (g Group) MustExist() error {
	return Stream.Must(g)
}

// Event is what happens to a group.
type Event interface {
	event.Event
	apply(*Group)
}

// Events decodes group events.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Restyled](), of[Deleted](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the group was created.
type Created struct {
	Name string `json:"name"`
	Look
	Ref string `json:"ref,omitempty"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "group-created" }

func (e Created) apply(g *Group) { g.Created, g.Name, g.Look = true, e.Name, e.Look }

// Renamed: the group has a new name; its members stay.
type Renamed struct {
	Name string `json:"name"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "group-renamed" }

func (e Renamed) apply(g *Group) { g.Name = e.Name }

// Restyled: the group has new colours.
type Restyled struct {
	Look
}

// EventType returns the stored name.
func (Restyled) EventType() string { return "group-restyled" }

func (e Restyled) apply(g *Group) { g.Look = e.Look }

// Deleted: the group is no longer used; its history stays.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "group-deleted" }

func (Deleted) apply(g *Group) { g.Deleted = true }

// ClaimLapsed: another group needed a name that this one had claimed but never used. It does not change the group; it
// moves the stream's revision, so that the unfinished command that claimed the name starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "group-claim-lapsed" }

func (ClaimLapsed) apply(*Group) {}
