package vault

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"
)

// Backup copies the vault in a file to another file, as it is at one moment, beside the processes that have it open. It needs no
// master key. Copy the log first: the later vault has every key that it needs.
func Backup(ctx context.Context, path, to string) (err error) {
	db, err := sqlx.Open("sqlite", fileURI(path)+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return failed("copying the vault "+path, err)
	}
	return check(ctx, db)
}

// check returns an error if the database is damaged.
func check(ctx context.Context, db *sqlx.DB) error {
	var found string
	if err := db.GetContext(ctx, &found, "PRAGMA integrity_check(1)"); err != nil {
		return failed("checking the vault", err)
	}
	if found != "ok" {
		return failed("checking the vault", damage(found))
	}
	return nil
}
