package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daybook/api"
	"daybook/internal/testdesk"
	"daybook/internal/testdisk"
)

// flips is how many bits are flipped.
func flips() int {
	if testdesk.Soak() {
		return 1000
	}
	return 15
}

// flip flips one bit of a file, anywhere, and returns which.
func flip(t *testing.T, path string) int64 {
	t.Helper()
	bit := rand.Int64N(testdisk.Bits(t, path))
	testdisk.Flip(t, path, bit)
	return bit
}

// whole reads every row of a file of read models, and proves its indexes. Which number it has, and who may write to it, does not count.
func whole(path string) (all rows, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ask := func(query string, args ...any) (list []string, err error) {
		found, err := db.Query(query, args...)
		if err != nil {
			return nil, err
		}
		defer found.Close()
		for found.Next() {
			var s string
			if err := found.Scan(&s); err != nil {
				return nil, err
			}
			list = append(list, s)
		}
		return list, found.Err()
	}
	if proved, err := ask("PRAGMA integrity_check"); err != nil || !slices.Equal(proved, []string{"ok"}) {
		return nil, fmt.Errorf("%q, %w", proved, err)
	}
	tables, err := ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'generation' ORDER BY name")
	all = make(rows)
	for _, table := range tables {
		columns, failed := ask("SELECT name FROM pragma_table_info(?) WHERE name NOT IN ('epoch', 'parked_at')", table)
		var cells []string
		for _, c := range columns {
			cells = append(cells, fmt.Sprintf(`typeof("%[1]s") || quote("%[1]s")`, c))
		}
		var list []string
		if failed == nil {
			list, failed = ask(fmt.Sprintf("SELECT %s FROM %q", strings.Join(cells, " || ' ' || "), table))
		}
		err = errors.Join(err, failed)
		slices.Sort(list)
		all[table] = list
	}
	return all, err
}

// TestFlippedReadModels flips one bit after another in the read models of a stopped desk. verify says that they differ, or what to do,
// or they are as they were; after a rebuild they are.
func TestFlippedReadModels(t *testing.T) {
	t.Parallel()
	from := sameNames(t)
	imports(t, inProcess, from, testdesk.JournalFile(t))
	projected(t, inProcess, from)
	truth, err := whole(newest(t, from))
	if err != nil {
		t.Fatal(err)
	}
	noticed, moved := 0, 0
	for range flips() {
		folder := t.TempDir()
		if err := os.CopyFS(folder, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		path := newest(t, folder)
		t.Run(fmt.Sprint(flip(t, path)), func(t *testing.T) {
			is, unreadable := whole(path)
			same := unreadable == nil && cmp.Equal(is, truth)
			out, talk, exit := inProcess.Run(t, "verify", "--data", folder, "-o", "json")
			var v api.Verification
			if exit == 0 || exit == notAsItIs {
				if err := json.Unmarshal([]byte(out), &v); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case exit == 0 && !same:
				t.Errorf("verify says that all is well: %v", unreadable)
			case exit == notAsItIs && v.Verdict != api.ReadModelsDiffer:
				t.Errorf("verify: %+v", v)
			case exit != 0 && !strings.Contains(talk, "daybook rebuild") && !strings.Contains(talk, "move that file away"):
				t.Errorf("verify: exit %d, %s", exit, talk)
			}
			if exit != 0 {
				noticed++
			}
			_, talk, exit = inProcess.Run(t, "rebuild", "--data", folder)
			if exit != 0 && strings.Contains(talk, "move that file away") {
				moved++
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				_, talk, exit = inProcess.Run(t, "rebuild", "--data", folder)
			}
			if exit != 0 {
				t.Fatalf("rebuild: exit %d, %s", exit, talk)
			}
			if is, err := whole(newest(t, folder)); err != nil || !cmp.Equal(is, truth) {
				t.Errorf("after a rebuild, %v: %s", err, cmp.Diff(truth, is))
			}
			inProcess.Must(t, 0, "verify", "--data", folder)
		})
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("of %d flips %d were noticed; %d files had to be moved away", flips(), noticed, moved)
}

// TestFlippedReadModelsServed does so under a desk that is served, which goes on.
func TestFlippedReadModelsServed(t *testing.T) {
	t.Parallel()
	from := sameNames(t)
	imports(t, inProcess, from, testdesk.JournalFile(t))
	projected(t, inProcess, from)
	noticed := 0
	for i := range flips() {
		folder := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.CopyFS(folder, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		path := newest(t, folder)
		c, stop := inProcess.Serve(t, folder)
		c.CaughtUp(t)
		bit := flip(t, path)
		t.Run(fmt.Sprint(bit), func(t *testing.T) {
			is, unreadable := whole(path)
			then, err := whole(newest(t, from))
			if err != nil {
				t.Fatal(err)
			}
			var v api.Verification
			c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
			switch {
			case v.Verdict == api.ReadModelsDiffer:
				noticed++
			case v.Verdict != api.AllWell:
				t.Errorf("verify: %+v", v)
			case unreadable != nil || !cmp.Equal(is, then):
				t.Errorf("verify says that all is well: %v", unreadable)
			}
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Since"})
			testdesk.Eventually(t, "the rebuild is accepted", func() bool {
				return c.Do(t, "POST", "/v1/projections/rebuild", nil).Status < 300
			})
			testdesk.Eventually(t, "the read models are right", func() bool {
				var v api.Verification
				a := c.Do(t, "POST", "/v1/projections/verify", nil)
				if a.Status != 200 {
					return false
				}
				a.Into(t, &v)
				return v.Verdict == api.AllWell
			})
		})
		stop()
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("of %d flips %d were noticed", flips(), noticed)
}

// TestDamagedReadModels damages the read models of a stopped desk in ways that one flipped bit seldom does, while there are events that
// they lack. verify says what to do, a rebuild makes them right, and so does a desk that is served if it cannot go on with them.
func TestDamagedReadModels(t *testing.T) {
	t.Parallel()
	from := sameNames(t)
	imports(t, inProcess, from, testdesk.JournalFile(t))
	projected(t, inProcess, from)
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	c, stop := inProcess.Serve(t, from)
	c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Since then"))
	c.CaughtUp(t)
	stop()
	replace(t, from, older, "readmodels-*")
	by := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, path string) { alter(t, path, statement) }
	}
	from4096 := func(t *testing.T, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 4096; i < len(data); i++ {
			data[i] ^= 0x55
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"all but the first page is other": from4096,
		"it is no database": func(t *testing.T, path string) {
			_ = os.WriteFile(path, []byte(strings.Repeat("readmodels ", 900)), 0o600)
		},
		"it has no generation":             by("DELETE FROM generation"),
		"its number is another":            by("UPDATE generation SET number = number + 7"),
		"its state is another":             by("UPDATE generation SET state = 'lively'"),
		"its log is another":               by("UPDATE generation SET log_id = '00000000-0000-4000-8000-000000000000'"),
		"its log is none":                  by("UPDATE generation SET log_id = 'nonsense'"),
		"a checkpoint is gone":             by("DELETE FROM checkpoints WHERE projection = (SELECT min(projection) FROM checkpoints)"),
		"a checkpoint is ahead":            by("UPDATE checkpoints SET position = position + 4096 WHERE projection = (SELECT min(projection) FROM checkpoints)"),
		"a checkpoint is of another event": by("UPDATE checkpoints SET event_id = 'x' || event_id WHERE projection = (SELECT min(projection) FROM checkpoints)"),
		"all checkpoints are behind":       by("UPDATE checkpoints SET position = position - 1"),
		"a table is gone": func(t *testing.T, path string) {
			if _, err := openSQL(t, path).Exec("ALTER TABLE tickets RENAME TO tockets"); err != nil {
				t.Fatal(err)
			}
		},
		"a column is of another type": by("UPDATE tickets SET revision = 'many', status = x'00'"),
		"keys are of another type":    by("UPDATE tickets SET ticket_id = CAST(ticket_id AS BLOB)"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			path := newest(t, folder)
			damage(t, path)
			out, talk, exit := inProcess.Run(t, "verify", "--data", folder)
			if exit == 0 && name != "its number is another" || exit != 0 && !strings.Contains(talk, "daybook rebuild") && !strings.Contains(talk, "move that file away") {
				t.Errorf("verify: exit %d, %s%s", exit, out, talk)
			}
			served := t.TempDir()
			if err := os.CopyFS(served, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			if _, talk, exit := inProcess.Run(t, "rebuild", "--data", folder); exit != 0 {
				if !strings.Contains(talk, "move that file away") {
					t.Errorf("rebuild: exit %d, %s", exit, talk)
				}
				if err := errors.Join(os.Remove(path), os.Remove(filepath.Join(served, filepath.Base(path)))); err != nil {
					t.Fatal(err)
				}
				inProcess.Must(t, 0, "rebuild", "--data", folder)
			}
			inProcess.Must(t, 0, "verify", "--data", folder)

			c, stop := inProcess.Serve(t, served)
			c.CaughtUp(t)
			var v api.Verification
			c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
			if v.Verdict != api.AllWell {
				testdesk.Eventually(t, "the rebuild is accepted", func() bool { return c.Do(t, "POST", "/v1/projections/rebuild", nil).Status < 300 })
				testdesk.Eventually(t, "the read models are right", func() bool {
					var v api.Verification
					c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
					return v.Verdict == api.AllWell
				})
			}
			stop()
			inProcess.Must(t, 0, "verify", "--data", served)
		})
	}
}
