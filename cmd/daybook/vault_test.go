package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestOlderVault puts an older vault beside the log. What is about people whom it does not know is refused, and no second key is made
// for them, until the newer vault is back or the loss is accepted.
func TestOlderVault(t *testing.T) {
	t.Parallel()
	f := folder{Data: t.TempDir()}
	_, stop := reexec.Serve(t, f.Data)
	stop()
	older := vaultIn(t, f)
	c, stop := reexec.Serve(t, f.Data)
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}}).ID(t)
	ada := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	stop()
	newer := vaultIn(t, f)
	older.putBack(t, f)

	c, stop = reexec.Serve(t, f.Data)
	about := func(status int, code string) {
		t.Helper()
		c.Refused(t, status, code, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
		c.Refused(t, status, code, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."}, testdesk.Header("Idempotency-Key", code))
	}
	about(503, "keys-missing")
	c.Refused(t, 503, "keys-missing", "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help"))
	if _, talk, exit := reexec.Run(t, "key", "create", "--data", f.Data, "--name", "Panel", "--role", "agent", "--agent", ada); exit == 0 || !strings.Contains(talk, "daybook vault accept-loss") {
		t.Errorf("a key for an agent whose key is missing: %d, %s", exit, talk)
	}
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"})
	stop()
	for _, id := range []string{nora, ada} {
		if n := column(t, openSQL(t, f.path("vault.db")), "SELECT subject FROM persons WHERE subject = '"+id+"'"); len(n) > 0 {
			t.Errorf("%s has a second key", id)
		}
	}

	newer.putBack(t, f)
	c, stop = reexec.Serve(t, f.Data)
	c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "She phoned."})
	stop()

	older.putBack(t, f)
	out, talk, exit := reexec.Run(t, "vault", "accept-loss", "--data", f.Data)
	if exit != 0 || !strings.Contains(out, nora) || !strings.Contains(out, ada) || !strings.Contains(talk, "are given up") && !strings.Contains(talk, "is given up") {
		t.Errorf("%d, %s, %s", exit, out, talk)
	}
	if out, talk, exit := reexec.Run(t, "vault", "accept-loss", "--data", f.Data); exit != 0 || !strings.Contains(out, "every key") {
		t.Errorf("again: %d, %s, %s", exit, out, talk)
	}
	c, stop = reexec.Serve(t, f.Data)
	about(409, "person-forgotten")
	testdesk.Eventually(t, "the trail tells who is given up", func() bool {
		told := c.All(t, "/v1/events?type=keys-lost")
		return len(told) == 1 && strings.Contains(fmt.Sprint(told[0]["data"]), nora)
	})
	c.CaughtUp(t)
	stop()

	newer.putBack(t, f) // it has the keys that the log says are lost
	c, stop = reexec.Serve(t, f.Data)
	about(409, "person-forgotten")
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Eve"})
	c.CaughtUp(t)
	stop()
	if n := column(t, openSQL(t, f.path("vault.db")), "SELECT subject FROM persons WHERE length(wrapped) > 0 AND subject IN ('"+nora+"', '"+ada+"')"); len(n) > 0 {
		t.Errorf("these keys are alive again: %v", n)
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
