package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/field"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// FieldQuery are the parameters of the list of custom fields.
type FieldQuery struct {
	NameQuery
	Scope field.Scope `query:"scope" doc:"Only fields of contacts, or only fields of companies"`
}

// fields are the routes of custom fields.
func (s *server) fields() {
	t := resourceOf(s, field.Stream, "/v1/fields", "Custom fields", role.ContactsRead, readmodels.FieldsTable,
		func(r readmodels.Field) int64 { return r.Revision })
	scoped(t, field.Scopes, func(r readmodels.Field) field.Scope { return field.Scope(r.Scope) })
	create[commands.DefineField](t, "defineField", "Define a custom field of contacts or of companies. Its type never changes")
	lists(t, "listFields", "List custom fields, in their order", func(_ context.Context, _ table.Queryer, in *FieldQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Q: in.Q, Scope: string(in.Scope), Ref: in.Ref, Archived: in.Archived}, nil
	}, readmodels.FindFields)
	get(t, "getField", "Get a custom field, now or in the past")
	patch[commands.EditField](t, "", "updateField", "Rename a custom field, move it, archive it, or take it out of the archive. Its values stay")
}
