// Package broken tells by an error that a SQLite database does not hold what was written.
package broken

import (
	"errors"
	"slices"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Is reports whether an error is of a database that is damaged. Statements that are right fail for want of a table or a column only
// if the schema is not what it was, and values have their column's type unless a row is not what it was.
func Is(err error) bool {
	return Pages(err) || is(err, sqlite3.SQLITE_ERROR) || err != nil && strings.Contains(err.Error(), "sql: Scan error")
}

// Pages reports whether SQLite says that it cannot read what is in the file.
func Pages(err error) bool { return is(err, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) }

// Refused reports whether SQLite does not take a row for what is in it.
func Refused(err error) bool {
	return is(err, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
}

func is(err error, codes ...int) bool {
	var e *driver.Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code()&0xff)
}
