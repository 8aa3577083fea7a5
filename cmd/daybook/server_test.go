package main

import (
	"strings"
	"testing"

	"daybook/internal/pgconn"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// inOne returns the flags of a desk whose log, read models and vault are in one database.
func inOne(database string) []string {
	return append(shared(database, database), "--vault", database)
}

// TestAServerSetOtherwise serves a desk from a database whose settings are those that would do the most harm. // 8.4, 8.5
func TestAServerSetOtherwise(t *testing.T) {
	t.Parallel()
	database, folder := testdb.URL(t), t.TempDir()
	testdb.Spoil(t, database)
	where := inOne(database)
	c, stop := reexec.Serve(t, folder, where...)
	c.Play(t, testdesk.Journal(t))
	c.CaughtUp(t)
	testdesk.ExpectedOfJournal(t).Holds(t, c)
	c.Must(t, 202, "POST", "/v1/projections/rebuild", nil)
	stop()
	for _, command := range []string{"rebuild", "verify"} {
		if out, talk, exit := reexec.Run(t, append([]string{command, "--data", folder}, where...)...); exit != 0 {
			t.Errorf("%s: %d, %s, %s", command, exit, out, talk)
		}
	}
}

// TestAServerThatIsRefused: where a desk could be lost or misread it is not opened, whatever would be there. // 8.4, 8.6, 8.7
func TestAServerThatIsRefused(t *testing.T) {
	t.Parallel()
	good := testdb.URL(t)
	unsafe := testdb.NewServer(t, pgconn.MayLoseData+"=off") // fsync is off
	pooled := testdb.Pooler(t, good, "transaction", "ignore_startup_parameters=extra_float_digits,search_path,options,statement_timeout")
	for says, bad := range map[string]string{"fsync=off": unsafe.URL(), "pool_mode=session": pooled} {
		for part, where := range map[string][]string{
			"the log":         append(shared(bad, good), "--vault", good),
			"the read models": append(shared(good, bad), "--vault", good),
			"the vault":       append(shared(good, good), "--vault", bad),
		} {
			out, talk, exit := reexec.Run(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, where...)...)
			if exit != failed || !strings.Contains(talk, says) {
				t.Errorf("%s in a server with %s: %d, %s, %s", part, says, exit, out, talk)
			}
		}
	}
}

// TestAPoolOfSessions serves a desk through a pooler that gives each connection a session. // 8.6
func TestAPoolOfSessions(t *testing.T) {
	t.Parallel()
	folder, where := t.TempDir(), inOne(testdb.Pooler(t, testdb.URL(t), "session", "default_pool_size=60"))
	c, stop := reexec.Serve(t, folder, where...)
	c.Play(t, testdesk.Journal(t))
	c.CaughtUp(t)
	stop()
	if out, talk, exit := reexec.Run(t, append([]string{"verify", "--data", folder}, where...)...); exit != 0 {
		t.Errorf("%d, %s, %s", exit, out, talk)
	}
}
