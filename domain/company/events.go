package company

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
)

// Event is what happens to a company.
type Event interface {
	event.Event
	apply(*Company)
}

// Events decodes company events.
var Events = event.NewTable(of[Registered](), of[Edited](), of[AddressesChanged](), of[JoinedGroup](), of[LeftGroup](), of[Deleted](), of[Restored](), of[FieldSet](), of[FieldCleared](), of[PictureSet](), of[PictureRemoved]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Registered: the company was registered.
type Registered struct {
	profile.Profile
	Emails []personal.Text `json:"emails"`
	Phones []personal.Text `json:"phones"`
	Ref    personal.Text   `json:"ref,omitzero"` // its name in the imported desk
}

// EventType returns the stored name.
func (Registered) EventType() string { return "company-registered" }

func (e Registered) apply(c *Company) {
	c.Registered = true
	c.Profile, c.Emails, c.Phones = e.Profile, e.Emails, e.Phones
}

// Edited: some fields of the profile have new values.
type Edited struct {
	profile.Changes
}

// EventType returns the stored name.
func (Edited) EventType() string { return "company-edited" }

func (e Edited) apply(c *Company) { c.Profile.Apply(e.Changes) }

// AddressesChanged: these are now all e-mail addresses and phone numbers of the company.
type AddressesChanged struct {
	Emails []personal.Text `json:"emails"`
	Phones []personal.Text `json:"phones"`
}

// EventType returns the stored name.
func (AddressesChanged) EventType() string { return "company-addresses-changed" }

func (e AddressesChanged) apply(c *Company) { c.Emails, c.Phones = e.Emails, e.Phones }

// JoinedGroup: the company was added to a group.
type JoinedGroup struct {
	Group uuid.UUID `json:"group"`
}

// EventType returns the stored name.
func (JoinedGroup) EventType() string { return "company-joined-group" }

func (e JoinedGroup) apply(c *Company) { c.Groups = append(slices.Clone(c.Groups), e.Group) }

// LeftGroup: the company was removed from a group.
type LeftGroup struct {
	Group uuid.UUID `json:"group"`
}

// EventType returns the stored name.
func (LeftGroup) EventType() string { return "company-left-group" }

func (e LeftGroup) apply(c *Company) {
	c.Groups = slices.DeleteFunc(slices.Clone(c.Groups), func(g uuid.UUID) bool { return g == e.Group })
}

// Deleted: the company is no longer used; its history stays.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "company-deleted" }

func (Deleted) apply(c *Company) { c.Deleted = true }

// Restored: the company is in use again, without the contacts who left it when it was deleted.
type Restored struct{}

// EventType returns the stored name.
func (Restored) EventType() string { return "company-restored" }

func (Restored) apply(c *Company) { c.Deleted = false }
