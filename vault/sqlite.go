package vault

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"github.com/jmoiron/sqlx"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
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

// fileURI returns the driver's name of a file, whatever characters its path has.
func fileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

func (s sqlite) open(context.Context) (write, read *sqlx.DB, err error) {
	write, err = sqlx.Open("sqlite", fileURI(s.path)+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=cache_size(-4096)&_pragma=wal_autocheckpoint(8000)&_pragma=busy_timeout(10)&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	read, err = sqlx.Open("sqlite", fileURI(s.path)+"?_pragma=query_only(ON)&_pragma=cache_size(-2048)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	return write, read, nil
}

func (sqlite) made(ctx context.Context, read *sqlx.DB) (bool, error) { return hasTables(ctx, read) }

func hasTables(ctx context.Context, db sqlx.QueryerContext) (has bool, err error) {
	return has, sqlx.GetContext(ctx, db, &has, "SELECT EXISTS (SELECT 1 FROM sqlite_schema)")
}

func (sqlite) create(ctx context.Context, tx *sqlx.Tx) (created bool, err error) {
	if has, err := hasTables(ctx, tx); err != nil || has {
		return false, err
	}
	_, err = tx.ExecContext(ctx, sqliteSchema)
	return true, err
}

// check takes a second for a million people and as many outcomes.
func (sqlite) check(ctx context.Context, read *sqlx.DB) error { return check(ctx, read) }

func (sqlite) state() string { return state }

func (sqlite) waits(forDisk bool) string {
	if forDisk {
		return "PRAGMA synchronous = FULL"
	}
	return "PRAGMA synchronous = NORMAL"
}

// patience is how long a process waits for others that write.
const patience = 5 * time.Second

// ErrBusy means that another process writes, or reads what is to be overwritten, and does not come to an end.
var ErrBusy = errors.New("another process has been at work in the vault for seconds: if it is suspended, let it go on or end it")

// begin begins a transaction that writes.
func begin(ctx context.Context, db *sqlx.DB) (t *sqlx.Tx, err error) {
	return t, inTurn(ctx, func() error {
		t, err = db.BeginTxx(ctx, nil)
		return err
	})
}

// inTurn does something as soon as nobody else is at work in the file. SQLite has no queue, and by itself asks less and less often:
// beside several writers, it might not get its turn for a long time. So it is asked often.
func inTurn(ctx context.Context, do func() error) error {
	for began := time.Now(); ; {
		err := do()
		var e *driver.Error
		if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			err = fmt.Errorf("%w (%w)", ErrBusy, err)
		}
		if !errors.Is(err, ErrBusy) || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// scrub overwrites what was deleted: in the file, SQLite has done so with the commit.
func (sqlite) scrub(ctx context.Context, write *sqlx.DB) error {
	err := inTurn(ctx, func() error {
		var still struct{ Busy, Log, Checkpointed int }
		err := write.GetContext(ctx, &still, "PRAGMA wal_checkpoint(TRUNCATE)")
		if err == nil && still.Busy != 0 {
			err = ErrBusy
		}
		return err
	})
	if errors.Is(err, ErrBusy) {
		return errors.New("the old keys are still in the vault's write-ahead log, which another process reads: try again")
	}
	return err
}
