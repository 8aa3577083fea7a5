package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// A Field is a custom field of contacts or of companies.
type Field struct {
	ID        uuid.UUID     `db:"field_id,key" json:"id" doc:"The field"`
	Scope     string        `db:"scope" json:"scope" doc:"What has it: contacts or companies"`
	Name      string        `db:"name" json:"name" doc:"Its name"`
	Type      string        `db:"type" json:"type" doc:"What it can hold: text, number, date or yes-no"`
	Order     int64         `db:"place" json:"order" doc:"Its place among the others: lower numbers come first"`
	Ref       string        `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	DefinedAt table.Instant `db:"defined_at" json:"defined_at" doc:"When it was defined"`
	Archived  bool          `db:"archived" json:"archived" doc:"Whether it is archived: values stay, and it can be set on nothing more"`
	Events
	Sought
}

// A FieldValue is what a contact or a company has in a custom field.
type FieldValue struct {
	FieldID uuid.UUID `json:"field_id" doc:"The custom field"`
	Type    string    `json:"type" doc:"The field's type: text, number, date or yes-no"`
	Value   string    `json:"value" doc:"The value as a text: a number without exponent, a day such as 2014-02-01, yes or no"`
}

// FieldsTable is the table of custom fields.
var FieldsTable = table.Table{Name: "fields", Comment: "The custom fields of contacts and those of companies.", Row: Field{}}

// FindFields lists custom fields by their place.
func FindFields(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Field], error) {
	return table.Find[Field](ctx, q, f.inUse(FieldsTable), p, "place", "name", "position")
}
