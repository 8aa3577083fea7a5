package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestKeysAreInTheTrail creates and revokes keys while nobody serves the desk, while a server does, and by deleting an agent.
// Each is an event, once.
func TestKeysAreInTheTrail(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key := func(args ...string) string {
		return strings.TrimSpace(inProcess.Must(t, 0, append([]string{"key"}, append(args, "--data", folder)...)...))
	}
	trail := func(c testdesk.Client, want ...string) []map[string]any {
		t.Helper()
		var rows []map[string]any
		testdesk.Eventually(t, "the events of keys are "+strings.Join(want, ", "), func() bool {
			rows = slices.DeleteFunc(c.All(t, "/v1/events"), func(e map[string]any) bool { return !strings.HasPrefix(e["type"].(string), "key-") })
			return len(rows) >= len(want)
		})
		for i, e := range rows {
			data := e["data"].(map[string]any)
			if got := strings.TrimSpace(strings.TrimPrefix(e["type"].(string), "key-") + " " + text(data["name"])); i >= len(want) || got != want[i] {
				t.Errorf("event %d is %q", i, got)
			}
		}
		return rows
	}
	c, stop := inProcess.Serve(t, folder)
	trail(c, "created owner.key")
	agent := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	stop()
	key("create", "--name", "panel", "--role", "agent", "--agent", agent)
	c, _ = inProcess.Serve(t, folder)
	trail(c, "created owner.key", "created panel")
	key("create", "--name", "mail", "--role", "channel")
	rows := trail(c, "created owner.key", "created panel", "created mail")
	for i, want := range []map[string]any{{"role": "owner"}, {"role": "agent", "agent": agent}, {"role": "channel"}} {
		data := rows[i]["data"].(map[string]any)
		if data["role"] != want["role"] || want["agent"] != nil && data["agent"] != agent || rows[i]["principal"] != "command-line" || rows[i]["through"] != "command-line" {
			t.Errorf("%v", rows[i])
		}
	}

	deleted := c.Must(t, 200, "DELETE", "/v1/agents/"+agent, nil, testdesk.Header("Daybook-Reason", "left"))
	rows = trail(c, "created owner.key", "created panel", "created mail", "revoked")
	if e := rows[3]; e["stream"] != rows[1]["stream"] || !strings.HasPrefix(e["principal"].(string), "key:") || e["reason"] != "" || e["cause_id"] == nil {
		t.Errorf("the agent's key was revoked: %v; the deletion: %s", e, deleted)
	}
	var list []struct{ ID, Name string }
	if err := json.Unmarshal([]byte(key("list", "-o", "json")), &list); err != nil || len(list) != 3 {
		t.Fatal(err, list)
	}
	for _, k := range list {
		if k.Name == "mail" {
			key("revoke", k.ID)
			key("revoke", k.ID)
		}
	}
	trail(c, "created owner.key", "created panel", "created mail", "revoked", "revoked")
}

// TestKeyPutInByHand puts the owner's key into the vault again, under another id. It is refused, and said in the log and in the list.
func TestKeyPutInByHand(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, stop := reexec.Serve(t, folder)
	token, err := os.ReadFile(filepath.Join(folder, "owner.key"))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	db := openSQL(t, filepath.Join(folder, "vault.db"))
	if _, err := db.Exec("INSERT INTO api_keys (id, name, role, agent, hash, created_at, mac) SELECT 'byhand', name, role, agent, hash, created_at, mac FROM api_keys"); err != nil {
		t.Fatal(err)
	}
	d := &cleared{folder: folderOf(folder)}
	d.serve(t)
	defer d.stop()
	c := d.c
	_, secret, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(token)), "daybook_"), "_")
	c.Refused(t, 401, "key-unknown", "GET", "/v1/me", nil, testdesk.Header("Authorization", "Bearer daybook_byhand_"+secret))
	c.Get(t, "/v1/me")
	testdesk.Eventually(t, "the server says so", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return strings.Count(d.said.String(), "by hand, or is damaged, and grants nothing") >= 2
	}) // the request, and that the key is not recorded
	if out := reexec.Must(t, 0, "key", "list", "--data", folder); strings.Count(out, "by hand") != 1 {
		t.Error(out)
	}
	reexec.Must(t, 0, "key", "revoke", "byhand", "--data", folder)
	if out := reexec.Must(t, 0, "key", "list", "--data", folder); strings.Contains(out, "byhand") {
		t.Error(out)
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
