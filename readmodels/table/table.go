// Package table is the machine under the read models: tables as databases have them, their rows read and written set-wise,
// generations, the one that is live, and the lease of whoever writes them. It works on SQLite and PostgreSQL alike.
//
// A row struct is the one description of its table: its db tags name the columns and mark the key ("thing_id,key"), its doc
// tags say what a column means.
package table

// A Table describes one table to the database.
type Table struct {
	Name    string
	Comment string
	Row     any      // the zero row
	Indexes []string // column lists, such as "owner_id, opened_at DESC"; built last in a rebuild
}
