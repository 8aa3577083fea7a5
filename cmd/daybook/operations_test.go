package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/internal/testdesk"
)

// TestKillOperation kills a server at random moments while it deletes a company with many contacts. The next process must
// resume by itself. In the end each contact has left the company exactly once.
func TestKillOperation(t *testing.T) {
	t.Parallel()
	const contacts = 350 // four Works
	var lines strings.Builder
	line := func(id, fields string) {
		fmt.Fprintf(&lines, `{"id":%q,"at":"2026-01-05T10:00:00Z","by":"system",%s}`+"\n", id, fields)
	}
	line("acme", `"do":"company.register","company":"acme","name":"Acme"`)
	for i := range contacts {
		name := fmt.Sprint("contact-", i)
		line(name, fmt.Sprintf(`"do":"contact.register","contact":%q,"name":%q`, name, name))
		line("of-"+name, fmt.Sprintf(`"do":"contact.assign_company","contact":%q,"company":"acme"`, name))
	}
	folder := t.TempDir()
	journal := filepath.Join(t.TempDir(), "company.ndjson")
	if err := os.WriteFile(journal, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	inProcess.Must(t, 0, "import", "--data", folder, journal)
	log := readLog(t, folder)
	random, began := testdesk.Chance(t), head(t, log)
	for killed := range kills() {
		c, server := reexec.StartServer(t, folder)
		if killed == 0 {
			acme := c.All(t, "/v1/companies?ref=acme")[0]["id"].(string)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = c.Try(context.Background(), "DELETE", "/v1/companies/"+acme, nil) // it may be cut
			}()
			defer func() { <-sent }()
		}
		at := head(t, log) + 1 + eventstore.Position(random.Int64N(contacts/4))
		testdesk.Eventually(t, "the operation is under way", func() bool { return head(t, log) >= at || ended(t, c) })
		server.Kill()
		t.Logf("soak: killed at position %s, %d contacts having begun at %s", head(t, log), contacts, began)
	}
	log.Close()
	c, stop := reexec.Serve(t, folder)
	testdesk.Eventually(t, "the operation ends", func() bool { return ended(t, c) })
	c.CaughtUp(t)
	operations := c.All(t, "/v1/operations")
	if len(operations) != 1 {
		t.Fatalf("%v", operations)
	}
	if left := c.Get(t, "/v1/operations/"+operations[0]["id"].(string)).Object(t)["left"]; left != 0.0 {
		t.Errorf("%v things are left", left)
	}
	if events := c.All(t, "/v1/events?type=contact-left-company"); len(events) != contacts {
		t.Errorf("%d contacts left the company, want %d", len(events), contacts)
	}
	if events := c.All(t, "/v1/events?type=company-deleted"); len(events) != 1 {
		t.Errorf("the company was deleted %d times", len(events))
	}
	stop()
	if v := verified(t, reexec, folder, 0); !v.Same {
		t.Errorf("verify: %+v", v)
	}
}

// ended reports whether the one operation of a desk has ended.
func ended(t *testing.T, c testdesk.Client) bool {
	t.Helper()
	a := c.Do(t, "GET", "/v1/operations", nil)
	if a.Status == http.StatusServiceUnavailable { // the read models are being opened
		return false
	}
	var all struct {
		Data []struct {
			EndedAt *time.Time `json:"ended_at"`
		}
	}
	a.Into(t, &all)
	return len(all.Data) == 1 && all.Data[0].EndedAt != nil
}
