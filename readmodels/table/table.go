// Package readmodels is the rows that people look at and the questions asked of them.
//
// Rows are posted by projections and by nobody else; they can be thrown away and posted again. A row struct is the one
// description of its table: its db tags name the columns and mark the key ("ticket_id,key"), its doc tags say what a
// column means.
package table

// A Table describes one table to the database.
type Table struct {
	Name    string
	Comment string
	Row     any      // the zero row
	Indexes []string // column lists, such as "contact_id, opened_at DESC"; built last in a rebuild
}
