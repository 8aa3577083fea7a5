package postgres_test

import (
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/pgconn"
	"daybook/internal/testdb"
)

// TestDurable: what was answered outlasts the server's sudden end, although the database does not wait for the disk. // 8.4
func TestDurable(t *testing.T) {
	server := testdb.NewServer(t, "wal_writer_delay=10s")
	execute(t, server.URL(), "ALTER DATABASE postgres SET synchronous_commit = off")
	store := open(t, server.URL(), postgres.Options{})
	appends(t, store)
	last := appends(t, store)
	server.Restart(t, syscall.SIGKILL)
	if head, err := store.Head(t.Context()); head != last || err != nil {
		t.Errorf("the log ends at %d, not %d: %v", head, last, err)
	}
	shut(t, store)
}

// TestServerRefused: a log is not opened where it could be lost or misread. // 8.4, 8.6, 8.7
func TestServerRefused(t *testing.T) {
	unsafe := testdb.NewServer(t, pgconn.MayLoseData+"=off") // fsync is off
	database := testdb.NewServer(t).URL()
	execute(t, database, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	for says, address := range map[string]string{
		"fsync=off":         unsafe.URL(),
		"encoding LATIN1":   at(t, database, url.User("postgres"), "latin"),
		"pool_mode=session": testdb.Pooler(t, database, "transaction", "ignore_startup_parameters=extra_float_digits,search_path"),
	} {
		store, err := postgres.Open(t.Context(), address, postgres.Options{})
		if err == nil {
			shut(t, store)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
}

// TestCollation: the indexes of names do not depend on the system's collations. // 8.10
func TestCollation(t *testing.T) {
	database := testdb.URL(t)
	store := open(t, database, postgres.Options{})
	defer shut(t, store)
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	var names []string
	const others = `SELECT attname FROM pg_attribute WHERE attrelid = 'eventlog.events'::regclass AND attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)`
	if err := db.Select(&names, others); err != nil || len(names) > 0 {
		t.Errorf("%v have another collation: %v", names, err)
	}
	for i, stream := range []string{"straße", "STRASSE", "strasse", "e\u0301", "é", "\u00e9a", "a-b", "ab", "a b"} {
		if _, err := eventstore.AppendTo(t.Context(), store, stream, eventstore.NoStream, event()); err != nil {
			t.Fatal(err)
		}
		if got := rest(t, store, eventstore.Position(i)); len(got) != 1 || got[0].Stream != stream {
			t.Errorf("%q: %v", stream, fmt.Sprint(got))
		}
	}
}
