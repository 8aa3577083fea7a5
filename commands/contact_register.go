package commands

import (
	"slices"
	"strconv"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/contact"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RegisterContact registers a contact: by hand, or as the sender of an inquiry. An address belongs to one contact at a
// time.
type RegisterContact struct {
	profile.Input
	Country  string            `json:"country,omitempty" doc:"Country by its two letters (ISO 3166); left out, it follows from a phone number"`
	Emails   []string          `json:"emails,omitempty" doc:"E-mail addresses, at most 50"`
	Phones   []string          `json:"phones,omitempty" doc:"Phone numbers, at most 50"`
	Channels []contact.Address `json:"-"` // addresses of all kinds, already validated
	Found    bool              `json:"-"` // the contact is the sender of an inquiry, whose name may be unknown
	Others   []uuid.UUID       `json:"-"` // contacts who may be the same person
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
	emails, emailsErr := addresses(contact.Email, "emails", c.Emails, by)
	phones, phonesErr := addresses(contact.Phone, "phones", c.Phones, by)
	country, countryErr := countryOf("country", c.Country)
	if err := domain.Join(inputErr, countryErr, emailsErr, phonesErr); err != nil {
		return nil, err
	}
	registered := contact.Registered{Addresses: slices.Concat(emails, phones, c.Channels), Ref: personal.New(c.Ref)}
	registered.Profile.Apply(input)
	source := contact.SaidByAgent
	if c.Found {
		source = contact.SaidInForm
	}
	events := []contact.Event{registered}
	events = located(contact.Contact{}, lives(contact.Stream.Fold(contact.Contact{}, registered), events, country, source))
	return append(events, duplicates(contact.Contact{}, c.Others)...), nil
}

// addresses validates a contact's addresses of one kind.
func addresses(kind contact.AddressKind, field string, values []string, by By) ([]contact.Address, error) {
	return cleaned(field, values, contact.MaxAddresses, func(field, value string) (contact.Address, error) {
		return contact.NewAddress(by.Names, kind, field, value, by.Region)
	}, contact.Address.Is)
}

// cleaned validates a list of values and drops duplicates. It refuses more than limit.
func cleaned[T any](field string, values []string, limit int, clean func(field, value string) (T, error), same func(a, b T) bool) ([]T, error) {
	if len(values) > limit {
		return nil, tooMany(field, len(values), limit)
	}
	list := make([]T, 0, len(values))
	var refused []error
	for i, value := range values {
		v, err := clean(item(field, i), value)
		refused = append(refused, err)
		if err == nil && !slices.ContainsFunc(list, func(held T) bool { return same(held, v) }) {
			list = append(list, v)
		}
	}
	return list, domain.Join(refused...)
}

// phoneOf returns address.Phone for a region.
func phoneOf(region string) func(field, value string) (string, error) {
	return func(field, value string) (string, error) { return address.Phone(field, value, region) }
}

// item returns the name of one item of a list field, such as emails/0.
func item(field string, i int) string { return field + "/" + strconv.Itoa(i) }

func tooMany(field string, n, limit int) error {
	return domain.Invalid(field, "too-many", "%s may have at most %d items, not %d.", field, limit, n)
}
