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
