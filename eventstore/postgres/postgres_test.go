package postgres_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/eventstore/storetest"
	"daybook/internal/testdb"
)

func open(t testing.TB, url string, opts postgres.Options) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	url := testdb.URL(t)
	var made atomic.Int64
	storetest.Run(t, func(t testing.TB) eventstore.Store {
		return open(t, url, postgres.Options{Schema: fmt.Sprintf("log_%d", made.Add(1))})
	}, storetest.Dense, storetest.Atomic, storetest.Shared)
}

func TestClock(t *testing.T) {
	url := testdb.URL(t)
	var made atomic.Int64
	t.Run("C60 the clock is set back and forth", func(t *testing.T) {
		storetest.Clock(t, func(t testing.TB) func(func() time.Time) eventstore.Store {
			schema := fmt.Sprintf("log_%d", made.Add(1))
			return func(now func() time.Time) eventstore.Store {
				return open(t, url, postgres.Options{Schema: schema, Now: now})
			}
		})
	})
}

// secret is a password that no message may contain.
const secret = "wisteria"

func TestRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		at   func(t *testing.T) string
		says string
	}{
		"no URL":          {func(*testing.T) string { return "host=127.0.0.1 dbname=desk" }, "must be a URL"},
		"another scheme":  {func(*testing.T) string { return "mysql://127.0.0.1/desk" }, "must be a URL"},
		"no address":      {func(*testing.T) string { return "postgres://desk:" + secret + "@local host/desk" }, "must be a URL"},
		"nobody there":    {func(t *testing.T) string { return nobody(t, "127.0.0.1") }, "connection refused"},
		"nobody anywhere": {func(t *testing.T) string { return nobody(t, "127.0.0.1,127.0.0.1") }, "could not connect to any of the hosts"},
		"no database":     {func(t *testing.T) string { return at(t, testdb.URL(t), url.User("postgres"), "nowhere") }, `"nowhere" does not exist`},
		"another format":  {anotherFormat, "another version wrote it"},
		"no right to lay": {func(t *testing.T) string { return stranger(t, testdb.URL(t), "") }, "permission denied for database"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := postgres.Open(t.Context(), test.at(t), postgres.Options{})
			if err == nil {
				shut(t, store)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "opening the event log in PostgreSQL: ") {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the message %q has the password", err)
			}
		})
	}
}

// nobody is the address of a database at a port where nobody listens.
func nobody(t *testing.T, hosts string) string {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	return fmt.Sprintf("postgres://desk:%s@%s/desk?sslmode=disable&port=%d", secret, hosts, port.Addr().(*net.TCPAddr).Port)
}

// TestMayOnlyRead opens the log as a role that may only read: Follow works, and Append fails at once with the reason.
func TestMayOnlyRead(t *testing.T) {
	url := testdb.URL(t)
	owner := open(t, url, postgres.Options{})
	defer shut(t, owner)
	appends(t, owner)
	reader := open(t, stranger(t, url, "GRANT USAGE ON SCHEMA eventlog TO %[1]s; GRANT SELECT ON ALL TABLES IN SCHEMA eventlog TO %[1]s"), postgres.Options{})
	defer shut(t, reader)
	if got := rest(t, reader, eventstore.Start); len(got) != childBatch || reader.ID() != owner.ID() {
		t.Errorf("followed %d events of log %v", len(got), reader.ID())
	}
	if _, err := eventstore.AppendTo(t.Context(), reader, "a", eventstore.NoStream, event()); err == nil || !strings.Contains(err.Error(), "permission denied for table turn") {
		t.Errorf("Append: %v", err)
	}
	appends(t, owner)
	if got := rest(t, reader, childBatch); len(got) != childBatch {
		t.Errorf("then followed %d events", len(got))
	}
}

func TestLarge(t *testing.T) {
	t.Run("C33 positions continue beyond 32 bits", func(t *testing.T) {
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		defer shut(t, store)
		put(t, store, "a", 0, 1<<31, 1)
		if got := appends(t, store); got != 1<<31+childBatch {
			t.Errorf("appended at %d", got)
		}
	})
}

// at is the address with another database or another user.
func at(t *testing.T, address string, user *url.Userinfo, database string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = user
	if database != "" {
		u.Path = database
	}
	return u.String()
}

// stranger creates a role with only the given grants, and returns the database's address for it.
func stranger(t *testing.T, address, granted string) string {
	t.Helper()
	role := "stranger-" + uuid.NewString()
	execute(t, address, "CREATE ROLE "+pq.QuoteIdentifier(role)+" LOGIN")
	if granted != "" {
		execute(t, address, fmt.Sprintf(granted, pq.QuoteIdentifier(role)))
	}
	return at(t, address, url.User(role), "")
}

// role is the quoted role of an address.
func role(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return pq.QuoteIdentifier(u.User.Username())
}

func anotherFormat(t *testing.T) string {
	address := testdb.URL(t)
	shut(t, open(t, address, postgres.Options{}))
	execute(t, address, "UPDATE eventlog.identity SET format = format + 1")
	return address
}

func execute(t *testing.T, address, script string) {
	t.Helper()
	db, err := sqlx.Connect("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}
