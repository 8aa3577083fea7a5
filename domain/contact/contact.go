// Package contact is the people who write to the desk.
//
// A contact has a profile, addresses on channels, at most one company, tags and groups. An address belongs to one
// contact at a time.
package contact

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/personal"
	"daybook/domain/picture"
	"daybook/domain/profile"
)

// A Contact is the state that rules need.
type Contact struct {
	Registered bool
	Deleted    bool
	profile.Profile
	Visited       time.Time     // when a visit was last recorded
	Mere          bool          // the contact did nothing but visit
	Country       string        // ISO 3166; empty: not known
	CountrySource CountrySource // from where
	ZoneDerived   bool          // TimeZone follows from the country
	Addresses     []Address
	Company       uuid.UUID // nil: none
	Tags          []uuid.UUID
	Groups        []uuid.UUID
	Offers        []Offer     // the open ones
	Offered       []uuid.UUID // every offer that was ever made
	Duplicates    []uuid.UUID // contacts who may be the same person
	Fields        field.Values
	Notes         []uuid.UUID // those that were not removed
	Picture       picture.Picture
}

// Stream is the kind of a contact's stream.
var Stream = event.Kind[Contact, Event]{
	Category: "contact",
	Events:   Events,
	Apply: func(c *Contact, e Event) {
		c.Mere = c.Mere && Visiting(e)
		e.apply(c)
	},
	Exists:  func(c Contact) bool { return c.Registered && !c.Deleted },
	Unknown: domain.NotFound("contact-unknown", "There is no such contact. Check the id, or register the contact first."),
	Deleted: func(c Contact) bool { return c.Deleted },
	Gone:    domain.Conflict("contact-deleted", "This contact was deleted. Restore them first, with POST /v1/contacts/ID/restore."),
	Holds:   holds,
	Lapse:   func(r uuid.UUID) Event { return ClaimLapsed{r} },
}

// An Address is where a contact writes from, and by what they are recognised. Equal addresses have equal hashes.
type Address struct {
	Kind AddressKind `json:"kind"`
	personal.Hashed
	// Unread says that the value is no address that the desk can read, such as a wrong phone number. It is kept as it came,
	// and claims nothing: any number of contacts may have it.
	Unread bool `json:"unread,omitzero"`
}

// AddressKind is the kind of an address.
type AddressKind string

// The kinds of addresses. A Customer is identified by the business's own id for them. A phone number is one whether it calls, or writes
// by SMS or WhatsApp. A Visitor is identified by an id that the chat window remembers.
const (
	Customer AddressKind = "customer"
	Email    AddressKind = "email"
	Phone    AddressKind = "phone"
	Facebook AddressKind = "facebook"
	X        AddressKind = "x"
	Forum    AddressKind = "forum"
	Visitor  AddressKind = "visitor"
)

// AddressKinds are all kinds, the most reliable first.
var AddressKinds = []AddressKind{Customer, Email, Phone, Facebook, X, Forum, Visitor}

// Known reports whether there is such a kind.
func (k AddressKind) Known() bool { return slices.Contains(AddressKinds, k) }

// MaxAddresses is how many addresses of one kind a contact may have.
const MaxAddresses = 50

// NewAddress validates an address and normalises it, so that two spellings of it are equal. field is its name as the
// caller sent it. region is the country (ISO 3166) of phone numbers without a country code, or empty.
func NewAddress(names personal.Hasher, kind AddressKind, field, value, region string) (Address, error) {
	var err error
	switch kind {
	case Email:
		value, err = address.Email(field, value)
	case Phone:
		value, err = address.Phone(field, value, region)
	case X:
		value, err = address.Handle(field, value)
	default:
		value, err = address.ID(field, value)
	}
	return Address{Kind: kind, Hashed: personal.Hash(names, "address/"+string(kind)+address.Version, value)}, err
}

// UnreadAddress returns an address that could not be read, as it came.
func UnreadAddress(names personal.Hasher, kind AddressKind, value string) Address {
	return Address{Kind: kind, Hashed: personal.Hash(names, "unread/"+string(kind), value), Unread: true}
}

// Is reports whether two addresses are the same.
func (a Address) Is(other Address) bool { return a.Kind == other.Kind && a.Hash == other.Hash }

// Hold returns the address as a name that only one contact may have.
func (a Address) Hold() event.Hold {
	return event.Hold{
		ID:    a.Hash,
		Taken: "Another contact has this " + a.Kind.called() + ". Use that contact, or remove it from them first.",
	}
}

// called is what people call an address of the kind.
func (k AddressKind) called() string {
	if k == Customer || k == Visitor {
		return string(k) + " id"
	}
	return string(k) + " address"
}

func holds(c Contact) []event.Hold {
	all := make([]event.Hold, 0, len(c.Addresses))
	for _, a := range c.Addresses {
		if !a.Unread {
			all = append(all, a.Hold())
		}
	}
	return all
}

// An Offer is a value that a contact sent and that differs from what the desk knows of them: a name or an address.
type Offer struct {
	ID      uuid.UUID      `json:"offer"` // a keyed hash of the contact and the value, the same whenever it is sent again
	Name    *personal.Text `json:"name,omitempty"`
	Address *Address       `json:"address,omitempty"`
}

// OfferName returns the offer of a name to the contact with the id.
func OfferName(names personal.Hasher, id uuid.UUID, name string) Offer {
	text := personal.New(name)
	return Offer{ID: names.Hash("offer", id.String(), "name", address.Name(name)), Name: &text}
}

// OfferAddress returns the offer of an address to the contact with the id.
func OfferAddress(names personal.Hasher, id uuid.UUID, a Address) Offer {
	return Offer{ID: names.Hash("offer", id.String(), string(a.Kind), a.Hash.String()), Address: &a}
}

// Meets reports whether what an offer offers is the contact's own by now.
func (c Contact) Meets(o Offer) bool {
	if o.Address != nil {
		return c.Has(*o.Address)
	}
	return o.Name != nil && !o.Name.Forgotten() && !c.Name.Forgotten() && address.Name(c.Name.String()) == address.Name(o.Name.String())
}

// MustExist returns an error if the contact does not exist.
func (c Contact) MustExist() error {
	return Stream.Must(c)
}

// MustBeRegistered returns an error if there never was such a contact.
func (c Contact) MustBeRegistered() error {
	if !c.Registered {
		return Stream.Unknown
	}
	return nil
}

// Of returns the contact's addresses of one kind.
func (c Contact) Of(kind AddressKind) []string {
	var values []string
	for _, a := range c.Addresses {
		if a.Kind == kind {
			values = append(values, a.Value.String())
		}
	}
	return values
}

// CustomerID returns the address that identifies the contact to the business, if there is one.
func (c Contact) CustomerID() (a Address, is bool) {
	i := slices.IndexFunc(c.Addresses, func(a Address) bool { return a.Kind == Customer })
	if i < 0 {
		return Address{}, false
	}
	return c.Addresses[i], true
}

// IsAnother reports whether the business identifies the contact by another customer id than a.
func (c Contact) IsAnother(a Address) bool {
	own, is := c.CustomerID()
	return is && !own.Is(a)
}

// IsAddress reports whether a name is only one of the contact's addresses, rather than one that somebody gave.
func (c Contact) IsAddress(name string) bool {
	return slices.ContainsFunc(c.Addresses, func(a Address) bool { return strings.EqualFold(a.Value.String(), name) })
}

// Has reports whether the contact has an address.
func (c Contact) Has(a Address) bool { return slices.ContainsFunc(c.Addresses, a.Is) }
