package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"daybook/domain/personal"
	"daybook/internal/pgconn"
)

// program identifies this very program, by what its file contains: whatever is folded in another way comes from another one.
func program() string {
	sum := func() ([]byte, error) {
		path, err := os.Executable()
		if err != nil {
			return nil, err
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, file); err != nil {
			return nil, err
		}
		return hash.Sum(nil)[:16], nil
	}
	id, err := sum()
	if err != nil { // then no other process uses its snapshots
		u := uuid.New()
		id = u[:]
	}
	return hex.EncodeToString(id)
}

// InFile returns a store in a SQLite file, which it creates when there is something to keep. keys seal what it holds.
func InFile(path string, keys personal.Keys) *Store {
	return start(file(path), keys)
}

type file string

func (file) table() string { return "snapshots" }

func (f file) open(create bool) (*sqlx.DB, error) {
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	db, err := sqlx.Open("sqlite", "file:"+(&url.URL{Path: string(f)}).EscapedPath()+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=secure_delete(ON)&_pragma=cache_size(-2048)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	return db, nil
}

func (file) create(ctx context.Context, db *sqlx.DB) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS snapshots (
		stream TEXT NOT NULL, part TEXT NOT NULL, version TEXT NOT NULL, destroyed INTEGER NOT NULL, at INTEGER NOT NULL, box BLOB NOT NULL,
		PRIMARY KEY (stream, part, version))`)
	return err
}

func (file) lacks(err error) bool { return strings.Contains(err.Error(), "no such table") }

// InPostgreSQL returns a store in the schema of the read models, in the database of a URL. keys seal what it holds.
func InPostgreSQL(database string, keys personal.Keys) (*Store, error) {
	address, err := pgconn.Parse(database)
	if err != nil {
		return nil, err
	}
	return start(schema{address}, keys), nil
}

type schema struct{ database *url.URL }

func (schema) table() string { return "readmodels.snapshots" }

// answerWithin is how long a server may be silent.
const answerWithin = 5 * time.Second

func (s schema) open(bool) (*sqlx.DB, error) {
	return pgconn.Dialer{Limit: func() time.Duration { return answerWithin }}.Open(s.database, 2, map[string]string{"synchronous_commit": "off"})
}

func (schema) create(ctx context.Context, db *sqlx.DB) error {
	var there bool
	if err := db.GetContext(ctx, &there, "SELECT to_regclass('readmodels.snapshots') IS NOT NULL"); err != nil || there {
		return pgconn.Explain(err)
	}
	_, err := db.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('"readmodels"'));
		DO $do$ BEGIN
			IF to_regnamespace('readmodels') IS NULL THEN
				CREATE SCHEMA readmodels;
			END IF;
		END $do$;
		CREATE TABLE IF NOT EXISTS readmodels.snapshots (
			stream TEXT COLLATE "C" NOT NULL, part TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL, destroyed BIGINT NOT NULL, at BIGINT NOT NULL, box BYTEA NOT NULL,
			PRIMARY KEY (stream, part, version))`)
	return pgconn.Explain(err)
}

func (schema) lacks(err error) bool {
	refused, is := errors.AsType[*pq.Error](err)
	return is && refused.Code == pqerror.UndefinedTable
}
