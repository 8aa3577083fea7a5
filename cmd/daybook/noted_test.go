package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdb"
	"daybook/internal/testdesk"
	"daybook/vault"
)

// TestVaultKnowsItsLog takes the log away from its vault, puts another one there, and an older one.
func TestVaultKnowsItsLog(t *testing.T) {
	t.Parallel()
	f := folder{Data: t.TempDir()}
	served := func(contacts ...string) (warnings string) {
		t.Helper()
		c, stop := reexec.Serve(t, f.Data)
		defer stop()
		for _, name := range contacts {
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": name})
		}
		c.CaughtUp(t)
		testdesk.Eventually(t, "it is ready", func() bool {
			a := c.Do(t, "GET", "/readyz", nil)
			warnings = string(a.Body)
			return a.Status == 200
		})
		return warnings
	}
	refused := func(says string, args ...string) {
		t.Helper()
		out, talk, exit := reexec.Run(t, append(args, "--data", f.Data)...)
		if exit == 0 || !strings.Contains(talk, says) {
			t.Errorf("%s: exit %d, %s%s, want something that says: %s", args[0], exit, out, talk, says)
		}
	}
	serve := []string{"serve", "--listen", "127.0.0.1:0"}

	served("Nora")
	older := take(t, f, "events.db")
	f.forgetReadModels(t)
	refused("is missing, and the vault belongs to log", serve...)
	refused("is missing, and the vault belongs to log", "simulate")
	if _, err := os.Stat(f.path("events.db")); err == nil {
		t.Error("a new log was made")
	}
	older.putBack(t)
	if says := served("Ben", "Eve"); strings.Contains(says, "warnings") {
		t.Error(says)
	}
	if noted := notedIn(t, f); noted.At == 0 || noted.ID == uuid.Nil {
		t.Errorf("after it was closed: %+v", noted)
	}

	// Another desk's log.
	newer := take(t, f, "events.db")
	other := folder{Data: t.TempDir()}
	_, stop := reexec.Serve(t, other.Data)
	stop()
	theirs := take(t, other, "events.db")
	taken{path: newer.path, data: theirs.data}.putBack(t)
	for _, args := range [][]string{serve, {"verify"}, {"rebuild"}} {
		refused("but the vault belongs to log", args...)
	}

	// An older one.
	vaultThen := vaultIn(t, f)
	taken{path: newer.path, data: older.data}.putBack(t)
	f.forgetReadModels(t)
	if says := served("Since", "Since then", "Since long", "Since ever"); !strings.Contains(says, "restored from an older backup: it ends at position") {
		t.Error(says)
	}
	if says := served(); strings.Contains(says, "warnings") {
		t.Errorf("a day later: %s", says)
	}
	vaultThen.putBack(t, f) // as if nobody had noted the restored log yet
	if says := served(); !strings.Contains(says, "and has grown since") {
		t.Error(says)
	}
}

// TestVaultKnowsItsLogInPostgreSQL drops the log's schema.
func TestVaultKnowsItsLogInPostgreSQL(t *testing.T) {
	t.Parallel()
	u, data := testdb.URL(t), t.TempDir()
	where := append(shared(u, u), "--vault", u)
	c, stop := reexec.Serve(t, data, where...)
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	c.CaughtUp(t)
	stop()
	f := folder{Data: data}
	if _, err := f.open(t, u).Exec("DROP SCHEMA eventlog CASCADE"); err != nil {
		t.Fatal(err)
	}
	_, talk, exit := reexec.Run(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, where...)...)
	if exit == 0 || !strings.Contains(talk, "the log is empty, and the vault belongs to log") {
		t.Errorf("exit %d, %s", exit, talk)
	}
}

// taken is a file that was taken away.
type taken struct {
	path string
	data []byte
}

func take(t *testing.T, f folder, name string) taken {
	t.Helper()
	file := taken{path: f.path(name)}
	var err error
	if file.data, err = os.ReadFile(file.path); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(file.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func (f taken) putBack(t *testing.T) {
	t.Helper()
	names, err := filepath.Glob(f.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(f.path, f.data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func notedIn(t *testing.T, f folder) vault.Noted {
	t.Helper()
	v, err := vault.Open(f.path("vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	noted, err := v.Noted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return noted
}
