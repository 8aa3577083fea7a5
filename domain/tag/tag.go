// Package tag is the desk's tags. There are two registries: tags for contacts and tags for tickets.
package tag

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/event"
	"daybook/domain/personal"
)

// A Tag is the state that rules need.
type Tag struct {
	Created  bool
	Archived bool
	Scope    Scope
	Name     string
	Held     uuid.UUID // the keyed hash of scope and name
}

// Scope is what a tag can be put on.
type Scope string

// The scopes, one for each registry. A tag belongs to one of them.
const (
	Contacts Scope = "contacts"
	Tickets  Scope = "tickets"
)

// Scopes lists the scopes.
var Scopes = []Scope{Contacts, Tickets}

// Stream is the kind of a tag's stream.
var Stream = event.Kind[Tag, Event]{
	Category: "tag",
	Events:   Events,
	Apply:    func(t *Tag, e Event) { e.apply(t) },
	Exists:   func(t Tag) bool { return t.Created },
	Unknown:  domain.NotFound("tag-unknown", "There is no such tag. Check its id or name, or create the tag first."),
	Holds:    func(t Tag) []event.Hold { return []event.Hold{held(t.Held)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named returns the hold of a tag's name, which is unique within its scope, whatever its case and its look-alike forms: see
// address.Name.
func Named(names personal.Hasher, scope Scope, name string) event.Hold {
	return held(names.Hash("tag/"+string(scope)+address.Version, address.Name(name)))
}

func held(id uuid.UUID) event.Hold {
	return event.Hold{ID: id, Taken: "A tag with this name already exists. Use it, or choose another name."}
}

// MustExist returns an error if the tag does not exist.
func (t Tag) MustExist() error { return Stream.Must(t) }

// MustBeOf returns an error if the tag is none of a scope: one of another scope is as unknown there by its id as by its name.
func (t Tag) MustBeOf(scope Scope) error {
	if err := Stream.Must(t); err != nil || t.Scope == scope {
		return err
	}
	return Stream.Unknown
}

// MustBeFor returns an error if the tag is none of a scope, or archived: it cannot be put on things of the scope.
func (t Tag) MustBeFor(scope Scope) error {
	if err := t.MustBeOf(scope); err != nil || !t.Archived {
		return err
	}
	return domain.Conflict("tag-archived", "This tag is archived. Unarchive it first, or use another tag.")
}

// Event is what happens to a tag.
type Event interface {
	event.Event
	apply(*Tag)
}

// Events decodes tag events.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Archived](), of[Unarchived](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the tag was created.
type Created struct {
	Scope Scope         `json:"scope"`
	Name  string        `json:"name"`
	Held  uuid.UUID     `json:"held" show:"-"` // the keyed hash of scope and name, by which the name is claimed
	Ref   personal.Text `json:"ref,omitzero"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "tag-created" }

func (e Created) apply(t *Tag) { t.Created, t.Scope, t.Name, t.Held = true, e.Scope, e.Name, e.Held }

// Renamed: the tag has a new name; it stays wherever it was put.
type Renamed struct {
	Name string    `json:"name"`
	Held uuid.UUID `json:"held" show:"-"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "tag-renamed" }

func (e Renamed) apply(t *Tag) { t.Name, t.Held = e.Name, e.Held }

// Archived: the tag can be put on nothing more. It stays on what has it and can be found, and its name stays taken.
type Archived struct{}

// EventType returns the stored name.
func (Archived) EventType() string { return "tag-archived" }

func (Archived) apply(t *Tag) { t.Archived = true }

// Unarchived: the tag is in use again.
type Unarchived struct{}

// EventType returns the stored name.
func (Unarchived) EventType() string { return "tag-unarchived" }

func (Unarchived) apply(t *Tag) { t.Archived = false }

// ClaimLapsed: another tag needed a name that this one had claimed but never used. It does not change the tag; it moves
// the stream's revision, so that the unfinished command that claimed the name starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "tag-claim-lapsed" }

func (ClaimLapsed) apply(*Tag) {}
