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
	"daybook/readmodels/table"
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
		c.Must(t, 200, "PUT", "/v1/contacts/"+contacts[len(contacts)-1]+"/company", map[string]any{"company_id": acme})
	}
	open, done := made("/v1/inquiries", testdesk.Inquiry("nora", "Open")), made("/v1/inquiries", testdesk.Inquiry("nora", "Done"))
	for _, ticket := range []string{open, done} {
		c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/assign", map[string]any{"agent_id": ada})
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
		if got := c.Get(t, "/v1/contacts/"+contact).Object(t); got["company_id"] != nil {
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
		c.Must(t, 200, "PUT", "/v1/contacts/"+id+"/company", map[string]any{"company_id": acme})
	}
	key := testdesk.Header("Idempotency-Key", "once")
	answer := c.Must(t, 202, "DELETE", "/v1/companies/"+acme, nil, key)
	began := answer.Object(t)
	at := answer.Header.Get("Location")
	if began["plan"] != "company-delete" || began["about_id"] != acme || at != "/v1/operations/"+began["id"].(string) {
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

// TestDeletingDepartment deletes departments with tickets. The request must say where they go.
func TestDeletingDepartment(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	owner := testdesk.Serve(t, folder)
	made := func(path string, body map[string]any) string { return owner.Must(t, 201, "POST", path, body).ID(t) }
	department := func(name string) string { return made("/v1/departments", map[string]any{"name": name}) }
	sales, support, orders, empty := department("Sales"), department("Support"), department("Orders"), department("Empty")
	agent := func(name, role string, serves ...string) string {
		id := made("/v1/agents", map[string]any{"name": name, "email": name + "@desk.example", "role": role})
		for _, department := range serves {
			owner.Must(t, 200, "PUT", "/v1/agents/"+id+"/departments/"+department, nil)
		}
		return id
	}
	ada, ben, boss := agent("ada", "agent", sales, support), agent("ben", "agent", sales), agent("boss", "admin")
	c := owner.As(testdesk.Key(t, folder, "admin", boss))
	opened := func(in, subject string, does ...string) string {
		inquiry := testdesk.Inquiry("nora", subject)
		inquiry["department_id"] = in
		id := made("/v1/inquiries", inquiry)
		for _, command := range does {
			owner.Must(t, 200, "POST", "/v1/tickets/"+id+"/"+command, nil)
		}
		return id
	}
	adas, bens := opened(sales, "Ada's"), opened(sales, "Ben's")
	owner.Must(t, 200, "POST", "/v1/tickets/"+adas+"/assign", map[string]any{"agent_id": ada})
	owner.Must(t, 200, "POST", "/v1/tickets/"+bens+"/assign", map[string]any{"agent_id": ben})
	resolved, closed := opened(sales, "Resolved", "resolve"), opened(sales, "Closed", "close")
	spam, deleted := opened(sales, "Spam", "spam"), opened(sales, "Deleted")
	owner.Must(t, 200, "DELETE", "/v1/tickets/"+deleted, nil)
	in := func(ticket string) any { return c.Get(t, "/v1/tickets/"+ticket).Object(t)["department_id"] }

	c.Refused(t, 409, "department-has-tickets", "DELETE", "/v1/departments/"+sales, nil)
	for to, code := range map[string]string{uuid.NewString(): "department-unknown", sales: "department-itself", "nowhere": "id-malformed", uuid.Nil.String(): "id-malformed"} {
		for range 2 { // the second answer is a repeated one
			problem := c.Refused(t, 422, code, "DELETE", "/v1/departments/"+sales+"?to="+to, nil, testdesk.Header("Idempotency-Key", to))
			if len(problem.Errors) != 1 || problem.Errors[0].Parameter != "to" {
				t.Errorf("to=%s: %+v", to, problem)
			}
		}
	}
	c.Refused(t, 404, "department-unknown", "DELETE", "/v1/departments/"+uuid.NewString(), nil)
	owner.As(testdesk.Key(t, folder, "agent", "")).Refused(t, 403, "permission-missing", "DELETE", "/v1/departments/"+sales+"?to=none", nil)
	c.Must(t, 200, "DELETE", "/v1/departments/"+empty, nil)

	key := testdesk.Header("Idempotency-Key", "sales")
	done := c.Must(t, 200, "DELETE", "/v1/departments/"+sales+"?to="+support, nil, key, testdesk.Header("Daybook-Reason", "One team"))
	if again := c.Must(t, 200, "DELETE", "/v1/departments/"+sales+"?to="+support, nil, key); string(again.Body) != string(done.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s, then %s", done, again)
	}
	c.Refused(t, 422, "idempotency-key-reused", "DELETE", "/v1/departments/"+sales+"?to=none", nil, key)
	c.Must(t, 200, "DELETE", "/v1/departments/"+sales, nil)
	c.Refused(t, 409, "department-deleted", "DELETE", "/v1/departments/"+sales+"?to="+orders, nil)
	c.Refused(t, 409, "department-deleted", "DELETE", "/v1/departments/"+orders+"?to="+sales, nil)
	c.CaughtUp(t)
	for ticket, want := range map[string]string{adas: support, bens: support, resolved: support, closed: sales, spam: sales, deleted: sales} {
		if got := in(ticket); got != want {
			t.Errorf("%v is in %v, want %s", c.Get(t, "/v1/tickets/"+ticket).Object(t)["subject"], got, want)
		}
	}
	if a, b := c.Get(t, "/v1/tickets/"+adas).Object(t), c.Get(t, "/v1/tickets/"+bens).Object(t); a["agent_id"] != ada || b["agent_id"] != nil {
		t.Errorf("the tickets are %v's and %v's", a["agent_id"], b["agent_id"])
	}
	events := c.All(t, "/v1/events?correlation="+c.All(t, "/v1/events?stream=department-"+sales+"&type=department-deleted")[0]["correlation"].(string))
	counts, reasons, of := map[string]int{}, 0, ""
	for _, e := range events {
		if counts[e["type"].(string)]++; e["type"] == "department-deleted" {
			of = e["id"].(string)
		}
		if e["reason"] != nil && e["reason"] != "" {
			reasons++
		}
	}
	for _, e := range events {
		if e["type"] != "department-deleted" && e["cause_id"] != of {
			t.Errorf("%s was caused by %v, want %s", e["type"], e["cause_id"], of)
		}
	}
	if got := fmt.Sprint(counts); got != "map[agent-left-department:2 department-deleted:1 ticket-transferred:3 ticket-unassigned:1]" || reasons != 1 {
		t.Errorf("deleting stored %s, with %d reasons", got, reasons)
	}
	transfers := 0.0
	for _, row := range c.Report(t, "from=2020-01-01&to=2100-01-01&by=month&metrics=transfers_out") {
		if transfers += row["transfers_out"].(float64); row["agent_id"] != nil {
			t.Errorf("no agent transferred the tickets, but %v", row)
		}
	}
	if transfers != 3 {
		t.Errorf("%v transfers, want 3", transfers)
	}

	adaSees := owner.As(testdesk.Key(t, folder, "agent", ada))
	if got := len(adaSees.All(t, "/v1/tickets")); got != 3 {
		t.Errorf("who serves the heir sees %d tickets, want 3", got)
	}
	owner.As(testdesk.Key(t, folder, "agent", ben)).Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+bens, nil)

	for ticket, command := range map[string]string{closed: "reopen", spam: "unspam", deleted: "restore"} {
		a := c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/"+command, nil)
		if got := a.Object(t)["department_id"]; got != support {
			t.Errorf("%s: in %v, want %s", command, got, support)
		}
	}
	// The heir is deleted in turn, and so is its heir, to none.
	owner.Must(t, 200, "POST", "/v1/tickets/"+closed+"/close", nil)
	followed := opened(support, "Followed", "close")
	c.Must(t, 200, "DELETE", "/v1/departments/"+support+"?to="+orders, nil)
	followUp := c.Must(t, 200, "POST", "/v1/tickets/"+closed+"/messages", map[string]any{"body": "Again"})
	if got := followUp.Object(t)["department_id"]; got != orders || followUp.ID(t) == closed {
		t.Errorf("the follow-up %s is in %v, want %s", followUp.ID(t), got, orders)
	}
	c.Must(t, 200, "DELETE", "/v1/departments/"+orders+"?to=none", nil)
	if got := c.Must(t, 200, "POST", "/v1/tickets/"+followed+"/messages", map[string]any{"body": "Again"}).Object(t)["department_id"]; got != nil {
		t.Errorf("the follow-up is in %v, want none", got)
	}
	c.CaughtUp(t)
	for _, ticket := range []string{adas, bens, resolved, spam, deleted, followUp.ID(t)} {
		if got := in(ticket); got != nil {
			t.Errorf("%s is in %v, want none", ticket, got)
		}
	}
	for _, o := range c.All(t, "/v1/operations") {
		if got := c.Get(t, "/v1/operations/"+o["id"].(string)).Object(t); got["ended_at"] == nil || got["left"] != 0.0 {
			t.Errorf("%v", got)
		}
	}
}

// TestLongDeletionOfDepartment deletes a department with so many tickets that the answer is an operation. A second request
// joins it.
func TestLongDeletionOfDepartment(t *testing.T) {
	t.Parallel()
	c, _ := wired(t, nil, time.Nanosecond)
	made := func(path string, body map[string]any) string { return c.Must(t, 201, "POST", path, body).ID(t) }
	sales, support := made("/v1/departments", map[string]any{"name": "Sales"}), made("/v1/departments", map[string]any{"name": "Support"})
	ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
	c.Must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+sales, nil)
	const tickets = 260 // three Works
	inquiry := testdesk.Inquiry("nora", "Help")
	inquiry["department_id"] = sales
	for range tickets {
		made("/v1/inquiries", inquiry)
	}
	path := "/v1/departments/" + sales + "?to=" + support
	began := c.Must(t, 202, "DELETE", path, nil).Object(t)
	var joined testdesk.Answer
	testdesk.Eventually(t, "it is known whether the operation runs", func() bool {
		joined = c.Do(t, "DELETE", path, nil)
		return joined.Status != 503
	})
	if joined.Status != 200 && joined.Object(t)["id"] != began["id"] {
		t.Errorf("a second request: %s", joined)
	}
	at := "/v1/operations/" + began["id"].(string)
	testdesk.Eventually(t, "the operation ends", func() bool {
		a := c.Do(t, "GET", at, nil)
		return a.Status == 200 && a.Object(t)["ended_at"] != nil
	})
	if got := c.Get(t, at).Object(t); got["plan"] != "department-delete" || got["done"] != float64(tickets+1) || got["left"] != 0.0 {
		t.Errorf("%v", got)
	}
	if there, here := c.All(t, "/v1/tickets?department="+sales), c.All(t, "/v1/tickets?department="+support); len(there) != 0 || len(here) != tickets {
		t.Errorf("%d tickets are left, and %d arrived", len(there), len(here))
	}
	if all := c.All(t, "/v1/operations"); len(all) != 1 {
		t.Errorf("%v", all)
	}
}

// TestDeletingDepartmentUnread deletes a department while nobody reads the log: whether it has tickets is not known.
func TestDeletingDepartmentUnread(t *testing.T) {
	t.Parallel()
	c, door := wired(t, nil, time.Millisecond)
	sales := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	live := door.Live
	door.Live = new(table.Live)
	key := testdesk.Header("Idempotency-Key", "once")
	c.Refused(t, 503, "behind", "DELETE", "/v1/departments/"+sales, nil, key)
	door.Live = live
	testdesk.Eventually(t, "the department is deleted by the same request", func() bool {
		return c.Do(t, "DELETE", "/v1/departments/"+sales, nil, key).Status != 503
	})
	testdesk.Eventually(t, "the operation ends", func() bool { return len(c.All(t, "/v1/operations?open=true")) == 0 })
}

// TestEveryLongCommandFindsWhatIsLeft asks the read models what each long command has left to process.
func TestEveryLongCommandFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, l := range commands.Long {
		for _, left := range l.Left(uuid.New()) {
			if _, _, err := readmodels.ThatShow(left.Category, left.Showing); err != nil {
				t.Errorf("%s cannot find what is left: %v; add the pair to ThatShow in readmodels/operation.go", l.Name, err)
			}
		}
	}
}
