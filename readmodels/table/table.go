// Package table stores read models: it reads and writes their rows many at a time, and keeps generations, the live one, and the
// lease of the process that writes them. It works on SQLite and PostgreSQL alike.
//
// A row struct is the one description of its table: its db tags name the columns and mark the key ("thing_id,key"), its doc
// tags say what each column means.
package table

// A Table describes one table to the database.
type Table struct {
	Name    string
	Comment string
	Row     any      // the zero row; of a table of packs only what they are found by
	Facts   Fact     // the zero fact that the packs hold; nil: the rows are not packs
	Indexes []string // column lists, such as "owner_id, opened_at, first_position"; a rebuild creates them last

	// At is the column by which lists of the table's rows are ordered, such as "opened_at"; rows that are equal in it are in the order of
	// the log. See Question.
	At string
}
