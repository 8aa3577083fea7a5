// Package tag is the two registries of tags: those for contacts and those for tickets.
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

// The scopes. A tag of one registry is never a tag of the other.
const (
	Contacts Scope = "contacts"
	Tickets  Scope = "tickets"
)

// Scopes lists the scopes.
var Scopes = []Scope{Contacts, Tickets}

// Stream is the kind of stream that a tag has.
var Stream = event.Kind[Tag, Event]{
	Category: "tag",
	Events:   Events,
	Apply:    func(t *Tag, e Event) { e.apply(t) },
	Exists:   func(t Tag) bool { return t.Created && !t.Deleted },
	Unknown:  domain.NotFound("tag-unknown", "There is no such tag. Create it first."),
	Holds:    func(t Tag) []event.Hold { return []event.Hold{Named(t.Scope, t.Name)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named is a tag's name as a name that only one of its registry may have; case does not tell two names apart.
func Named(scope Scope, name string) event.Hold {
	return event.Hold{Space: "tag/" + string(scope) + "/1", Name: strings.ToLower(name), Taken: "There is a tag of this name already. Use it, or choose another name."}
}

// MustExist refuses a tag that is not there.
func (t Tag) MustExist() error { return Stream.Must(t) }

// MustBeFor refuses a tag that is not there or belongs to the other registry.
func (t Tag) MustBeFor(scope Scope) error {
	if err := Stream.Must(t); err != nil {
		return err
	}
	if t.Scope != scope {
		return domain.Conflict("tag-of-other-registry", "This tag is for %s. Use one that is for %s.", t.Scope, scope)
	}
	return nil
}

// Event is what happens to a tag.
type Event interface {
	event.Event
	apply(*Tag)
}

// Events reads tag events back.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Deleted](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: there is a new tag.
type Created struct {
	Scope Scope  `json:"scope"`
	Name  string `json:"name"`
	Ref   string `json:"ref,omitempty"`
}

// EventType is the stored name.
func (Created) EventType() string { return "tag-created" }

func (e Created) apply(t *Tag) { t.Created, t.Scope, t.Name = true, e.Scope, e.Name }

// Renamed: the tag has another name; where it is stays.
type Renamed struct {
	Name string `json:"name"`
}

// EventType is the stored name.
func (Renamed) EventType() string { return "tag-renamed" }

func (e Renamed) apply(t *Tag) { t.Name = e.Name }

// Deleted: the tag is no longer used; its history stays.
type Deleted struct{}

// EventType is the stored name.
func (Deleted) EventType() string { return "tag-deleted" }

func (Deleted) apply(t *Tag) { t.Deleted = true }

// ClaimLapsed: somebody else needed a name that this tag had claimed but never used. It changes nothing of the tag;
// standing in the stream, it makes the unfinished command that claimed the name begin again.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType is the stored name.
func (ClaimLapsed) EventType() string { return "tag-claim-lapsed" }

func (ClaimLapsed) apply(*Tag) {}
