// Package contact is the people who write to the desk.
//
// A contact has a profile, addresses on channels, at most one company, tags and groups. An address belongs to one
// contact at a time.
package contact

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
)

// A Contact is the state that rules need.
type Contact struct {
	Registered bool
	Deleted    bool
	profile.Profile
	Addresses []Address
	Company   uuid.UUID // nil: none
	Tags      []uuid.UUID
	Groups    []uuid.UUID
}

// Stream is the kind of a contact's stream.
var Stream = event.Kind[Contact, Event]{
	Category: "contact",
	Events:   Events,
	Apply:    func(c *Contact, e Event) { e.apply(c) },
	Exists:   func(c Contact) bool { return c.Registered && !c.Deleted },
	Unknown:  domain.NotFound("contact-unknown", "There is no such contact. Check the id, or register the contact first."),
	Holds:    holds,
	Lapse:    func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// An Address is where a contact writes from.
type Address struct {
	Channel AddressKind   `json:"channel"`
	Value   personal.Text `json:"value"` // normalised
}

// AddressKind is the kind of an address.
type AddressKind string

// The kinds of addresses. A Visitor is identified by an id that the chat window remembers.
const (
	Email    AddressKind = "email"
	Phone    AddressKind = "phone"
	Visitor  AddressKind = "visitor"
	Forum    AddressKind = "forum"
	Facebook AddressKind = "facebook"
	X        AddressKind = "x"
	WhatsApp AddressKind = "whatsapp"
)

// MaxAddresses is how many addresses of one kind a contact may have.
const MaxAddresses = 50

// NewAddress validates an address and normalises it, so that two spellings of it are equal. field is its name as the
// caller sent it. region is the country (ISO 3166) of phone numbers without a country code, or empty.
func NewAddress(kind AddressKind, field, value, region string) (Address, error) {
	var err error
	switch kind {
	case Email:
		value, err = profile.Email(field, value)
	case Phone, WhatsApp:
		value, err = profile.Phone(field, value, region)
	default:
		value, err = profile.Name(field, value)
	}
	return Address{kind, personal.New(value)}, err
}

// normaliser is the version of NewAddress's rules. A new version must also look up the holds of older ones.
const normaliser = "/1"

// Hold returns the address as a name that only one contact may have.
func (a Address) Hold() event.Hold {
	return event.Hold{
		Space: "address/" + string(a.Channel) + normaliser,
		Name:  a.Value.String(),
		Taken: "Another contact has this " + string(a.Channel) + " address. Use that contact, or remove the address from it first.",
	}
}

func holds(c Contact) []event.Hold {
	all := make([]event.Hold, len(c.Addresses))
	for i, a := range c.Addresses {
		all[i] = a.Hold()
	}
	return all
}

// MustExist returns an error if the contact does not exist.
func (c Contact) MustExist() error {
	return Stream.Must(c)
}

// Of returns the contact's addresses of one kind.
func (c Contact) Of(kind AddressKind) []string {
	var values []string
	for _, a := range c.Addresses {
		if a.Channel == kind {
			values = append(values, a.Value.String())
		}
	}
	return values
}

// Has reports whether the contact has an address.
func (c Contact) Has(a Address) bool { return slices.Contains(c.Addresses, a) }
