// Package readmodels holds the read models: the row structs that queries answer with, and the queries, one file per noun.
//
// Only projections write rows. Read models can be deleted and rebuilt from the log at any time. Package table below stores
// them; package report computes the agent reports.
package readmodels

import (
	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// Sought is what things with a name are sought and sorted by.
type Sought struct {
	NameKey string `db:"name_key" json:"-" doc:"The name's place in the order of names, as hexadecimal digits"`
	Search  string `db:"search" json:"-" doc:"The words by which it is found, each with a space before it"`
}

// Tagged selects things by their tags.
type Tagged struct {
	All  [][]uuid.UUID // of each of these, they have one at least
	Not  []uuid.UUID   // they have none of these
	None bool          // they have none
	Some bool          // they have one at least
}

// in adds the conditions to a question about things whose tags are linked, and stand in a column of their own.
func (t Tagged) in(ask *table.Question, links table.Table) {
	for _, some := range t.All {
		ask.Linked(links, some)
	}
	if len(t.Not) > 0 {
		ask.NotLinked(links, t.Not)
	}
	if t.None {
		ask.Lists("tags", new(table.Ref))
	}
	if t.Some {
		ask.Say(`e."tags" <> '[]'`, "tags")
	}
}

// unlessDeleted leaves out deleted rows, unless deleted is set.
func unlessDeleted(ask *table.Question, deleted bool) {
	if !deleted {
		ask.Say(`e."deleted_at" IS NULL`, "deleted_at")
	}
}
