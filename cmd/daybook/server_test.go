package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

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

// sqlIn returns the blocks of SQL in a section of a page of the documentation.
func sqlIn(t *testing.T, page, section string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, from, found := strings.Cut(string(text), "\n"+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, section)
	}
	from, _, _ = strings.Cut(from, "\n##")
	for i, block := range strings.Split(from, "```") {
		if sql, is := strings.CutPrefix(block, "sql\n"); is && i%2 == 1 {
			blocks = append(blocks, sql)
		}
	}
	return blocks
}

// warnings are those of /readyz.
func warnings(t *testing.T, c testdesk.Client) string {
	t.Helper()
	return string(c.Do(t, "GET", "/readyz", nil).Body)
}

// TestRights runs the processes of a desk with the rights that the documentation lists, and takes some away. // 8.8
func TestRights(t *testing.T) {
	t.Parallel()
	server, folder := testdb.NewServer(t), t.TempDir()
	admin := sqlx.MustConnect("postgres", server.URL())
	admin.MustExec("CREATE DATABASE desk")
	admin.MustExec("REVOKE ALL ON DATABASE desk FROM PUBLIC")
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	as := func(role string) string {
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.Path, u.User = "/desk", url.User(role)
		return u.String()
	}
	admin = sqlx.MustConnect("postgres", as("postgres"))
	defer admin.Close()
	blocks := sqlIn(t, "operations.md", "### What each user of PostgreSQL may do")
	if len(blocks) != 2 {
		t.Fatalf("there are %d blocks", len(blocks))
	}
	admin.MustExec(blocks[0])
	owner := append(shared(as("daybook"), as("daybook")), "--vault", as("daybook"))
	projecting, process := reexec.StartServer(t, folder, append(owner, "--only", "projections,reactions")...)
	admin.MustExec(blocks[1])
	answering, _ := reexec.Serve(t, folder, append(shared(as("daybook_api"), as("daybook_api")), "--vault", as("daybook"), "--only", "api,reactions")...)
	readsAtOnce(t, answering, answering, 3)
	projecting.Must(t, 202, "POST", "/v1/projections/rebuild", nil)
	rebuilt := func(generation string) bool {
		var seen string
		if err := admin.Get(&seen, "SELECT coalesce(obj_description(to_regnamespace('reporting')), '')"); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(seen, "schema "+generation+".")
	}
	testdesk.Eventually(t, "dashboards see the new read models", func() bool { return rebuilt("readmodels_2") })
	readsAtOnce(t, answering, answering, 3)
	for _, c := range []testdesk.Client{answering, projecting} {
		if said := warnings(t, c); strings.Contains(said, "warnings") {
			t.Error(said)
		}
	}

	admin.MustExec("REVOKE USAGE ON SCHEMA readmodels_2 FROM daybook_api")
	testdesk.Eventually(t, "what may not be read is said", func() bool {
		a := answering.Do(t, "GET", "/readyz", nil)
		return a.Status == 503 && strings.Contains(string(a.Body), "permission denied for schema readmodels_2") && strings.Contains(string(a.Body), "docs/operations.md")
	})
	admin.MustExec("GRANT USAGE ON SCHEMA readmodels_2 TO daybook_api; ALTER SCHEMA reporting OWNER TO postgres")
	projecting.Must(t, 202, "POST", "/v1/projections/rebuild", nil)
	testdesk.Eventually(t, "that dashboards see old rows is said", func() bool {
		said := warnings(t, projecting)
		return strings.Contains(said, "Dashboards do not see the newest rows") && strings.Contains(said, "must be owner of schema reporting")
	})
	admin.MustExec("ALTER SCHEMA reporting OWNER TO daybook")
	testdesk.Eventually(t, "dashboards see the newest rows", func() bool { return rebuilt("readmodels_3") && !strings.Contains(warnings(t, projecting), "warnings") })
	process.Terminate(t)
	testdesk.Eventually(t, "that nobody projects is said", func() bool { return strings.Contains(warnings(t, answering), "No process projects") }) // 8.3
	admin.MustExec("REVOKE CREATE ON DATABASE desk FROM daybook")
	if _, talk, exit := reexec.Run(t, append([]string{"rebuild", "--data", folder}, owner...)...); exit != failed || !strings.Contains(talk, "permission denied for database desk") || !strings.Contains(talk, "docs/operations.md") {
		t.Errorf("%d, %s", exit, talk)
	}
	admin.MustExec("DROP SCHEMA readmodels_2, readmodels_3 CASCADE")
	building, _ := reexec.Serve(t, folder, append(owner, "--only", "projections,reactions")...)
	testdesk.Eventually(t, "why the read models cannot be built is said", func() bool { return strings.Contains(warnings(t, building), "permission denied for database desk") }) // 8.1
}

// TestAClockSetBack: the process that projects is killed, and the server comes back with its clock an hour behind. // 8.3
func TestAClockSetBack(t *testing.T) {
	t.Parallel()
	database, folder := testdb.URL(t), t.TempDir()
	projecting, process := reexec.StartServer(t, folder, append(inOne(database), "--only", "projections,reactions", "--lease", "1h")...)
	answering, _ := reexec.Serve(t, folder, append(inOne(database), "--only", "api")...)
	testdesk.Eventually(t, "it projects", func() bool { return projects(t, projecting) })
	testdesk.Eventually(t, "both are ready", func() bool { return answering.Do(t, "GET", "/readyz", nil).Status == 200 })
	process.Kill()
	admin := sqlx.MustConnect("postgres", database)
	defer admin.Close()
	admin.MustExec("UPDATE readmodels.terms SET since = since + interval '1 hour', until = until + interval '1 hour'")
	testdesk.Eventually(t, "that nobody projects is said", func() bool { return strings.Contains(warnings(t, answering), "No process projects") })
	next, _ := reexec.Serve(t, folder, append(inOne(database), "--only", "projections,reactions", "--lease", "1h")...)
	testdesk.Eventually(t, "another projects", func() bool { return projects(t, next) })
	readsAtOnce(t, answering, answering, 2)
	testdesk.Eventually(t, "nothing is amiss", func() bool { return !strings.Contains(warnings(t, answering), "warnings") })
}
