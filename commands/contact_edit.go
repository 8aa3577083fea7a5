package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditContact changes some of a contact's fields. Fields that are left out stay as they are; a list replaces the whole list.
type EditContact struct {
	profile.Input
	Country *string   `json:"country,omitempty" doc:"Country by its two letters (ISO 3166); empty: not known"`
	Emails  *[]string `json:"emails,omitempty" doc:"E-mail addresses, at most 50; replaces the whole list"`
	Phones  *[]string `json:"phones,omitempty" doc:"Phone numbers, at most 50; replaces the whole list"`
}

// Permission returns the permission that the caller needs.
func (EditContact) Permission() role.Permission { return role.ContactsWrite }

// Decide keeps only values that change something. Each address that is added or removed is an event of its
// own, and so is each offer that it meets.
func (c EditContact) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	changes, inputErr := c.Input.Clean()
	emails, emailsErr := moves(co, contact.Email, "emails", c.Emails, by)
	phones, phonesErr := moves(co, contact.Phone, "phones", c.Phones, by)
	var country string
	var countryErr error
	if c.Country != nil {
		country, countryErr = countryOf("country", *c.Country)
	}
	if err := domain.Join(inputErr, countryErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	var events []contact.Event
	if changes, any := changes.Since(co.Profile); any {
		events = append(events, contact.Edited{Changes: changes})
	}
	events = slices.Concat(events, emails, phones)
	if c.Country != nil {
		events = lives(contact.Stream.Fold(co, events...), events, country, contact.SaidByAgent)
	}
	return closing(co, located(co, events)), nil
}

// moves returns the events that replace a contact's addresses of one kind by values; nil leaves them as they are.
func moves(co contact.Contact, kind contact.AddressKind, field string, values *[]string, by By) ([]contact.Event, error) {
	if values == nil {
		return nil, nil
	}
	want, err := cleaned(field, *values, contact.MaxAddresses, func(field, value string) (contact.Address, error) {
		if as := contact.UnreadAddress(by.Names, kind, value); co.Has(as) { // kept as it came
			return as, nil
		}
		return contact.NewAddress(by.Names, kind, field, value, by.Region)
	}, contact.Address.Is)
	if err != nil {
		return nil, err
	}
	var events []contact.Event
	for _, a := range co.Addresses {
		if a.Kind == kind && !slices.ContainsFunc(want, a.Is) {
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
