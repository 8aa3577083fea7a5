package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestOlderVault puts an older vault beside the log. The desk is not opened for work, until the newer vault is back or the loss is
// accepted.
func TestOlderVault(t *testing.T) {
	t.Parallel()
	for place, desk := range map[string]func(t *testing.T) (where []string, taken func() (putBack func())){
		"SQLite": func(t *testing.T) ([]string, func() func()) {
			f := folder{Data: t.TempDir()}
			return []string{"--data", f.Data}, func() func() {
				v := vaultIn(t, f)
				return func() { v.putBack(t, f) }
			}
		},
		"PostgreSQL": func(t *testing.T) ([]string, func() func()) {
			u := testdb.URL(t)
			return append(shared(u, u), "--vault", u, "--data", t.TempDir()), func() func() { return tablesOf(t, u, "vault") }
		},
		"EventStoreDB and PostgreSQL": func(t *testing.T) ([]string, func() func()) {
			server, u := esdbtest.NewServer(esdbtest.Options{}), testdb.URL(t)
			t.Cleanup(server.Close)
			return append(shared(server.ConnectionString(), u), "--vault", u, "--data", t.TempDir()), func() func() { return tablesOf(t, u, "vault") }
		},
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			where, taken := desk(t)
			data := where[len(where)-1]
			served := func() (testdesk.Client, func()) { return reexec.Serve(t, data, where[:len(where)-2]...) }
			run := func(args ...string) (out, talk string, exit int) { return reexec.Run(t, append(args, where...)...) }

			_, stop := served()
			stop()
			older := taken()
			c, stop := served()
			nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}}).ID(t)
			ada := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
			tag := c.Must(t, 201, "POST", "/v1/tags", map[string]any{"name": "vip", "scope": "tickets"}).ID(t) // it has a key, and no text yet
			c.CaughtUp(t)
			stop()
			newer := taken()

			older()
			for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"simulate"}, {"rebuild"}} {
				_, talk, exit := run(args...)
				if exit == 0 || !strings.Contains(talk, "lacks 3 of the keys") || !strings.Contains(talk, nora) || !strings.Contains(talk, ada) || !strings.Contains(talk, tag) ||
					!strings.Contains(talk, "Put the newer vault back") || !strings.Contains(talk, "daybook vault accept-loss") {
					t.Errorf("%s: exit %d, %s", args[0], exit, talk)
				}
			}
			if out, talk, exit := run("verify"); exit != notAsItIs || !strings.Contains(talk, "put back the vault") {
				t.Errorf("verify: exit %d, %s%s", exit, out, talk)
			}
			if _, talk, exit := run("backup", filepath.Join(t.TempDir(), "backup")); (exit == 0) != (place == "SQLite") {
				t.Errorf("backup: exit %d, %s", exit, talk)
			}
			if _, talk, exit := run("key", "create", "--name", "Panel", "--role", "agent", "--agent", ada); exit == 0 || !strings.Contains(talk, "daybook vault accept-loss") {
				t.Errorf("a key for an agent whose key is missing: %d, %s", exit, talk)
			}

			newer()
			c, stop = served()
			c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
			stop()

			older()
			out, talk, exit := run("vault", "accept-loss")
			if exit != 0 || !strings.Contains(out, nora) || !strings.Contains(out, ada) || !strings.Contains(out, tag) || !strings.Contains(talk, "about these 3 is given up") {
				t.Errorf("%d, %s, %s", exit, out, talk)
			}
			if out, talk, exit := run("vault", "accept-loss"); exit != 0 || !strings.Contains(out, "every key") {
				t.Errorf("again: %d, %s, %s", exit, out, talk)
			}
			c, stop = served()
			c.Refused(t, 409, "person-forgotten", "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
			c.CaughtUp(t)
			testdesk.Eventually(t, "the trail tells who is given up", func() bool {
				told := c.All(t, "/v1/events?type=keys-lost")
				return len(told) == 1 && strings.Contains(fmt.Sprint(told[0]["data"]), nora)
			})
			c.CaughtUp(t)
			stop()

			for _, putBack := range []func(){newer, older} { // the log says that the keys are lost, whether this vault has them or not
				putBack()
				c, stop = served()
				c.Refused(t, 409, "person-forgotten", "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
				stop()
			}
			c, stop = served()
			defer stop()
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Eve"})
		})
	}
}

// TestKeysLostWhileServing takes keys out of the vault of a desk that is served. What is about these people is refused, and no second
// key is made for them; the vault does not note that it has every key.
func TestKeysLostWhileServing(t *testing.T) {
	t.Parallel()
	f := folder{Data: t.TempDir()}
	c, stop := reexec.Serve(t, f.Data)
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}}).ID(t)
	c.CaughtUp(t)
	stop()
	c, stop = reexec.Serve(t, f.Data) // which remembers no key
	alter(t, f.path("vault.db"), "DELETE FROM persons WHERE subject = ?", nora)
	about := func(status int, code string) {
		t.Helper()
		c.Refused(t, status, code, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
		c.Refused(t, status, code, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."}, testdesk.Header("Idempotency-Key", code))
	}
	about(503, "keys-missing")
	c.Refused(t, 503, "keys-missing", "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help"))
	ben := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"}).ID(t)
	if n := column(t, openSQL(t, f.path("vault.db")), "SELECT subject FROM persons WHERE subject = '"+nora+"'"); len(n) > 0 {
		t.Error("there is a second key")
	}
	alter(t, f.path("vault.db"), "DELETE FROM persons WHERE subject = ?", ben)
	noted := column(t, openSQL(t, f.path("vault.db")), "SELECT position FROM noted")
	stop()
	if now := column(t, openSQL(t, f.path("vault.db")), "SELECT position FROM noted"); !slices.Equal(now, noted) {
		t.Errorf("it noted %s", now)
	}
	if _, talk, exit := reexec.Run(t, "serve", "--listen", "127.0.0.1:0", "--data", f.Data); exit == 0 || !strings.Contains(talk, "lacks 1 of the keys that the log needs ("+ben) {
		t.Errorf("exit %d, %s", exit, talk)
	}
}

// tablesOf copies the tables of a schema, and returns a function that puts them back as they were.
func tablesOf(t *testing.T, url, schema string) (putBack func()) {
	t.Helper()
	db, kept := folder{}.open(t, url), "kept_"+strconv.Itoa(rand.Int())
	does := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	does("CREATE SCHEMA " + kept)
	tables := column(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = '"+schema+"'")
	for _, name := range tables {
		does(fmt.Sprintf("CREATE TABLE %s.%s AS TABLE %s.%[2]s", kept, name, schema))
	}
	return func() {
		t.Helper()
		for _, name := range tables {
			does(fmt.Sprintf("TRUNCATE %s.%s; INSERT INTO %[1]s.%[2]s SELECT * FROM %[3]s.%[2]s", schema, name, kept))
		}
	}
}

// A copiedVault is a vault that was copied while nothing used it.
type copiedVault []byte

func vaultIn(t *testing.T, f folder) copiedVault {
	t.Helper()
	data, err := os.ReadFile(f.path("vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(data)
}

func (v copiedVault) putBack(t *testing.T, f folder) {
	t.Helper()
	for _, suffix := range []string{"-wal", "-shm"} {
		os.Remove(f.path("vault.db" + suffix))
	}
	if err := os.WriteFile(f.path("vault.db"), v, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestVaultOfASuspendedProcess has another process stop in the middle of a change of the vault. Who starts meanwhile reads and writes
// what needs no new key, says why the rest must wait, and goes on as soon as it can.
func TestVaultOfASuspendedProcess(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, stop := inProcess.Serve(t, folder)
	nora := "/v1/contacts/" + c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	stop()
	suspended, err := openSQL(t, filepath.Join(folder, "vault.db")).Conn(t.Context())
	if err == nil {
		_, err = suspended.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	c, stop = inProcess.Serve(t, folder)
	defer stop()
	c.Must(t, 200, "PATCH", nora, map[string]any{"name": "Nora B."})
	if a := c.Do(t, "POST", "/v1/contacts", map[string]any{"name": "Ben"}); a.Status != 503 || a.Object(t)["code"] != "unavailable" {
		t.Errorf("a new person: %s", a)
	}
	if _, err := suspended.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"})
}
