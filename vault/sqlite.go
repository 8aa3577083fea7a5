package vault

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"os"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver
)

//go:embed sqlite.sql
var sqliteSchema string

// sqlite is a vault in a file. Several processes on one machine can have it open.
type sqlite struct{ path string }

func (s sqlite) name() string { return s.path }

func (s sqlite) exists(context.Context) (bool, error) {
	_, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s sqlite) open() (write, read *sqlx.DB, err error) {
	write, err = sqlx.Open("sqlite", "file:"+s.path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	read, err = sqlx.Open("sqlite", "file:"+s.path+"?_pragma=query_only(ON)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	return write, read, nil
}

func (sqlite) create(_ context.Context, tx *sqlx.Tx) error {
	_, err := tx.Exec(sqliteSchema)
	return err
}

func (sqlite) state() string { return state }

// scrub overwrites what was deleted: in the file, SQLite has done so with the commit.
func (sqlite) scrub(ctx context.Context, write *sqlx.DB) error {
	var still struct{ Busy, Log, Checkpointed int }
	if err := write.GetContext(ctx, &still, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	if still.Busy != 0 {
		return errors.New("the old keys are still in the vault's write-ahead log, which another process reads: try again")
	}
	return nil
}
