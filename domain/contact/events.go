package contact

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
)

// Event is what happens to a contact.
type Event interface {
	event.Event
	apply(*Contact)
}

// Events decodes contact events.
var Events = event.NewTable(
	of[Registered](), of[Edited](), of[AddressAdded](), of[AddressRemoved](), of[ClaimLapsed](),
	of[AssignedCompany](), of[LeftCompany](), of[Tagged](), of[Untagged](), of[JoinedGroup](), of[LeftGroup](), of[Deleted](), of[Restored](),
	of[OfferMade](), of[OfferClosed](), of[DuplicateFound](), of[Located](), of[Visited](), of[Engaged](),
	of[FieldSet](), of[FieldCleared](),
	of[NoteAdded](), of[NoteEdited](), of[NoteRemoved](),
	of[PictureSet](), of[PictureRemoved](),
)

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Registered: the contact was registered, by a person or because they wrote to the desk.
type Registered struct {
	profile.Profile
	Addresses []Address     `json:"addresses"`
	Visiting  bool          `json:"visiting,omitempty"` // because they were on the website
	Ref       personal.Text `json:"ref,omitzero"`       // the contact's name in the imported desk
}

// EventType returns the stored name.
func (Registered) EventType() string { return "contact-registered" }

func (e Registered) apply(c *Contact) {
	c.Registered, c.Mere = true, e.Visiting
	c.Profile = e.Profile
	c.Addresses = slices.Clone(e.Addresses)
}

// Edited: some fields of the profile have new values.
type Edited struct {
	profile.Changes
}

// EventType returns the stored name.
func (Edited) EventType() string { return "contact-edited" }

func (e Edited) apply(c *Contact) {
	c.Profile.Apply(e.Changes)
	c.ZoneDerived = c.ZoneDerived && e.TimeZone == nil
}

// AddressAdded: the contact can be reached, and is recognised, at one more address.
type AddressAdded struct {
	Address
}

// EventType returns the stored name.
func (AddressAdded) EventType() string { return "contact-address-added" }

func (e AddressAdded) apply(c *Contact) { c.Addresses = append(slices.Clone(c.Addresses), e.Address) }

// AddressRemoved: the address is no longer this contact's.
type AddressRemoved struct {
	Address
}

// EventType returns the stored name.
func (AddressRemoved) EventType() string { return "contact-address-removed" }

func (e AddressRemoved) apply(c *Contact) {
	c.Addresses = slices.DeleteFunc(slices.Clone(c.Addresses), e.Address.Is)
}

// ClaimLapsed: another contact needed an address that this one had claimed but never used. It does not change the
// contact; it moves the stream's revision, so that the unfinished command that claimed the address starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "contact-claim-lapsed" }

func (ClaimLapsed) apply(*Contact) {}

// AssignedCompany: the contact was assigned to a company. A contact belongs to at most one.
type AssignedCompany struct {
	Company uuid.UUID `json:"company"`
}

// EventType returns the stored name.
func (AssignedCompany) EventType() string { return "contact-assigned-company" }

func (e AssignedCompany) apply(c *Contact) { c.Company = e.Company }

// LeftCompany: the contact was removed from its company.
type LeftCompany struct {
	Company uuid.UUID `json:"company"`
}

// EventType returns the stored name.
func (LeftCompany) EventType() string { return "contact-left-company" }

func (LeftCompany) apply(c *Contact) { c.Company = uuid.Nil }

// Tagged: the contact was tagged.
type Tagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType returns the stored name.
func (Tagged) EventType() string { return "contact-tagged" }

func (e Tagged) apply(c *Contact) { c.Tags = append(slices.Clone(c.Tags), e.Tag) }

// Untagged: a tag was removed from the contact.
type Untagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType returns the stored name.
func (Untagged) EventType() string { return "contact-untagged" }

func (e Untagged) apply(c *Contact) { c.Tags = without(c.Tags, e.Tag) }

// JoinedGroup: the contact was added to a group.
type JoinedGroup struct {
	Group uuid.UUID `json:"group"`
}

// EventType returns the stored name.
func (JoinedGroup) EventType() string { return "contact-joined-group" }

func (e JoinedGroup) apply(c *Contact) { c.Groups = append(slices.Clone(c.Groups), e.Group) }

// LeftGroup: the contact was removed from a group.
type LeftGroup struct {
	Group uuid.UUID `json:"group"`
}

// EventType returns the stored name.
func (LeftGroup) EventType() string { return "contact-left-group" }

func (e LeftGroup) apply(c *Contact) { c.Groups = without(c.Groups, e.Group) }

// Deleted: the contact is no longer used; its addresses are free, its history stays.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "contact-deleted" }

func (Deleted) apply(c *Contact) { c.Deleted = true }

// Restored: the contact is in use again. Addresses that other contacts have taken meanwhile are no longer theirs.
type Restored struct {
	Lost []Address `json:"lost,omitempty"`
}

// EventType returns the stored name.
func (Restored) EventType() string { return "contact-restored" }

func (e Restored) apply(c *Contact) {
	c.Deleted = false
	c.Addresses = slices.DeleteFunc(slices.Clone(c.Addresses), func(a Address) bool { return slices.ContainsFunc(e.Lost, a.Is) })
}

// OfferMade: the contact sent a value that differs from what the desk knows of them. It changes nothing until an agent
// takes it.
type OfferMade struct {
	Offer
}

// MaxOffers is how many open offers a contact may have. More are not kept.
const MaxOffers = 20

// EventType returns the stored name.
func (OfferMade) EventType() string { return "contact-offer-made" }

func (e OfferMade) apply(c *Contact) {
	c.Offers = append(slices.Clone(c.Offers), e.Offer)
	c.Offered = append(slices.Clone(c.Offered), e.ID)
}

// OfferClosed: an offer is open no more.
type OfferClosed struct {
	Offer   uuid.UUID `json:"offer"`
	Outcome Outcome   `json:"outcome"`
}

// Outcome is why an offer is closed.
type Outcome string

// The outcomes. An offer is fulfilled if the value is the contact's by now, accepted if an agent took it, dismissed if an agent did not.
const (
	Fulfilled Outcome = "fulfilled"
	Accepted  Outcome = "accepted"
	Dismissed Outcome = "dismissed"
)

// EventType returns the stored name.
func (OfferClosed) EventType() string { return "contact-offer-closed" }

func (e OfferClosed) apply(c *Contact) {
	c.Offers = slices.DeleteFunc(slices.Clone(c.Offers), func(o Offer) bool { return o.ID == e.Offer })
}

// DuplicateFound: the contact and another one may be the same person, since the contact sent an address of the other. The
// same is recorded for the other contact.
type DuplicateFound struct {
	Contact uuid.UUID `json:"contact"` // the other
}

// EventType returns the stored name.
func (DuplicateFound) EventType() string { return "contact-duplicate-found" }

func (e DuplicateFound) apply(c *Contact) {
	c.Duplicates = append(slices.Clone(c.Duplicates), e.Contact)
}

// without returns a copy of list without item.
func without[T comparable](list []T, item T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return t == item })
}
