package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/internal/testdesk"
	"daybook/readmodels"
)

// TestDeletingWhatOthersName deletes an agent, a company and a department. Each thing that referred to them gets an event
// of its own that ends this, all with the same correlation.
func TestDeletingWhatOthersName(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	made := func(path string, body map[string]any) string { return c.Must(t, 201, "POST", path, body).ID(t) }
	acme, sales := made("/v1/companies", map[string]any{"name": "Acme"}), made("/v1/departments", map[string]any{"name": "Sales"})
	ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
	bob := made("/v1/agents", map[string]any{"name": "Bob", "email": "bob@desk.example", "role": "agent"})
	for _, agent := range []string{ada, bob} {
		c.Must(t, 200, "PUT", "/v1/agents/"+agent+"/departments/"+sales, nil)
	}
	var contacts []string
	for _, name := range []string{"Cy", "Dee", "Eve"} {
		contacts = append(contacts, made("/v1/contacts", map[string]any{"name": name}))
		c.Must(t, 200, "PUT", "/v1/contacts/"+contacts[len(contacts)-1]+"/company", map[string]any{"company": acme})
	}
	open, done := made("/v1/inquiries", testdesk.Inquiry("nora", "Open")), made("/v1/inquiries", testdesk.Inquiry("nora", "Done"))
	for _, ticket := range []string{open, done} {
		c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/assign", map[string]any{"agent": ada})
	}
	c.Must(t, 200, "POST", "/v1/tickets/"+done+"/resolve", nil)

	deleted := func(path string) []map[string]any {
		t.Helper()
		answer := c.Must(t, 200, "DELETE", path, nil, testdesk.Header("Idempotency-Key", path))
		if again := c.Must(t, 200, "DELETE", path, nil, testdesk.Header("Idempotency-Key", path)); string(again.Body) != string(answer.Body) {
			t.Errorf("DELETE %s: first %s, then %s", path, answer, again)
		}
		c.CaughtUp(t)
		if left := c.All(t, "/v1/operations?open=true"); len(left) != 0 {
			t.Errorf("DELETE %s leaves %v", path, left)
		}
		stream := strings.NewReplacer("/v1/", "", "companies/", "company-", "departments/", "department-", "agents/", "agent-").Replace(path)
		all := c.All(t, "/v1/events?stream="+stream)
		return c.All(t, "/v1/events?correlation="+all[len(all)-1]["correlation"].(string))
	}
	types := func(events []map[string]any) string {
		counts := map[string]int{}
		for _, e := range events {
			counts[e["type"].(string)]++
		}
		return strings.Trim(strings.TrimPrefix(fmt.Sprint(counts), "map"), "[]")
	}
	if got := types(deleted("/v1/companies/" + acme)); got != "company-deleted:1 contact-left-company:3" {
		t.Errorf("deleting a company stored %s", got)
	}
	if got := types(deleted("/v1/departments/" + sales)); got != "agent-left-department:2 department-deleted:1" {
		t.Errorf("deleting a department stored %s", got)
	}
	if got := types(deleted("/v1/agents/" + ada)); got != "agent-deleted:1 ticket-unassigned:1" {
		t.Errorf("deleting an agent stored %s", got)
	}
	for _, contact := range contacts {
		if got := c.Get(t, "/v1/contacts/"+contact).Object(t); got["company"] != nil {
			t.Errorf("%v is still in the company", got)
		}
	}
	for _, o := range c.All(t, "/v1/operations") {
		if got := c.Get(t, "/v1/operations/"+o["id"].(string)).Object(t); got["ended_at"] == nil || got["left"] != 0.0 || got["done"] == 0.0 {
			t.Errorf("%v", got)
		}
	}
	c.Refused(t, 404, "operation-unknown", "GET", "/v1/operations/"+uuid.NewString(), nil)
}

// TestLongDeletion deletes a company with so many contacts that the answer is an operation. A repeated request gets the
// operation too, until it has ended.
func TestLongDeletion(t *testing.T) {
	t.Parallel()
	c, _ := wired(t, nil, time.Nanosecond)
	acme := c.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Acme"}).ID(t)
	const contacts = 250 // three Works
	for range contacts {
		id := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Cy"}).ID(t)
		c.Must(t, 200, "PUT", "/v1/contacts/"+id+"/company", map[string]any{"company": acme})
	}
	key := testdesk.Header("Idempotency-Key", "once")
	answer := c.Must(t, 202, "DELETE", "/v1/companies/"+acme, nil, key)
	began := answer.Object(t)
	at := answer.Header.Get("Location")
	if began["plan"] != "company-delete" || began["about"] != acme || at != "/v1/operations/"+began["id"].(string) {
		t.Errorf("%s", answer)
	}
	again := c.Do(t, "DELETE", "/v1/companies/"+acme, nil, key)
	if again.Status != 200 && again.Object(t)["id"] != began["id"] {
		t.Errorf("asked again: %s", again)
	}
	testdesk.Eventually(t, "the operation ends", func() bool {
		a := c.Do(t, "GET", at, nil)
		return a.Status == 200 && a.Object(t)["ended_at"] != nil
	})
	if got := c.Get(t, at).Object(t); got["done"] != float64(contacts) || got["left"] != 0.0 {
		t.Errorf("%v", got)
	}
	if left := c.All(t, "/v1/companies/"+acme+"/contacts"); len(left) != 0 {
		t.Errorf("%d contacts are left", len(left))
	}
	if done := c.Must(t, 200, "DELETE", "/v1/companies/"+acme, nil, key); done.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("asked again when all was done: %s", done)
	}
}

// TestEveryLongCommandFindsWhatIsLeft asks the read models what each long command has left to process.
func TestEveryLongCommandFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, l := range commands.Long {
		for _, left := range l.Left(uuid.New()) {
			if _, _, err := readmodels.ThatShow(left.Category, left.Showing, left.ID); err != nil {
				t.Errorf("%s cannot find what is left: %v; add the pair to ThatShow in readmodels/operation.go", l.Name, err)
			}
		}
	}
}
