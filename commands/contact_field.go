package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/field"
	"daybook/domain/role"
)

// SetContactField sets a custom field of a contact.
type SetContactField struct {
	Field uuid.UUID `json:"-" path:"field" ref:"field/contacts"`
	Value any       `json:"value" doc:"A text of at most 4 KiB; a decimal number as a text, such as -12.5, of at most 34 digits; a day, such as 2014-02-01; or true or false: as the field's type is"`
}

// ClearContactField removes what a contact has in a custom field.
type ClearContactField struct {
	Field uuid.UUID `json:"-" path:"field" ref:"field/contacts"`
}

// Permission returns the permission that the caller needs.
func (SetContactField) Permission() role.Permission { return role.ContactsWrite }

// Permission returns the permission that the caller needs.
func (ClearContactField) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the field.
func (c SetContactField) Refs() []Reference {
	return []Reference{work.Needs("field", field.Stream, c.Field, func(f field.Field) error { return f.MustBeFor(field.Contacts) })}
}

// Refs returns the field.
func (c ClearContactField) Refs() []Reference {
	return []Reference{work.Had("field", field.Stream, c.Field, func(f field.Field) error { return f.MustBeOf(field.Contacts) })}
}

// Decide refuses a value that is not of the field's type. It changes nothing if the contact has it already.
func (c SetContactField) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	set, err := newValue(by, c.Field, c.Value, co.Fields)
	if err != nil || set == nil {
		return nil, err
	}
	return happened[contact.Event](contact.FieldSet{Value: *set})
}

// Decide changes nothing for a contact that has nothing there.
func (c ClearContactField) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	if _, has := co.Fields.Of(c.Field); !has {
		return nil, nil
	}
	return happened[contact.Event](contact.FieldCleared{Field: c.Field})
}
