package commands

import (
	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/company"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RegisterCompany registers a company. Nothing else creates companies.
type RegisterCompany struct {
	profile.Input
	Emails []string `json:"emails,omitempty" doc:"E-mail addresses, at most 50"`
	Phones []string `json:"phones,omitempty" doc:"Phone numbers, at most 50"`
	Ref    string   `json:"-"`
}

// Permission returns the permission that the caller needs.
func (RegisterCompany) Permission() role.Permission { return role.CompaniesWrite }

// Decide refuses a company without a name.
func (c RegisterCompany) Decide(co company.Company, by By) ([]company.Event, error) {
	if co.Registered {
		return nil, domain.Conflict("company-exists", "This company already exists.")
	}
	input, inputErr := registration(c.Input)
	emails, emailsErr := texts("emails", c.Emails, address.Email)
	phones, phonesErr := texts("phones", c.Phones, phoneOf(by.Region))
	if err := domain.Join(inputErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	registered := company.Registered{Emails: emails, Phones: phones, Ref: personal.New(c.Ref)}
	registered.Profile.Apply(input)
	return happened[company.Event](registered)
}

// registration validates a profile that must have a name.
func registration(in profile.Input) (profile.Changes, error) {
	if in.Name == nil {
		none := ""
		in.Name = &none
	}
	return in.Clean()
}

// texts validates the addresses of a company.
func texts(field string, values []string, clean func(field, value string) (string, error)) ([]personal.Text, error) {
	return cleaned(field, values, company.MaxAddresses, func(field, value string) (personal.Text, error) {
		value, err := clean(field, value)
		return personal.New(value), err
	}, func(a, b personal.Text) bool { return a == b })
}
