package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/address"
	"daybook/domain/contact"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// Learn is the step of an Inquiry that records what a message says of a contact who is known. It fills what is empty.
// Nothing that somebody typed replaces what the desk knows: it is offered, once.
type Learn struct {
	Name      string
	Addresses []Given     // those that no other contact has
	Others    []uuid.UUID // contacts who have the others
}

// A Given address is one that came with an inquiry.
type Given struct {
	contact.Address
	Own bool // the channel's own: the message came from there, rather than that somebody typed it
}

// Permission returns the permission that the caller needs.
func (Learn) Permission() role.Permission { return role.ChannelsWrite }

// Decide adds the channel's own address, and another only if the contact has none of its kind.
func (c Learn) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	var events []contact.Event
	offers := len(co.Offers)
	offer := func(field contact.Offered, value personal.Text, same string) {
		id := by.Names.Hash("offer", by.ID.String(), string(field), same)
		if offers < contact.MaxOffers && !slices.Contains(co.Offers, id) {
			events = append(events, contact.OfferMade{Offer: id, Field: field, Value: value})
			offers++
		}
	}
	if c.Name != "" {
		name, err := profile.Name("from/name", c.Name)
		if err != nil {
			return nil, err
		}
		text := personal.New(name)
		switch {
		case co.Name.Empty():
			events = append(events, contact.Edited{Changes: profile.Changes{Name: &text}})
		case address.Name(co.Name.String()) != address.Name(name):
			offer(contact.OfferedName, text, address.Name(name))
		}
	}
	for _, a := range c.Addresses {
		all := len(co.Of(a.Kind))
		none := all == 0 || !a.Unread && readable(co, a.Kind) == 0 // a number that cannot be read stands in no one's way
		switch {
		case co.Has(a.Address):
		case (none || a.Own) && all < contact.MaxAddresses:
			events = append(events, contact.AddressAdded{Address: a.Address})
			co.Addresses = append(slices.Clone(co.Addresses), a.Address)
		default:
			offer(contact.Offered(a.Kind), a.Value, a.Value.String())
		}
	}
	for _, other := range c.Others {
		if !slices.Contains(co.Duplicates, other) && len(co.Duplicates) < maxDuplicates {
			events = append(events, contact.DuplicateFound{Contact: other})
			co.Duplicates = append(slices.Clone(co.Duplicates), other)
		}
	}
	return events, nil
}

// maxDuplicates is how many possible duplicates of a contact are recorded.
const maxDuplicates = 20

// readable returns how many addresses of a kind a contact has that could be read.
func readable(co contact.Contact, kind contact.AddressKind) (n int) {
	for _, a := range co.Addresses {
		if a.Kind == kind && !a.Unread {
			n++
		}
	}
	return n
}
