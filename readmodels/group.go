package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// A Group groups contacts and companies.
type Group struct {
	ID         uuid.UUID     `db:"group_id,key" json:"id" doc:"The group"`
	Name       string        `db:"name" json:"name" doc:"Its name"`
	Color      string        `db:"color" json:"color" doc:"The colour of the label's text, #rrggbb or empty"`
	Background string        `db:"background" json:"background" doc:"The colour of the label's background, #rrggbb or empty"`
	Ref        string        `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	CreatedAt  table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	Archived   bool          `db:"archived" json:"archived" doc:"Whether it is archived: its members stay, and nothing more can be added"`
	Events
	Sought
}

// GroupsTable is the table of groups.
var GroupsTable = table.Table{Name: "groups", Comment: "The groups of contacts and companies.", Row: Group{}}

// FindGroups lists groups by name.
func FindGroups(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Group], error) {
	return table.Find[Group](ctx, q, f.inUse(GroupsTable), p, "name", "position")
}
