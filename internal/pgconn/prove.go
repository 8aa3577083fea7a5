package pgconn

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jmoiron/sqlx"
)

// An UnfitError says why a database is not one that Daybook can rely on, and what to do. Waiting does not mend it.
type UnfitError struct{ says string }

func (e *UnfitError) Error() string { return e.says }

func unfit(format string, args ...any) error { return &UnfitError{fmt.Sprintf(format, args...)} }

// MayLoseData is a setting that a server has which may lose what was committed: Daybook uses it although it has fsync=off. It is for
// tests.
const MayLoseData = "daybook.may_lose_data"

// Prove returns an *UnfitError if Daybook cannot rely on a database: if its encoding or the server's fsync is wrong, if a setting does
// not reach the server, or if a pooler shares connections between transactions, so that a setting does not outlast one. Of the last it
// asks before anything is set, since what is set there is set for others too.
func (d Dialer) Prove(ctx context.Context, address *url.URL) (err error) {
	db, err := d.open(address, 2, "")
	if err != nil {
		return err
	}
	defer db.Close() // what it returns is no news
	one, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer one.Close()
	if err := suitable(ctx, one); err != nil {
		return err
	}
	other, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer other.Close()
	if err := areSessions(ctx, one, other); err != nil {
		return err
	}
	if _, err := one.ExecContext(ctx, set(settings)); err != nil {
		return unset(err)
	}
	var differ []string
	if err := one.SelectContext(ctx, &differ, "SELECT name || ' is ' || pg_catalog.current_setting(name) || ', not ' || value FROM "+listed(settings)); err != nil {
		return err
	}
	if len(differ) > 0 {
		return unfit("a setting does not reach the server (%s): connect to it directly", differ[0])
	}
	return nil
}

// suitable asks for what cannot be set.
func suitable(ctx context.Context, db *sqlx.Conn) error {
	var is struct {
		Encoding      string
		Fsync, Agreed bool
	}
	const ask = `SELECT pg_catalog.current_setting('server_encoding') AS encoding, pg_catalog.current_setting('fsync') = 'on' AS fsync,
		coalesce(pg_catalog.current_setting('` + MayLoseData + `', true), '') = 'on' AS agreed`
	if err := db.GetContext(ctx, &is, ask); err != nil {
		return err
	}
	switch {
	case is.Encoding != "UTF8":
		return unfit("the database has the encoding %s: create one with ENCODING 'UTF8' TEMPLATE template0, and use that", is.Encoding)
	case !is.Fsync && !is.Agreed:
		return unfit("the server has fsync=off, so it can lose everything when its machine fails: set fsync=on and restart it; a server for tests may set %s=on instead", MayLoseData)
	}
	return nil
}

// areSessions fails unless two connections are a session each. A pooler that shares them between transactions gives either the one
// that was used last or the next; if both find the same one twice, nothing was shared.
func areSessions(ctx context.Context, one, other *sqlx.Conn) error {
	var pids [2]int
	for _, i := range []int{0, 0, 1, 0, 1} {
		var pid int
		if err := []*sqlx.Conn{one, other}[i].GetContext(ctx, &pid, "SELECT pg_catalog.pg_backend_pid()"); err != nil {
			return err
		}
		if pids[i] != 0 && pids[i] != pid || pids[1-i] == pid {
			return unfit("a pooler shares the server's sessions between transactions, so what Daybook sets is lost: connect to the server directly, or through a pool of sessions (pool_mode=session)")
		}
		pids[i] = pid
	}
	return nil
}
