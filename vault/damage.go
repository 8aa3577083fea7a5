package vault

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged means that the vault's database does not hold what was written.
var ErrDamaged = errors.New("the vault is damaged: put back its newest backup, with the master key of that time. Keys that were made since are lost: daybook vault accept-loss says whose")

// damage is the error for a place that does not hold what was written.
func damage(place string) error { return fmt.Errorf("%w (%s)", ErrDamaged, place) }

// failed says what could not be done. It tells damage by what the database says, which has also lost a table or column if it does not
// understand a statement, and by values that are not of their column's type.
func failed(doing string, err error) error {
	var e *driver.Error
	broken := errors.As(err, &e) && slices.Contains([]int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}, e.Code()&0xff)
	if (broken || strings.HasPrefix(err.Error(), "sql: Scan error")) && !errors.Is(err, ErrDamaged) {
		err = damage(err.Error())
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// checksum is over all columns of a row. It finds every flipped bit; who changes a row by hand can make it anew.
func checksum(columns ...any) int64 {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, c := range columns {
		fmt.Fprintf(sum, "%q", fmt.Sprint(c))
	}
	return int64(sum.Sum32())
}
