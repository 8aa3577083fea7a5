package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"daybook/api"
	"daybook/internal/testdesk"
)

// TestVerdicts damages a desk in each way, beside its server and without it. The verdict says what is wrong and what to do, and
// never advises a rebuild of read models from a log that is damaged.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	whole := sameNames(t)
	imports(t, inProcess, whole, testdesk.JournalFile(t))
	projected(t, inProcess, whole)
	for name, test := range map[string]struct {
		damage  func(t *testing.T, folder string)
		verdict api.Verdict
		says    string
	}{
		"nothing":         {func(*testing.T, string) {}, api.AllWell, ""},
		"a pack is gone":  {inLog("DELETE FROM log WHERE last = (SELECT last FROM log WHERE last > 40 ORDER BY last LIMIT 1)"), api.LogDamaged, "restore it from a backup"},
		"a pack is other": {inLog("UPDATE log SET bodies = CAST(zeroblob(length(bodies)) AS BLOB) WHERE last = (SELECT last FROM log WHERE last > 40 ORDER BY last LIMIT 1)"), api.LogDamaged, "restore it from a backup"},
		"the first is other": {
			inLog("UPDATE log SET recorded_at = recorded_at + 1 WHERE last = (SELECT min(last) FROM log)"), api.LogDamaged, "restore it from a backup",
		},
		"a time is gone": {inLog("DELETE FROM settled"), api.LogDamaged, "restore it from a backup"},
		"an index row is gone": {
			func(t *testing.T, folder string) {
				alter(t, filepath.Join(folder, "events.db.index"), "DELETE FROM revisions WHERE position = 40")
			}, api.IndexWrong, "the index of the log is wrong",
		},
		"the index is gone": {
			func(t *testing.T, folder string) {
				if err := os.Remove(filepath.Join(folder, "events.db.index")); err != nil {
					t.Fatal(err)
				}
			}, api.IndexWrong, "the index of the log is wrong",
		},
		"a row differs": {
			func(t *testing.T, folder string) { alter(t, newest(t, folder), "UPDATE contacts SET name = 'Mallory'") }, api.ReadModelsDiffer, "daybook rebuild",
		},
		"a key is gone": {
			func(t *testing.T, folder string) {
				alter(t, filepath.Join(folder, "vault.db"), "DELETE FROM persons WHERE subject = (SELECT min(subject) FROM persons)")
			}, api.KeysMissing, "put back the vault",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, folder)
			exit := notAsItIs
			if test.verdict == api.AllWell {
				exit = 0
			}
			v := verified(t, inProcess, folder, exit)
			if v.Verdict != test.verdict || (len(v.Damage) > 0) != (test.verdict == api.LogDamaged || test.verdict == api.KeysMissing) || (len(v.Index) > 0) != (test.verdict == api.IndexWrong) {
				t.Errorf("verify: %+v", v)
			}
			out, talk, _ := inProcess.Run(t, "verify", "--data", folder)
			if _, _, exit := inProcess.Run(t, "vault", "accept-loss", "--data", folder); (exit == 0) == (test.verdict == api.LogDamaged) && name != "a time is gone" {
				t.Errorf("accept-loss: exit %d", exit)
			}
			if said := out + talk; !strings.Contains(said, test.says) || test.verdict != api.ReadModelsDiffer && strings.Contains(said, "daybook rebuild") || strings.Contains(said, "Mallory") {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// inLog returns a function that changes the log in a folder.
func inLog(script string) func(*testing.T, string) {
	return func(t *testing.T, folder string) { alter(t, filepath.Join(folder, "events.db"), script) }
}

// TestQuick finds what an older log lacks, without reading it.
func TestQuick(t *testing.T) {
	t.Parallel()
	folder := sameNames(t)
	imports(t, inProcess, folder, testdesk.JournalFile(t))
	projected(t, inProcess, folder)
	inProcess.Must(t, 0, "verify", "--quick", "--data", folder)
	inLog("DELETE FROM log WHERE last = (SELECT max(last) FROM log)")(t, folder)
	if _, talk, exit := inProcess.Run(t, "verify", "--quick", "--data", folder); exit != failed || !strings.Contains(talk, "restore the whole log") {
		t.Errorf("exit %d: %s", exit, talk)
	}
}

// TestVerifyAtOnce asks for ten verifications at once, which are one. Beside it, a killed one has left its data, which is swept at
// the next start; what is in use stays. Cases 5.9 and 7.9.
func TestVerifyAtOnce(t *testing.T) {
	t.Parallel()
	folder := sameNames(t)
	imports(t, inProcess, folder, testdesk.JournalFile(t))
	left := filepath.Join(folder, ".daybook-temporary-left")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"readmodels.db", "lock"} {
		if err := os.WriteFile(filepath.Join(left, name), []byte("everybody's data"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(folder, "temporary-photos")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	c, stop := inProcess.Serve(t, folder)
	defer stop()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left is still there: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("what is somebody else's: %v", err)
	}
	c.CaughtUp(t)
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			var v api.Verification
			c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
			if v.Verdict != api.AllWell || v.Events == 0 {
				t.Errorf("verified: %+v", v)
			}
		})
	}
	done := make(chan struct{})
	go func() { asking.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		if at, err := filepath.Glob(filepath.Join(folder, ".daybook-temporary-*")); err != nil || len(at) > 1 {
			t.Fatalf("%d are at work, %v", len(at), err)
		}
	}
	if at, err := filepath.Glob(filepath.Join(folder, ".daybook-temporary-*")); err != nil || len(at) > 0 {
		t.Errorf("left: %v, %v", at, err)
	}
	if scraped := c.Get(t, "/metrics"); !strings.Contains(string(scraped.Body), `daybook_verify_faults{kind="damage"} 0`) {
		t.Error("the metrics do not tell the outcome")
	}
}

// TestServedWhileIndexIsWrong damages the index of a desk that is stopped, and serves it.
func TestServedWhileIndexIsWrong(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, stop := inProcess.Serve(t, folder)
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Eve", "emails": []string{"eve@customers.example"}}).ID(t)
	c.Must(t, 200, "PATCH", "/v1/contacts/"+made, map[string]any{"name": "Eva"})
	stop()
	for _, script := range []string{
		"DELETE FROM revisions WHERE revision = 1", "DELETE FROM names WHERE stream > 0", "UPDATE ends SET revision = 0",
	} {
		alter(t, filepath.Join(folder, "events.db.index"), script)
		c, stop = inProcess.Serve(t, folder)
		c.Refused(t, 412, "stale", "PATCH", "/v1/contacts/"+made, map[string]any{"name": "Eva"}, testdesk.Header("If-Match", `"0"`))
		c.Refused(t, 409, "taken", "POST", "/v1/contacts", map[string]any{"name": "Eve", "emails": []string{"EVE@customers.example"}})
		var v api.Verification
		c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
		stop()
		if v := verified(t, inProcess, folder, 0); v.Verdict != api.AllWell {
			t.Errorf("%s: %+v", script, v)
		}
	}
}
