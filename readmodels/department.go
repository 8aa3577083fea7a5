package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// A Department is a department of the desk.
type Department struct {
	ID        uuid.UUID     `db:"department_id,key" json:"id" doc:"The department"`
	Name      string        `db:"name" json:"name" doc:"Its name"`
	Ref       string        `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	CreatedAt table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	DeletedAt table.Instant `db:"deleted_at" json:"deleted_at" doc:"When it was deleted, or null"`
	Events
	Sought
}

// DepartmentsTable is the table of departments.
var DepartmentsTable = table.Table{Name: "departments", Comment: "The departments of the desk.", Row: Department{}}

// FindDepartments lists departments by name.
func FindDepartments(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Department], error) {
	ask := f.ask(DepartmentsTable)
	unlessDeleted(ask, f.Deleted)
	return table.Find[Department](ctx, q, ask, p, "name", "position")
}
