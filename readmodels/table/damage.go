package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"daybook/internal/broken"
)

// A DamageError means that read models are not what was written. They are made anew from the log.
type DamageError struct{ err error }

// NewDamage returns a *DamageError that says what was found.
func NewDamage(format string, args ...any) error { return &DamageError{fmt.Errorf(format, args...)} }

func (e *DamageError) Error() string {
	return fmt.Sprintf("the read models are damaged: run daybook rebuild (%v)", e.err)
}

func (e *DamageError) Unwrap() error { return e.err }

// AsDamage returns a *DamageError if that is what an error means, and else the error.
func AsDamage(err error) error {
	if damage := (*DamageError)(nil); !errors.As(err, &damage) && broken.Pages(err) {
		return &DamageError{err}
	}
	return err
}

// IsDamage reports whether AsDamage returns a *DamageError.
func IsDamage(err error) bool {
	damage := (*DamageError)(nil)
	return errors.As(AsDamage(err), &damage)
}

// readDamage is AsDamage for a statement that every whole generation understands and, if one row is asked for, has a row for, whose
// values have their column's type.
func readDamage(err error) error {
	if (broken.Is(err) || errors.Is(err, sql.ErrNoRows)) && !IsDamage(err) {
		return &DamageError{err}
	}
	return AsDamage(err)
}

// Anew opens a database again for reading, without anything that is in memory, and proves its pages and indexes. It returns nil if the
// database proves itself.
func (db *DB) Anew(ctx context.Context) (*DB, error) {
	if _, file := db.dialect.(*sqlite); !file {
		return nil, nil
	}
	anew, err := OpenReadOnly(db.path)
	if err != nil {
		return nil, err
	}
	var found string
	err = anew.Readers.GetContext(ctx, &found, "PRAGMA integrity_check(1)")
	switch {
	case broken.Is(err):
		err = NewDamage("%s: %w", db.path, err)
	case err == nil && found != "ok":
		err = NewDamage("%s: %s", db.path, found)
	}
	if err != nil {
		return nil, errors.Join(err, anew.Close())
	}
	return anew, nil
}
