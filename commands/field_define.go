package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/field"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// DefineField defines a custom field of contacts or of companies. Its name is unique within that scope, and its type never changes.
type DefineField struct {
	Scope field.Scope `json:"scope" doc:"Whether the field is for contacts or for companies"`
	Name  string      `json:"name" doc:"Name, 1 to 200 characters, unique within the scope"`
	Type  field.Type  `json:"type" doc:"What the field can hold"`
	Order int         `json:"order,omitempty" minimum:"-1000000" maximum:"1000000" doc:"Place among the others: lower numbers come first"`
	Ref   string      `json:"-"`
}

// Permission returns the permission that the caller needs.
func (DefineField) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name, an unknown scope and an unknown type.
func (c DefineField) Decide(f field.Field, by By) ([]field.Event, error) {
	if f.Defined {
		return nil, domain.Conflict("field-exists", "This custom field already exists.")
	}
	name, nameErr := uniqueName(c.Name)
	var scopeErr, typeErr error
	if !slices.Contains(field.Scopes, c.Scope) {
		scopeErr = domain.Invalid("scope", "scope-unknown", "scope must be contacts or companies.")
	}
	if !slices.Contains(field.Types, c.Type) {
		typeErr = domain.Invalid("type", "field-type-unknown", "type must be text, number, date or yes-no.")
	}
	if err := domain.Join(scopeErr, nameErr, typeErr); err != nil {
		return nil, err
	}
	return happened[field.Event](field.Defined{
		Scope: c.Scope, Name: name, Type: c.Type, Order: c.Order, Held: field.Named(by.Names, c.Scope, name).ID, Ref: personal.New(c.Ref),
	})
}
