// Package field is the desk's custom fields, for contacts and for companies, and the values that they can have.
package field

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/event"
	"daybook/domain/personal"
)

// A Field is the state that rules need.
type Field struct {
	Defined  bool
	Archived bool
	Scope    Scope
	Type     Type
	Name     string
	Order    int
	Held     uuid.UUID // the keyed hash of scope and name
}

// Scope is what has a field.
type Scope string

// The scopes. A field belongs to one of them.
const (
	Contacts  Scope = "contacts"
	Companies Scope = "companies"
)

// Scopes lists the scopes.
var Scopes = []Scope{Contacts, Companies}

// Stream is the kind of a field's stream.
var Stream = event.Kind[Field, Event]{
	Category: "field",
	Events:   Events,
	Apply:    func(f *Field, e Event) { e.apply(f) },
	Exists:   func(f Field) bool { return f.Defined },
	Unknown:  domain.NotFound("field-unknown", "There is no such custom field. Check its id or name, or define the field first."),
	Holds:    func(f Field) []event.Hold { return []event.Hold{held(f.Held)} },
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// Named returns the hold of a field's name, which is unique within its scope, whatever its case and its look-alike forms: see
// address.Name.
func Named(names personal.Hasher, scope Scope, name string) event.Hold {
	return held(names.Hash("field/"+string(scope)+address.Version, address.Name(name)))
}

func held(id uuid.UUID) event.Hold {
	return event.Hold{ID: id, Taken: "A custom field with this name already exists. Use it, or choose another name."}
}

// MustExist returns an error if the field does not exist.
func (f Field) MustExist() error { return Stream.Must(f) }

// MustBeOf returns an error if the field is none of a scope: one of another scope is as unknown there by its id as by its name.
func (f Field) MustBeOf(scope Scope) error {
	if err := Stream.Must(f); err != nil || f.Scope == scope {
		return err
	}
	return Stream.Unknown
}

// MustBeFor returns an error if the field is none of a scope, or archived: it can be set on nothing.
func (f Field) MustBeFor(scope Scope) error {
	if err := f.MustBeOf(scope); err != nil || !f.Archived {
		return err
	}
	return domain.Conflict("field-archived", "This custom field is archived. Take it out of the archive first, or use another field.")
}

// Event is what happens to a field.
type Event interface {
	event.Event
	apply(*Field)
}

// Events decodes field events.
var Events = event.NewTable(of[Defined](), of[Renamed](), of[Moved](), of[Archived](), of[Unarchived](), of[ClaimLapsed]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Defined: the field was defined. Its type never changes.
type Defined struct {
	Scope Scope         `json:"scope"`
	Name  string        `json:"name"`
	Type  Type          `json:"type"`
	Order int           `json:"order"`
	Held  uuid.UUID     `json:"held" show:"-"` // the keyed hash of scope and name, by which the name is claimed
	Ref   personal.Text `json:"ref,omitzero"`
}

// EventType returns the stored name.
func (Defined) EventType() string { return "field-defined" }

func (e Defined) apply(f *Field) {
	f.Defined, f.Scope, f.Name, f.Type, f.Order, f.Held = true, e.Scope, e.Name, e.Type, e.Order, e.Held
}

// Renamed: the field has a new name; its values stay.
type Renamed struct {
	Name string    `json:"name"`
	Held uuid.UUID `json:"held" show:"-"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "field-renamed" }

func (e Renamed) apply(f *Field) { f.Name, f.Held = e.Name, e.Held }

// Moved: the field has another place among the others. Lower numbers come first.
type Moved struct {
	Order int `json:"order"`
}

// EventType returns the stored name.
func (Moved) EventType() string { return "field-moved" }

func (e Moved) apply(f *Field) { f.Order = e.Order }

// Archived: the field can be set on nothing more. Values stay, and its name stays taken.
type Archived struct{}

// EventType returns the stored name.
func (Archived) EventType() string { return "field-archived" }

func (Archived) apply(f *Field) { f.Archived = true }

// Unarchived: the field is in use again.
type Unarchived struct{}

// EventType returns the stored name.
func (Unarchived) EventType() string { return "field-unarchived" }

func (Unarchived) apply(f *Field) { f.Archived = false }

// ClaimLapsed: another field needed a name that this one had claimed but never used. It does not change the field; it moves
// the stream's revision, so that the unfinished command that claimed the name starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "field-claim-lapsed" }

func (ClaimLapsed) apply(*Field) {}
