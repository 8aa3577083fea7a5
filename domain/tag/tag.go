// Package tag is the desk's tags. There are two registries: tags for contacts and tags for tickets.
package tag

import (
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
)

// A Tag is the state that rules need.
type Tag struct {
	Created bool
	Deleted bool
	Scope   Scope
	Name    string
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
	Exists:   func(t Tag) bool { return t.Created && !t.Deleted },
	Unknown:  domain.NotFound("tag-unknown", "There is no such tag. Check its id or name, or create the tag first."),
	Holds:    func(t Tag) []event.Hold { return []event.Hold{Named(t.Scope, t.Name)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named returns the hold of a tag's name, which is unique within its scope regardless of case.
func Named(scope Scope, name string) event.Hold {
	return event.Hold{Space: "tag/" + string(scope) + "/1", Name: strings.ToLower(name), Taken: "A tag with this name already exists. Use it, or choose another name."}
}

// MustExist returns an error if the tag does not exist.
func (t Tag) MustExist() error { return Stream.Must(t) }

// MustBeFor returns an error if the tag does not exist or has another scope.
func (t Tag) MustBeFor(scope Scope) error {
	if err := Stream.Must(t); err != nil {
		return err
	}
	if t.Scope != scope {
		return domain.Conflict("tag-of-other-registry", "This tag is for %s. Use a tag for %s.", t.Scope, scope)
	}
	return nil
}

// Event is what happens to a tag.
type Event interface {
	event.Event
	apply(*Tag)
}

// Events decodes tag events.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Deleted](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the tag was created.
type Created struct {
	Scope Scope  `json:"scope"`
	Name  string `json:"name"`
	Ref   string `json:"ref,omitempty"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "tag-created" }

func (e Created) apply(t *Tag) { t.Created, t.Scope, t.Name = true, e.Scope, e.Name }

// Renamed: the tag has a new name; it stays wherever it was put.
type Renamed struct {
	Name string `json:"name"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "tag-renamed" }

func (e Renamed) apply(t *Tag) { t.Name = e.Name }

// Deleted: the tag is no longer used; its history stays.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "tag-deleted" }

func (Deleted) apply(t *Tag) { t.Deleted = true }

// ClaimLapsed: another tag needed a name that this one had claimed but never used. It does not change the tag; it moves
// the stream's revision, so that the unfinished command that claimed the name starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "tag-claim-lapsed" }

func (ClaimLapsed) apply(*Tag) {}
