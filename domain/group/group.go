// Package group is the groups of contacts and companies. Tickets are not grouped: they have tags.
package group

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/event"
	"daybook/domain/personal"
)

// A Group is the state that rules need.
type Group struct {
	Created  bool
	Archived bool
	Name     string
	Held     uuid.UUID // the keyed hash of the name
	Look     Look
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
	Exists:   func(g Group) bool { return g.Created },
	Unknown:  domain.NotFound("group-unknown", "There is no such group. Check its id or name, or create the group first."),
	Holds:    func(g Group) []event.Hold { return []event.Hold{held(g.Held)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named returns the hold of a group's name, which is unique whatever its case and its look-alike forms: see address.Name.
func Named(names personal.Hasher, name string) event.Hold {
	return held(names.Hash("group"+address.Version, address.Name(name)))
}

func held(id uuid.UUID) event.Hold {
	return event.Hold{ID: id, Taken: "A group with this name already exists. Use it, or choose another name."}
}

// MustExist returns an error if the group does not exist.
func (g Group) MustExist() error {
	return Stream.Must(g)
}

// MustBeUsable returns an error if the group does not exist or is archived: nothing can be added to it.
func (g Group) MustBeUsable() error {
	if err := Stream.Must(g); err != nil {
		return err
	}
	if g.Archived {
		return domain.Conflict("group-archived", "This group is archived. Unarchive it first, or use another group.")
	}
	return nil
}

// Event is what happens to a group.
type Event interface {
	event.Event
	apply(*Group)
}

// Events decodes group events.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Restyled](), of[Archived](), of[Unarchived](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the group was created.
type Created struct {
	Name string    `json:"name"`
	Held uuid.UUID `json:"held" show:"-"` // the keyed hash of the name, by which it is claimed
	Look
	Ref personal.Text `json:"ref,omitzero"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "group-created" }

func (e Created) apply(g *Group) { g.Created, g.Name, g.Held, g.Look = true, e.Name, e.Held, e.Look }

// Renamed: the group has a new name; its members stay.
type Renamed struct {
	Name string    `json:"name"`
	Held uuid.UUID `json:"held" show:"-"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "group-renamed" }

func (e Renamed) apply(g *Group) { g.Name, g.Held = e.Name, e.Held }

// Restyled: the group has new colours.
type Restyled struct {
	Look
}

// EventType returns the stored name.
func (Restyled) EventType() string { return "group-restyled" }

func (e Restyled) apply(g *Group) { g.Look = e.Look }

// Archived: the group can be put on nothing more. It stays on what has it and can be found, and its name stays taken.
type Archived struct{}

// EventType returns the stored name.
func (Archived) EventType() string { return "group-archived" }

func (Archived) apply(g *Group) { g.Archived = true }

// Unarchived: the group is in use again.
type Unarchived struct{}

// EventType returns the stored name.
func (Unarchived) EventType() string { return "group-unarchived" }

func (Unarchived) apply(g *Group) { g.Archived = false }

// ClaimLapsed: another group needed a name that this one had claimed but never used. It does not change the group; it
// moves the stream's revision, so that the unfinished command that claimed the name starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "group-claim-lapsed" }

func (ClaimLapsed) apply(*Group) {}
