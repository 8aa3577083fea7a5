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

// TestKillOperation kills a server at random moments while it deletes a company with many contacts, or a department with
// many tickets. The next process must resume by itself. In the end each contact has left the company, and each ticket has
// gone to the other department, exactly once.
func TestKillOperation(t *testing.T) {
	t.Parallel()
	const things = 350 // four Works
	t.Run("company", func(t *testing.T) {
		t.Parallel()
		lines := []string{`"do":"company.register","company":"acme","name":"Acme"`}
		for i := range things {
			lines = append(lines, fmt.Sprintf(`"do":"contact.register","contact":"cy-%d","name":"Cy"`, i), fmt.Sprintf(`"do":"contact.assign_company","contact":"cy-%d","company":"acme"`, i))
		}
		killOperation(t, lines, func(c testdesk.Client) string {
			return "/v1/companies/" + c.All(t, "/v1/companies?ref=acme")[0]["id"].(string)
		}, map[string]int{"/v1/events?type=company-deleted": 1, "/v1/events?type=contact-left-company": things})
	})
	t.Run("department", func(t *testing.T) {
		t.Parallel()
		lines := []string{
			`"do":"department.create","department":"sales","name":"Sales"`, `"do":"department.create","department":"support","name":"Support"`,
			`"do":"contact.register","contact":"cy","name":"Cy"`,
		}
		for i := range things {
			lines = append(lines, fmt.Sprintf(`"do":"ticket.open","ticket":"ticket-%d","contact":"cy","channel":"email","subject":"Help","department":"sales"`, i))
		}
		want := map[string]int{"/v1/events?type=department-deleted": 1, "/v1/events?type=ticket-transferred": things}
		killOperation(t, lines, func(c testdesk.Client) string {
			support := c.All(t, "/v1/departments?ref=support")[0]["id"].(string)
			want["/v1/tickets?department="+support] = things
			return "/v1/departments/" + c.All(t, "/v1/departments?ref=sales")[0]["id"].(string) + "?to=" + support
		}, want)
	})
}

// killOperation imports lines and kills a server at random moments while it deletes the thing at a path, until nothing is
// left to do. In the end each list in want must have as many rows.
func killOperation(t *testing.T, lines []string, path func(testdesk.Client) string, want map[string]int) {
	t.Helper()
	var text strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&text, `{"id":"%d","at":"2026-01-05T10:00:00Z","by":"system",%s}`+"\n", i, line)
	}
	folder := t.TempDir()
	journal := filepath.Join(t.TempDir(), "desk.ndjson")
	if err := os.WriteFile(journal, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	inProcess.Must(t, 0, "import", "--data", folder, journal)
	log := readLog(t, folder)
	random, began := testdesk.Chance(t), head(t, log)
	for killed := range kills() {
		c, server := reexec.StartServer(t, folder)
		if killed == 0 {
			path := path(c)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = c.Try(context.Background(), "DELETE", path, nil) // it may be cut
			}()
			defer func() { <-sent }()
		}
		at := head(t, log) + 1 + eventstore.Position(random.Int64N(int64(len(lines)/8)))
		testdesk.Eventually(t, "the operation is under way", func() bool { return head(t, log) >= at || ended(t, c) })
		server.Kill()
		t.Logf("soak: killed at position %s, having begun at %s", head(t, log), began)
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
	for list, n := range want {
		if got := len(c.All(t, list)); got != n {
			t.Errorf("%s: %d rows, want %d", list, got, n)
		}
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
