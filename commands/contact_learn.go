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
	Country   string
	Language  string
	Addresses []Given     // those that no other contact has
	Others    []uuid.UUID // contacts who have the others
	Wrote     bool        // the contact wrote, rather than only visit
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
	happens := func(e contact.Event) {
		events = append(events, e)
		co = contact.Stream.Fold(co, e)
	}
	offer := func(o contact.Offer) {
		if len(co.Offers) < contact.MaxOffers && !slices.Contains(co.Offered, o.ID) {
			happens(contact.OfferMade{Offer: o})
		}
	}
	before := co
	if c.Name != "" {
		name, err := profile.Name("from/name", c.Name)
		if err != nil {
			return nil, err
		}
		text := personal.New(name)
		switch {
		case co.Name.Empty() || !co.Name.Forgotten() && co.IsAddress(co.Name.String()):
			happens(contact.Edited{Changes: profile.Changes{Name: &text}})
		case address.Name(co.Name.String()) != address.Name(name):
			offer(contact.OfferName(by.Names, by.ID, name))
		}
	}
	if c.Language != "" && co.Language == "" {
		happens(contact.Edited{Changes: profile.Changes{Language: &c.Language}})
	}
	for _, a := range c.Addresses {
		all := len(co.Of(a.Kind))
		none := all == 0 || !a.Unread && readable(co, a.Kind) == 0 // a number that cannot be read stands in no one's way
		switch {
		case co.Has(a.Address):
		case (none || a.Own) && all < contact.MaxAddresses:
			happens(contact.AddressAdded{Address: a.Address})
		default:
			offer(contact.OfferAddress(by.Names, by.ID, a.Address))
		}
	}
	if c.Wrote && co.Mere {
		happens(contact.Engaged{})
	}
	events = located(before, lives(co, events, c.Country, contact.SaidInForm))
	return closing(before, append(events, duplicates(co, c.Others)...)), nil
}

// duplicates returns the events that record other contacts as possibly the same person.
func duplicates(co contact.Contact, others []uuid.UUID) (events []contact.Event) {
	room := maxDuplicates - len(co.Duplicates)
	for _, other := range others {
		if !slices.Contains(co.Duplicates, other) && len(events) < room {
			events = append(events, contact.DuplicateFound{Contact: other})
		}
	}
	return events
}

// closing returns what happens to a contact, and that the offers which it meets are closed.
func closing(co contact.Contact, events []contact.Event) []contact.Event {
	after := contact.Stream.Fold(co, events...)
	for _, o := range after.Offers {
		if after.Meets(o) {
			events = append(events, contact.OfferClosed{Offer: o.ID, Outcome: contact.Fulfilled})
		}
	}
	return events
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
