package commands

import (
	"slices"
	"strconv"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RegisterContact enters a contact: by hand, or as the one who wrote on a channel. An address belongs to one contact at a
// time.
type RegisterContact struct {
	profile.Input
	Emails   []string          `json:"emails,omitempty" doc:"E-mail addresses, at most 50"`
	Phones   []string          `json:"phones,omitempty" doc:"Phone numbers, at most 50"`
	Channels []contact.Address `json:"-"` // addresses of other kinds, checked
	Found    bool              `json:"-"` // on a channel: what it gave is all there is, and may lack a name
	Ref      string            `json:"-"`
}

// Permission is what the caller's role needs.
func (RegisterContact) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a contact that is there already, and one entered by hand without a name.
func (c RegisterContact) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if co.Registered {
		return nil, domain.Conflict("contact-exists", "There is such a contact already.")
	}
	input, inputErr := registration(c.Input)
	if c.Found && c.Name == nil {
		input, inputErr = c.Input.Clean()
	}
	emails, emailsErr := addresses(contact.Email, "emails", c.Emails, by.Region)
	phones, phonesErr := addresses(contact.Phone, "phones", c.Phones, by.Region)
	if err := domain.Join(inputErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	registered := contact.Registered{Addresses: slices.Concat(emails, phones, c.Channels), Ref: c.Ref}
	registered.Profile.Apply(input)
	return happened[contact.Event](registered)
}

// addresses checks addresses of one kind, drops those that are there twice, and refuses too many.
func addresses(kind contact.AddressKind, field string, values []string, region string) ([]contact.Address, error) {
	if len(values) > contact.MaxAddresses {
		return nil, tooMany(field, len(values), contact.MaxAddresses)
	}
	var list []contact.Address
	var refused []error
	for i, value := range values {
		a, err := contact.NewAddress(kind, item(field, i), value, region)
		refused = append(refused, err)
		if err == nil && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list, domain.Join(refused...)
}

// phoneOf checks a phone number of a region; see profile.Phone.
func phoneOf(region string) func(field, value string) (string, error) {
	return func(field, value string) (string, error) { return profile.Phone(field, value, region) }
}

// item names one item of a list field.
func item(field string, i int) string { return field + "/" + strconv.Itoa(i) }

func tooMany(field string, n, limit int) error {
	return domain.Invalid(field, "too-many", "%s may list at most %d, not %d.", field, limit, n)
}
