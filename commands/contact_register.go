package commands

import (
	"slices"
	"strconv"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RegisterContact registers a contact: by hand, or as the sender of an inquiry. An address belongs to one contact at a
// time.
type RegisterContact struct {
	profile.Input
	Emails   []string          `json:"emails,omitempty" doc:"E-mail addresses, at most 50"`
	Phones   []string          `json:"phones,omitempty" doc:"Phone numbers, at most 50"`
	Channels []contact.Address `json:"-"` // addresses of all kinds, already validated
	Found    bool              `json:"-"` // the contact is the sender of an inquiry, whose name may be unknown
	Ref      string            `json:"-"`
}

// Permission returns the permission that the caller needs.
func (RegisterContact) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a contact who already exists. It requires a name unless Found is set.
func (c RegisterContact) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if co.Registered {
		return nil, domain.Conflict("contact-exists", "This contact already exists.")
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

// addresses validates addresses of one kind and drops duplicates. It refuses more than contact.MaxAddresses.
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

// phoneOf returns profile.Phone for a region.
func phoneOf(region string) func(field, value string) (string, error) {
	return func(field, value string) (string, error) { return profile.Phone(field, value, region) }
}

// item returns the name of one item of a list field, such as emails/0.
func item(field string, i int) string { return field + "/" + strconv.Itoa(i) }

func tooMany(field string, n, limit int) error {
	return domain.Invalid(field, "too-many", "%s may have at most %d items, not %d.", field, limit, n)
}
