package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// A Group is what contacts and companies are sorted into.
type Group struct {
	ID         uuid.UUID     `db:"group_id,key" json:"id" doc:"The group"`
	Name       string        `db:"name" json:"name" doc:"Its name"`
	Color      string        `db:"color" json:"color" doc:"The colour of the text, #rrggbb or empty"`
	Background string        `db:"background" json:"background" doc:"The colour behind it, #rrggbb or empty"`
	Ref        string        `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	CreatedAt  table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	DeletedAt  table.Instant `db:"deleted_at" json:"deleted_at" doc:"When it was taken out of use, or null"`
	Revision   int64         `db:"revision" json:"-" doc:"The number of its last event"`
}

// GroupsTable is the table of groups.
var GroupsTable = table.Table{Name: "groups", Comment: "What contacts and companies are sorted into.", Row: Group{}}

// FindGroups lists groups by name.
func FindGroups(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Group], error) {
	var w table.Where
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, GroupsTable, w, p, []string{"name"}, func(g Group, _ string) (any, any) { return g.Name, g.ID })
}
