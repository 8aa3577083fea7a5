package readmodels

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// An Operation is a command over many items, running or completed.
type Operation struct {
	ID        uuid.UUID     `db:"operation_id,key" json:"id" doc:"The operation"`
	Plan      string        `db:"plan" json:"plan" doc:"The kind of operation, such as company-delete"`
	About     uuid.UUID     `db:"about" json:"about_id" doc:"The id of the item that it concerns"`
	With      table.Ref     `db:"with_id" json:"-" doc:"The id of another item that it needs, or null"`
	Actor     string        `db:"actor" json:"actor" doc:"Who started it"`
	Done      int64         `db:"done" json:"done" doc:"How many items are done so far"`
	BegunAt   table.Instant `db:"begun_at" json:"begun_at" doc:"When it started"`
	EndedAt   table.Instant `db:"ended_at" json:"ended_at" doc:"When it was completed, or null"`
	ChangedAt table.Instant `db:"changed_at" json:"-" doc:"When its last event was recorded"`
	Events
}

// OperationsTable is the table of operations.
var OperationsTable = table.Table{Name: "operations", Comment: "Commands that change many items, running or completed.", Row: Operation{},
	Indexes: []string{"begun_at, first_position", "ended_at", "about"}}

// An OperationFilter selects operations.
type OperationFilter struct {
	About *uuid.UUID
	Open  bool // only those that have not ended
}

// FindOperations lists operations, newest first.
func FindOperations(ctx context.Context, q table.Queryer, f OperationFilter, p table.Page) (table.Found[Operation], error) {
	ask := table.Ask(OperationsTable)
	ask.IsID("about", f.About)
	if f.Open {
		ask.Say(`e."ended_at" IS NULL`, "ended_at")
	}
	return table.Find[Operation](ctx, q, ask, p, "-begun_at", "position")
}

// ThatShow selects the items of one category that refer to items of others, by their categories: the unfinished tickets of an
// agent, all of them or those in a department, all contacts of a company, deleted or not, the agents and the workable tickets of
// a department. Operations use it to find what is left to do. Other pairs are an error.
func ThatShow(category string, showing map[string]uuid.UUID) (t table.Table, w table.Where, err error) {
	of := strings.Join(slices.Sorted(maps.Keys(showing)), " and ")
	given := func(category string) *uuid.UUID {
		if id, given := showing[category]; given {
			return &id
		}
		return nil
	}
	switch category + " of " + of {
	case "ticket of agent", "ticket of agent and department":
		w.IsID("agent_id", given("agent"))
		w.IsID("department_id", given("department"))
		table.OneOf(&w, "status", ticket.Unfinished)
		return TicketsTable, w, nil
	case "ticket of department":
		w.IsID("department_id", given("department"))
		table.OneOf(&w, "status", ticket.Workable)
		return TicketsTable, w, nil
	case "contact of company":
		w.IsID("company_id", given("company"))
		return ContactsTable, w, nil
	case "agent of department":
		w.Lists("departments", given("department"))
		w.Say("deleted_at IS NULL")
		return AgentsTable, w, nil
	}
	return t, w, fmt.Errorf("no read model lists items of category %s by %s", category, of)
}
