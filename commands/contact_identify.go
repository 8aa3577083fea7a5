package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// Identify records the business's own id of a contact, who is a customer from then on.
type Identify struct {
	Customer string `json:"customer" minLength:"1" doc:"The business's own id of the person, at most 200 characters"`
	Visitor  string `json:"visitor,omitempty" doc:"Visitor id of the chat window in which they are. If a contact with another customer id has it, it moves: several people may use one browser"`
}

// Permission returns the permission that the caller needs.
func (Identify) Permission() role.Permission { return role.Identify }

// Carry refuses to make one of two contacts, and to give a contact a second customer id. If the contact has another customer id and the
// visitor id, the visitor is another customer: the one with the id, or a new one, whom the answer shows.
func (c Identify) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[contact.Contact], error) {
	none := work.Answer[contact.Contact]{}
	customer, customerErr := contact.NewAddress(by.Names, contact.Customer, "customer", c.Customer, "")
	var visitor contact.Address
	var visitorErr error
	if c.Visitor != "" {
		visitor, visitorErr = contact.NewAddress(by.Names, contact.Visitor, "visitor", c.Visitor, "")
	}
	if err := domain.Join(customerErr, visitorErr); err != nil {
		return none, err
	}
	if _, err := work.Run(w, contact.Stream, id, identified{asked: id}, by); err != nil { // it is there, and as the caller knows it
		return none, err
	}
	by.IfMatch = nil
	who, err := c.whoIs(w, id, customer, visitor, by)
	if err != nil {
		return none, err
	}
	if c.Visitor == "" {
		return work.Run(w, contact.Stream, who, identified{[]contact.Address{customer}, id}, by)
	}
	holder, found, err := w.Find(visitor.Hold())
	if err != nil {
		return none, err
	}
	if found && holder != who {
		held, err := work.Look(w, contact.Stream, holder)
		if err != nil {
			return none, err
		}
		if !held.IsAnother(customer) {
			return none, wouldMerge("visitor", holder)
		}
		if work.Came(w, contact.Stream, holder, by) { // they gave it up for this request, and have it again since
			return work.Run(w, contact.Stream, who, identified{[]contact.Address{customer}, id}, by)
		}
		if _, err := work.Yield(w, contact.Stream, holder, giveUp{Address: visitor}, by); err != nil {
			return none, err
		}
	}
	return work.Run(w, contact.Stream, who, identified{[]contact.Address{customer, visitor}, id}, by)
}

// whoIs returns the contact who has the customer id, or who is to have it.
func (Identify) whoIs(w *work.Work, id uuid.UUID, customer, visitor contact.Address, by By) (uuid.UUID, error) {
	c, err := work.Look(w, contact.Stream, id)
	if err != nil {
		return uuid.Nil, err
	}
	holder, found, err := w.Find(customer.Hold())
	switch {
	case err != nil || found && holder == id:
		return id, err
	case !c.IsAnother(customer) && found:
		return uuid.Nil, wouldMerge("customer", holder)
	case !c.IsAnother(customer):
		return id, nil
	case !c.Has(visitor) && !(found && work.Came(w, contact.Stream, holder, by)) && !work.Came(w, contact.Stream, id, by):
		return uuid.Nil, domain.Conflict("customer-id-other", "The business has another customer id for this contact, and a contact has one. Identify another contact, or name a visitor id of this one in visitor: it moves to the customer with this id.")
	case found:
		return holder, nil
	}
	return newContact(w, holder, by)
}

func wouldMerge(field string, other uuid.UUID) error {
	return domain.Conflict("would-merge", "Contact %s has this %s id, so the two are one person. Contacts cannot be merged yet: use that contact.", other, field)
}

// identified is the step of Identify on the contact who is identified.
type identified struct {
	addresses []contact.Address
	asked     uuid.UUID // the contact that the request is about
}

// Decide registers a contact who is none yet.
func (c identified) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if !co.Registered && by.ID != c.asked {
		return happened[contact.Event](contact.Registered{Addresses: c.addresses})
	}
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	var events []contact.Event
	for _, a := range c.addresses {
		if !co.Has(a) {
			events = append(events, contact.AddressAdded{Address: a})
		}
	}
	return closing(co, events), nil
}
