package pgconn_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/internal/pgconn"
	"daybook/internal/testdb"
)

func dialer() pgconn.Dialer { return pgconn.Dialer{Limit: func() time.Duration { return time.Minute }} }

func parsed(t *testing.T, database string) *url.URL {
	t.Helper()
	u, err := pgconn.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestSessionsAreSet: whatever a database sets, a session of Daybook is set to what it relies on.
func TestSessionsAreSet(t *testing.T) { // 8.4, 8.5
	database := testdb.URL(t)
	testdb.Spoil(t, database)
	address := parsed(t, database)
	db, err := dialer().Open(address, 1, map[string]string{"search_path": `"an ""odd"" name"`, "lock_timeout": "4s"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := pgconn.Settings()
	want["search_path"], want["lock_timeout"] = `"an ""odd"" name"`, "4s"
	for name, value := range want {
		var is *string
		if err := db.Get(&is, "SELECT current_setting($1, true)", name); err != nil {
			t.Fatal(err)
		}
		if is != nil && *is != value {
			t.Errorf("%s is %q, not %q", name, *is, value)
		}
		if set, spoilt := testdb.Hostile[name]; is != nil && (!spoilt || set == value) {
			t.Errorf("%s is not tried", name)
		}
	}
	if err := dialer().Prove(t.Context(), address); err != nil {
		t.Error(err)
	}
}

// TestRefuses what waiting does not mend.
func TestRefuses(t *testing.T) {
	server := testdb.NewServer(t, pgconn.MayLoseData+"=off") // fsync is off
	ours := testdb.NewServer(t).URL()
	admin := sqlx.MustConnect("postgres", ours)
	defer admin.Close()
	for _, statement := range []string{
		"CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'", "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
		"CREATE DATABASE replica", "ALTER DATABASE replica SET session_replication_role = replica", "CREATE ROLE plain LOGIN",
	} {
		admin.MustExec(statement)
	}
	at := func(database string, user string) string {
		u := parsed(t, ours)
		u.Path = "/" + database
		if user != "" {
			u.User = url.User(user)
		}
		return u.String()
	}
	const ignoring = "ignore_startup_parameters=extra_float_digits,search_path,options"
	for name, c := range map[string]struct{ database, says string }{
		"8.4 fsync is off":                {server.URL(), "fsync=off"},
		"8.7 LATIN1":                      {at("latin", ""), "encoding LATIN1"},
		"8.7 no encoding":                 {at("bytes", ""), "encoding SQL_ASCII"},
		"8.5 what the user may not set":   {at("replica", "plain"), "session_replication_role"},
		"8.6 transactions share sessions": {testdb.Pooler(t, ours, "transaction", ignoring), "pool_mode=session"},
		"8.6 they share the only one":     {testdb.Pooler(t, ours, "transaction", ignoring+"\ndefault_pool_size=1"), "pool_mode=session"},
		"8.6 in turn":                     {testdb.Pooler(t, ours, "transaction", "server_round_robin=1\nmin_pool_size=2"), "pool_mode=session"},
		"8.6 statements share sessions":   {testdb.Pooler(t, ours, "statement", ignoring), "pool_mode=session"},
		"8.6 a session each":              {testdb.Pooler(t, ours, "session", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := dialer().Prove(t.Context(), parsed(t, c.database))
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, new(*pgconn.UnfitError)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}
