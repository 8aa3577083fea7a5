package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditContact gives some of a contact's fields new values; those left out stay. A list that is given is the whole list.
type EditContact struct {
	profile.Input
	Emails *[]string `json:"emails,omitempty" doc:"All e-mail addresses, at most 50"`
	Phones *[]string `json:"phones,omitempty" doc:"All phone numbers, at most 50"`
}

// Permission is what the caller's role needs.
func (EditContact) Permission() role.Permission { return role.ContactsWrite }

// Decide drops what is so already. Each address that comes or goes is an event of its own.
func (c EditContact) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	changes, inputErr := c.Input.Clean()
	emails, emailsErr := moves(co, contact.Email, "emails", c.Emails, by)
	phones, phonesErr := moves(co, contact.Phone, "phones", c.Phones, by)
	if err := domain.Join(inputErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	var events []contact.Event
	if changes, any := changes.Since(co.Profile); any {
		events = append(events, contact.Edited{Changes: changes})
	}
	return slices.Concat(events, emails, phones), nil
}

// moves lists what must happen for a contact's addresses of one kind to be those given; nil leaves them as they are.
func moves(co contact.Contact, kind contact.AddressKind, field string, values *[]string, by By) ([]contact.Event, error) {
	if values == nil {
		return nil, nil
	}
	want, err := addresses(kind, field, *values, by.Region)
	if err != nil {
		return nil, err
	}
	var events []contact.Event
	for _, a := range co.Addresses {
		if a.Channel == kind && !slices.Contains(want, a) {
			events = append(events, contact.AddressRemoved{Address: a})
		}
	}
	for _, a := range want {
		if !co.Has(a) {
			events = append(events, contact.AddressAdded{Address: a})
		}
	}
	return events, nil
}
