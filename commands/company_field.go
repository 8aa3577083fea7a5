package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/field"
	"daybook/domain/role"
)

// SetCompanyField sets a custom field of a company.
type SetCompanyField struct {
	Field uuid.UUID `json:"-" path:"field" ref:"field/companies"`
	Value any       `json:"value" doc:"A text of at most 4 KiB; a decimal number as a text, such as -12.5, of at most 34 digits; a day, such as 2014-02-01; or true or false: as the field's type is"`
}

// ClearCompanyField removes what a company has in a custom field.
type ClearCompanyField struct {
	Field uuid.UUID `json:"-" path:"field" ref:"field/companies"`
}

// Permission returns the permission that the caller needs.
func (SetCompanyField) Permission() role.Permission { return role.CompaniesWrite }

// Permission returns the permission that the caller needs.
func (ClearCompanyField) Permission() role.Permission { return role.CompaniesWrite }

// Refs returns the field.
func (c SetCompanyField) Refs() []Reference {
	return []Reference{work.Needs("field", field.Stream, c.Field, func(f field.Field) error { return f.MustBeFor(field.Companies) })}
}

// Refs returns the field.
func (c ClearCompanyField) Refs() []Reference {
	return []Reference{work.Had("field", field.Stream, c.Field, func(f field.Field) error { return f.MustBeOf(field.Companies) })}
}

// Decide refuses a value that is not of the field's type. It changes nothing if the company has it already.
func (c SetCompanyField) Decide(co company.Company, by By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	set, err := newValue(by, c.Field, c.Value, co.Fields)
	if err != nil || set == nil {
		return nil, err
	}
	return happened[company.Event](company.FieldSet{Value: *set})
}

// Decide changes nothing for a company that has nothing there.
func (c ClearCompanyField) Decide(co company.Company, _ By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	if _, has := co.Fields.Of(c.Field); !has {
		return nil, nil
	}
	return happened[company.Event](company.FieldCleared{Field: c.Field})
}
