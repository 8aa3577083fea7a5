package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// steps returns the commands under a heading of docs/operations.md, block by block.
func steps(t *testing.T, heading string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/operations.md has no %q", heading)
	}
	section, _, _ := strings.Cut(text2, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// TestRestore follows docs/operations.md on each backend: it makes a backup, does more work, and restores the backup. Read
// models that are ahead of the log must be refused, even once the log has grown, and rebuilt as the documentation says.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "sqlite3"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("DAYBOOK_TEST_REQUIRE") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	backup, restore := steps(t, "Back up"), steps(t, "Restore")
	if len(backup) != 3 || len(restore) != 4 {
		t.Fatalf("docs/operations.md has %d and %d steps", len(backup), len(restore))
	}
	const inFolder, inPostgreSQL, vaultAfter, vaultFirst, thenReadModels = 0, 1, 2, 0, 3
	for name, where := range map[string]func(t *testing.T, run func(string)) (f folder, backUp, putBack func()){
		"SQLite": func(_ *testing.T, run func(string)) (folder, func(), func()) {
			return folder{}, func() { run(backup[inFolder]) }, func() { run(`rm "$DAYBOOK_DATA"/events.db*` + "\n" + restore[1+inFolder]) }
		},
		"PostgreSQL": func(t *testing.T, run func(string)) (folder, func(), func()) {
			u := testdb.URL(t)
			return folder{Events: u, ReadModels: u}, func() { run(backup[inPostgreSQL]) }, func() { run(restore[1+inPostgreSQL]) }
		},
		"EventStoreDB": func(t *testing.T, run func(string)) (folder, func(), func()) {
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			var files esdbtest.Backup
			return folder{Events: server.ConnectionString(), ReadModels: testdb.URL(t)},
				func() { run("mkdir backup"); files = server.Backup() }, func() { server.Restore(files) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			bin := filepath.Join(work, "bin")
			err := os.Mkdir(bin, 0o700)
			if err == nil {
				err = os.Symlink(reexec.Path(t), filepath.Join(bin, "daybook"))
			}
			if err != nil {
				t.Fatal(err)
			}
			var f folder
			run := func(script string) {
				t.Helper()
				cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-e", "-c", script)
				cmd.Dir = work
				cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"),
					"DAYBOOK_DATA="+f.Data, "DAYBOOK_EVENTS="+f.Events, "DAYBOOK_READ_MODELS="+f.ReadModels)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", script, err, out)
				}
			}
			var backUp, putBack func()
			f, backUp, putBack = where(t, run)
			f.Data = filepath.Join(work, "data")
			flags := []string{"--events", f.Events, "--read-models", f.ReadModels}
			serves := func(names ...string) {
				t.Helper()
				c, stop := reexec.Serve(t, f.Data, flags...)
				for _, name := range names {
					c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": name})
				}
				c.CaughtUp(t)
				stop()
			}
			refuses := func(sentence string, names ...string) (says string) {
				t.Helper()
				c, stop := reexec.Serve(t, f.Data, flags...)
				testdesk.Eventually(t, "it is refused", func() bool {
					says = string(c.Do(t, "GET", "/readyz", nil).Body)
					return strings.Contains(says, sentence)
				})
				for _, name := range names {
					c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": name})
				}
				stop()
				return says
			}

			serves("In the backup")
			backUp()
			run(backup[vaultAfter])
			serves("Lost", "Lost too")
			putBack()
			if f.inFolder() {
				run(`rm "$DAYBOOK_DATA"/vault.*`)
			}
			run(restore[vaultFirst])
			refuses("restore the whole log", "Since", "Since then", "Since long", "Since ever")
			says := refuses("no longer has the event that was there")

			// As the documentation says.
			if schema := regexp.MustCompile(`readmodels_\d+`).FindString(says); schema != "" {
				db := sqlx.MustConnect("postgres", f.ReadModels)
				defer db.Close()
				db.MustExec("DROP SCHEMA " + schema + " CASCADE")
			} else {
				run("rm " + regexp.MustCompile(`/\S*readmodels-\d+\.db`).FindString(says))
			}
			run(restore[thenReadModels])
			c, stop := reexec.Serve(t, f.Data, flags...)
			c.CaughtUp(t)
			var names []string
			for _, contact := range c.All(t, "/v1/contacts") {
				names = append(names, contact["name"].(string))
			}
			stop()
			if len(names) != 5 || strings.Contains(strings.Join(names, " "), "Lost") {
				t.Errorf("there are %q", names)
			}
		})
	}
}

// TestRetryAfterRestore restores an older log beside the newer vault, and repeats requests that the log does not have any more. They
// are done again, whether they had changed something, had nothing to change, or were refused.
func TestRetryAfterRestore(t *testing.T) {
	t.Parallel()
	f := folder{Data: t.TempDir()}
	key := func(key string) testdesk.With { return testdesk.Header("Idempotency-Key", key) }
	c, stop := reexec.Serve(t, f.Data)
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	before := c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"language": "it"}, key("before"))
	stop()
	backup, err := os.ReadFile(f.path("events.db"))
	if err != nil {
		t.Fatal(err)
	}
	requests := []struct {
		key, method, path string
		body              map[string]any
		first, again      int
	}{
		{"changes", "PATCH", "/v1/contacts/" + nora, map[string]any{"note": "She phoned."}, 200, 200},
		{"changes nothing", "PATCH", "/v1/contacts/" + nora, map[string]any{"note": "She phoned."}, 200, 200},
		{"creates", "POST", "/v1/contacts", map[string]any{"name": "Ben"}, 201, 201},
		{"is refused", "POST", "/v1/tags", map[string]any{"name": "VIP", "scope": "contacts"}, 409, 201},
	}
	c, stop = reexec.Serve(t, f.Data)
	c.Must(t, 201, "POST", "/v1/tags", map[string]any{"name": "VIP", "scope": "contacts"})
	for _, r := range requests {
		c.Must(t, r.first, r.method, r.path, r.body, key(r.key))
		if again := c.Must(t, r.first, r.method, r.path, r.body, key(r.key)); again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: the second answer was %s", r.key, again)
		}
	}
	stop()
	for _, pattern := range []string{"events.db*", "readmodels-*"} {
		files, err := filepath.Glob(f.path(pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(f.path("events.db"), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	c, stop = reexec.Serve(t, f.Data)
	defer stop()
	if again := c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"language": "it"}, key("before")); string(again.Body) != string(before.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("what the log still has: %s", again)
	}
	requests[0], requests[1] = requests[1], requests[0] // what changed nothing then changes something now
	for i, r := range requests {
		again := c.Must(t, r.again, r.method, r.path, r.body, key(r.key))
		if again.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: after the restore, the answer was %s", r.key, again)
		}
		if i == 0 && again.Object(t)["note"] != "She phoned." {
			t.Errorf("%s: after the restore, it came to %s", r.key, again)
		}
		if again := c.Must(t, r.again, r.method, r.path, r.body, key(r.key)); again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: the second answer after the restore was %s", r.key, again)
		}
	}
}
