package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/company"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditCompany changes some of a company's fields. Fields that are left out stay as they are; a list replaces the whole list.
type EditCompany struct {
	profile.Input
	Emails *[]string `json:"emails,omitempty" doc:"E-mail addresses, at most 50; replaces the whole list"`
	Phones *[]string `json:"phones,omitempty" doc:"Phone numbers, at most 50; replaces the whole list"`
}

// Permission returns the permission that the caller needs.
func (EditCompany) Permission() role.Permission { return role.CompaniesWrite }

// Decide keeps only values that change something.
func (c EditCompany) Decide(co company.Company, by By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	changes, inputErr := c.Input.Clean()
	changed := company.AddressesChanged{Emails: co.Emails, Phones: co.Phones}
	var emailsErr, phonesErr error
	if c.Emails != nil {
		changed.Emails, emailsErr = texts("emails", *c.Emails, address.Email)
	}
	if c.Phones != nil {
		changed.Phones, phonesErr = texts("phones", *c.Phones, phoneOf(by.Region))
	}
	if err := domain.Join(inputErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	var events []company.Event
	if changes, any := changes.Since(co.Profile); any {
		events = append(events, company.Edited{Changes: changes})
	}
	if !slices.Equal(changed.Emails, co.Emails) || !slices.Equal(changed.Phones, co.Phones) {
		events = append(events, changed)
	}
	return events, nil
}
