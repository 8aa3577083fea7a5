package company

import (
	"github.com/google/uuid"

	"daybook/domain/field"
)

// FieldSet: a custom field of the company has a value.
type FieldSet struct {
	field.Value
}

// EventType returns the stored name.
func (FieldSet) EventType() string { return "company-field-set" }

func (e FieldSet) apply(c *Company) { c.Fields = c.Fields.With(e.Value) }

// FieldCleared: the company has nothing in a custom field any more.
type FieldCleared struct {
	Field uuid.UUID `json:"field"`
}

// EventType returns the stored name.
func (FieldCleared) EventType() string { return "company-field-cleared" }

func (e FieldCleared) apply(c *Company) { c.Fields = c.Fields.Without(e.Field) }
