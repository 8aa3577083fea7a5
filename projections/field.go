package projections

import (
	"github.com/google/uuid"

	"daybook/domain/field"
	"daybook/domain/search"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Fields maintains fields: one row per custom field of contacts or of companies.
var Fields = engine.Projection{Name: "fields", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Field](l, field.Stream.Category, readmodels.FieldsTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case field.Defined:
			rows.Insert(readmodels.Field{
				ID: e.ID, Scope: string(ev.Scope), Name: ev.Name, Type: string(ev.Type), Order: int64(ev.Order), Ref: ev.Ref.String(), DefinedAt: e.At, Events: begun(e), Sought: sought(ev.Name),
			})
		case field.Event:
			rows.Update(e.ID, func(r *readmodels.Field) {
				r.Moved(e.Position, e.Revision)
				switch ev := ev.(type) {
				case field.Renamed:
					r.Name, r.Sought = ev.Name, sought(ev.Name)
				case field.Moved:
					r.Order = int64(ev.Order)
				case field.Archived:
					r.Archived = true
				case field.Unarchived:
					r.Archived = false
				}
			})
		}
	}
}}

// withField returns values with another one.
func withField(all table.List[readmodels.FieldValue], set field.Value) table.List[readmodels.FieldValue] {
	return with(withoutField(all, set.Field), readmodels.FieldValue{FieldID: set.Field, Type: string(set.Type), Value: set.Value.String()})
}

// withoutField returns values without that of a field.
func withoutField(all table.List[readmodels.FieldValue], id uuid.UUID) (left table.List[readmodels.FieldValue]) {
	for _, v := range all {
		if v.FieldID != id {
			left = append(left, v)
		}
	}
	return left
}

// valueIn returns the value of a field, or nil.
func valueIn(all table.List[readmodels.FieldValue], id uuid.UUID) any {
	for _, v := range all {
		if v.FieldID == id {
			return v.Value
		}
	}
	return nil
}

// wordsIn returns the words of values of text fields.
func wordsIn(all table.List[readmodels.FieldValue]) (words []string) {
	for _, v := range all {
		if v.Type == string(field.Text) {
			words = append(words, search.Text(v.Value)...)
		}
	}
	return words
}
