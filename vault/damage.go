package vault

import (
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"

	"daybook/internal/broken"
)

// ErrDamaged means that the vault's database does not hold what was written.
var ErrDamaged = errors.New("the vault is damaged: put back its newest backup, with the master key of that time. Keys that were made since are lost: daybook vault accept-loss says whose")

// damage is the error for a place that does not hold what was written.
func damage(place string) error { return fmt.Errorf("%w (%s)", ErrDamaged, place) }

// failed says what could not be done. A row that must be there is missing only from a damaged vault.
func failed(doing string, err error) error {
	if (broken.Is(err) || errors.Is(err, sql.ErrNoRows)) && !errors.Is(err, ErrDamaged) {
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
