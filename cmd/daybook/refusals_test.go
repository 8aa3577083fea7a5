package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"daybook/api"
	"daybook/domain/desk"
	"daybook/internal/testdesk"
)

// TestTornJournal imports a journal that ends in the middle of a line, and then the whole journal.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	lines := `{"id":"1","at":"2026-01-05T10:00:00Z","by":"system","do":"department.create","department":"d","name":"D"}
{"id":"2","at":"2026-01-05T10:01:00Z","by":"system","do":"ticket.open","ticket":"t","channel":"email","from":{"email":"torn@customers.example"},"subject":"S"}
`
	folder, journal := t.TempDir(), filepath.Join(t.TempDir(), "torn.ndjson")
	write := func(text string) {
		if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(lines[:len(lines)-40])
	if got, want := imports(t, inProcess, folder, journal), (desk.Counts{Lines: 2, Accepted: 1, Malformed: 1}); got != want {
		t.Errorf("torn: %+v, want %+v", got, want)
	}
	refused, err := os.ReadFile(journal + rejectedEnding)
	if err != nil || !strings.Contains(string(refused), `"line":2`) || strings.Contains(string(refused), "torn@") {
		t.Errorf("%v: %s", err, refused)
	}
	write(lines)
	if got, want := imports(t, inProcess, folder, journal), (desk.Counts{Lines: 2, Accepted: 1, Duplicate: 1}); got != want {
		t.Errorf("whole: %+v, want %+v", got, want)
	}
}

// TestFolderInUse opens a desk that another process serves.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, _ := reexec.StartServer(t, folder)
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"import", testdesk.JournalFile(t)}, {"rebuild"}} {
		_, talk, exit := inProcess.Run(t, append(args, "--data", folder)...)
		if exit != conflict || !strings.Contains(talk, "is in use by another process") || !strings.Contains(talk, "--url") {
			t.Errorf("daybook %v: exit %d, %s", args, exit, talk)
		}
	}
	c.CaughtUp(t)
	inProcess.Must(t, 0, "verify", "--data", folder) // reads beside it
	inProcess.Must(t, 0, "verify", "--url", c.URL, "--data", folder)
	inProcess.Must(t, someRejected, "import", "--url", c.URL, "--data", folder, testdesk.JournalFile(t))
	c.Get(t, "/readyz")
}

// TestFullDisk serves with a limit on file size, which acts like a full disk. Commands are refused, answered ones are kept,
// and queries still work. With room again, everything works.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell, to set a limit")
	}
	folder := t.TempDir()
	c, stop := reexec.Serve(t, folder)
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Before"})
	c.CaughtUp(t)
	stop()

	c, full := limited(t, folder)
	var kept []string
	body := strings.Repeat("word ", 10_000)
	var last testdesk.Answer
	for range 2000 {
		a, err := c.Try(t.Context(), "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": "nora@customers.example"}, "subject": "S", "body": body})
		if err != nil {
			t.Fatalf("after %d: %v\n%s", len(kept), err, full.Talk())
		}
		if a.Status != http.StatusCreated {
			last = a
			break
		}
		kept = append(kept, a.ID(t))
	}
	var p api.Problem
	if last.Status == 0 {
		t.Fatal("the disk is never full")
	}
	last.Into(t, &p)
	if last.Status != http.StatusServiceUnavailable || p.Code != "unavailable" || strings.Contains(string(last.Body), "SQL") {
		t.Errorf("on a full disk: %s", last)
	}
	c.Get(t, "/healthz")
	c.Get(t, "/v1/contacts")
	full.Kill()
	if !strings.Contains(full.Talk(), `"request_id":"`+last.Header.Get("Request-Id")+`"`) {
		t.Errorf("%s is not in the log:\n%s", last, full.Talk())
	}

	c, _ = reexec.StartServer(t, folder)
	c.CaughtUp(t)
	for _, id := range kept {
		c.Get(t, "/v1/tickets/"+id)
	}
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "After"})
	if len(kept) == 0 {
		t.Error("nothing was taken before the disk was full")
	}
}

// limited serves a folder with files of at most 2 MiB.
func limited(t *testing.T, folder string) (testdesk.Client, *testdesk.Process) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntrap '' XFSZ\nulimit -f 4096\nexec "+reexec.Path(t)+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return testdesk.At(script).StartServer(t, folder)
}

// TestDamagedFiles opens desks with damaged or missing files. Each error must say which file, and what to do.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage func(folder string) error
		says   string
	}{
		"no master key": {func(f string) error { return os.Remove(filepath.Join(f, "vault.key")) }, "put it back from the backup"},
		"another master key": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "vault.key"), []byte(strings.Repeat("00", 32)), 0o600)
		}, "belongs to another vault"},
		"no log": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "events.db"), []byte(strings.Repeat("no database", 1000)), 0o600)
		}, "events.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			imports(t, inProcess, folder, testdesk.JournalFile(t))
			if err := test.damage(folder); err != nil {
				t.Fatal(err)
			}
			_, talk, exit := inProcess.Run(t, "serve", "--data", folder, "--listen", "127.0.0.1:0")
			if exit != failed || !strings.Contains(talk, test.says) {
				t.Errorf("exit %d: %s", exit, talk)
			}
		})
	}
}
