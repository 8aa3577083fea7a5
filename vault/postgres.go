package vault

import (
	"context"
	_ "embed"
	"errors"
	"net/url"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/internal/pgconn"
)

//go:embed postgres.sql
var postgresSchema string

// postgres is a vault in a schema of a PostgreSQL database, for processes on several machines.
type postgres struct{ address *url.URL }

const (
	// answerWithin is how long the server may be silent before it counts as away.
	answerWithin = 15 * time.Second
	// scrubWithin is the same while it writes the table of keys anew.
	scrubWithin = 5 * time.Minute
	// lifetime is how long a connection is used, so that a server that has moved is found.
	lifetime = time.Minute
)

var settings = map[string]string{"search_path": "vault"}

var patiently = pgconn.Dialer{Limit: func() time.Duration { return answerWithin }}

func (p postgres) name() string { return "in PostgreSQL" }

func (p postgres) exists(ctx context.Context) (there bool, err error) {
	write, read, err := p.open(ctx)
	if err != nil {
		return false, err
	}
	there, err = p.made(ctx, read)
	return there, errors.Join(err, read.Close(), write.Close())
}

func (postgres) made(ctx context.Context, read *sqlx.DB) (made bool, err error) {
	err = read.GetContext(ctx, &made, "SELECT to_regclass('vault.secrets') IS NOT NULL")
	return made, pgconn.Explain(err)
}

func (p postgres) open(ctx context.Context) (write, read *sqlx.DB, err error) {
	if err := patiently.Prove(ctx, p.address); err != nil {
		return nil, nil, err
	}
	if write, err = patiently.Open(p.address, 1, settings); err != nil {
		return nil, nil, err
	}
	if read, err = patiently.Open(p.address, 4, settings); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	write.SetConnMaxLifetime(lifetime)
	read.SetConnMaxLifetime(lifetime)
	return write, read, nil
}

func (p postgres) create(ctx context.Context, tx *sqlx.Tx) (created bool, err error) {
	var is struct{ New, Here bool }
	const ask = "SELECT to_regclass('vault.secrets') IS NULL AS new, to_regnamespace('vault') IS NOT NULL AS here FROM pg_advisory_xact_lock(hashtext('daybook vault'))"
	if err := tx.GetContext(ctx, &is, ask); err != nil || !is.New {
		return false, pgconn.Explain(err)
	}
	create := postgresSchema
	if !is.Here { // or an administrator has made it, and the user needs no right to
		create = "CREATE SCHEMA vault; COMMENT ON SCHEMA vault IS 'Keys and secrets of Daybook'; REVOKE ALL ON SCHEMA vault FROM PUBLIC;" + create
	}
	_, err = tx.ExecContext(ctx, create)
	return true, pgconn.Explain(err)
}

// check leaves it to the server to find damage to its pages.
func (postgres) check(context.Context, *sqlx.DB) error { return nil }

func (postgres) state() string { return state + " FOR SHARE OF destructions" }

func (postgres) waits(forDisk bool) string {
	if forDisk {
		return "SET synchronous_commit = on"
	}
	return "SET synchronous_commit = off"
}

// scrub writes the table of keys anew, without the row versions that had destroyed keys: the server leaves those where they were until
// it needs the room, and VACUUM FULL keeps those that an open snapshot may see. The old file is emptied at once, and removed at the
// next checkpoint. What cannot be taken back: the server's write-ahead log has each key as it was made, until its segments are used
// again, and so have archives of it, standbys that are behind, and backups. There a key is wrapped by the master key.
func (p postgres) scrub(ctx context.Context, _ *sqlx.DB) error {
	db, err := pgconn.Dialer{Limit: func() time.Duration { return scrubWithin }}.Open(p.address, 1, settings)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `BEGIN;
		SET LOCAL lock_timeout = '5s';
		SET LOCAL idle_in_transaction_session_timeout = 0;
		LOCK TABLE persons IN ACCESS EXCLUSIVE MODE;
		CREATE TABLE kept (LIKE persons INCLUDING ALL);
		INSERT INTO kept SELECT * FROM persons;
		DROP TABLE persons;
		ALTER TABLE kept RENAME TO persons;
		COMMIT`)
	return errors.Join(err, db.Close())
}
