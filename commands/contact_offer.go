package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// AcceptOffer makes a value that a contact sent the contact's own. A name replaces the one that is known, an address is added.
type AcceptOffer struct {
	Offer uuid.UUID `json:"-" path:"offer_id" ref:"offer"`
}

// DismissOffer closes an offer without effect. The same value is not offered again.
type DismissOffer struct {
	Offer uuid.UUID `json:"-" path:"offer_id" ref:"offer"`
}

// Permission returns the permission that the caller needs.
func (AcceptOffer) Permission() role.Permission { return role.ContactsWrite }

// Permission returns the permission that the caller needs.
func (DismissOffer) Permission() role.Permission { return role.ContactsWrite }

// Refs is empty: an offer is the contact's, and the decision sees to it.
func (AcceptOffer) Refs() []Reference { return nil }

// Refs is empty, as that of AcceptOffer.
func (DismissOffer) Refs() []Reference { return nil }

// openOffer returns an offer, which must be open.
func openOffer(co contact.Contact, id uuid.UUID) (contact.Offer, error) {
	if err := co.MustExist(); err != nil {
		return contact.Offer{}, err
	}
	i := slices.IndexFunc(co.Offers, func(o contact.Offer) bool { return o.ID == id })
	switch {
	case i >= 0:
		return co.Offers[i], nil
	case slices.Contains(co.Offered, id):
		return contact.Offer{}, domain.Conflict("offer-closed", "This offer was accepted or dismissed before, or the contact has the value by now. Read the contact again.")
	}
	return contact.Offer{}, domain.NotFound("offer-unknown", "The contact made no such offer. The contact's offers list those that are open.")
}

// Decide refuses an offer that is not open, and an address that another contact has by now.
func (c AcceptOffer) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	o, err := openOffer(co, c.Offer)
	if err != nil {
		return nil, err
	}
	events := []contact.Event{contact.OfferClosed{Offer: o.ID, Outcome: contact.Accepted}}
	switch {
	case o.Address == nil:
		changes, any := profile.Changes{Name: o.Name}.Since(co.Profile)
		if any {
			events = append(events, contact.Edited{Changes: changes})
		}
	case len(co.Of(o.Address.Kind)) >= contact.MaxAddresses:
		return nil, tooMany(string(o.Address.Kind), contact.MaxAddresses+1, contact.MaxAddresses)
	case !co.Has(*o.Address):
		events = append(events, contact.AddressAdded{Address: *o.Address})
	}
	return closing(co, events), nil
}

// Decide refuses an offer that is not open.
func (c DismissOffer) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	o, err := openOffer(co, c.Offer)
	if err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.OfferClosed{Offer: o.ID, Outcome: contact.Dismissed})
}
