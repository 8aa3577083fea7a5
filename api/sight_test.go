package api_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdesk"
)

// A staffed is a desk with two departments, and a key of each agent. Ada serves support and is an agent, Ben serves both, and
// Boss is an admin.
type staffed struct {
	testdesk.Client // the owner's
	folder          string
	support, sales  string
	id              map[string]string
	as              map[string]testdesk.Client
}

func staff(t *testing.T) staffed {
	t.Helper()
	d := staffed{folder: t.TempDir(), id: map[string]string{}, as: map[string]testdesk.Client{}}
	d.Client = testdesk.Serve(t, d.folder)
	d.support, d.sales = d.made(t, "/v1/departments", map[string]any{"name": "Support"}), d.made(t, "/v1/departments", map[string]any{"name": "Sales"})
	for name, is := range map[string]struct {
		role   string
		serves []string
	}{"ada": {"agent", []string{d.support}}, "ben": {"agent", []string{d.support, d.sales}}, "boss": {"admin", nil}} {
		id := d.made(t, "/v1/agents", map[string]any{"name": name, "email": name + "@desk.example", "role": is.role})
		for _, department := range is.serves {
			d.Must(t, 200, "PUT", "/v1/agents/"+id+"/departments/"+department, nil)
		}
		d.id[name], d.as[name] = id, d.As(testdesk.Key(t, d.folder, is.role, id))
	}
	return d
}

// made creates a thing as the owner.
func (d staffed) made(t *testing.T, path string, body map[string]any) string {
	t.Helper()
	return d.Must(t, 201, "POST", path, body).ID(t)
}

// opened opens a ticket in a department, and does more to it as the owner.
func (d staffed) opened(t *testing.T, in string, does ...string) string {
	t.Helper()
	inquiry := testdesk.Inquiry("nora", "Help")
	if in != "" {
		inquiry["department_id"] = in
	}
	id := d.made(t, "/v1/inquiries", inquiry)
	for _, command := range does {
		d.Must(t, 200, "POST", "/v1/tickets/"+id+"/"+command, nil)
	}
	return id
}

func (d staffed) ticket(t *testing.T, id string) map[string]any {
	t.Helper()
	return d.Must(t, 200, "POST", "/v1/tickets/"+id+"/notes", map[string]any{"body": "as it is now"}).Object(t)
}

// TestMessagesToHiddenTickets is case 4.1: Ada brings in messages to tickets of sales, which she does not serve: closed ones,
// those with a follow-up there, and open ones. They are not found, and nothing is opened. A channel may.
func TestMessagesToHiddenTickets(t *testing.T) {
	t.Parallel()
	d := staff(t)
	channel := d.As(testdesk.Key(t, d.folder, "channel", ""))
	followed := d.opened(t, d.sales, "close")
	followUp := d.Must(t, 200, "POST", "/v1/tickets/"+followed+"/messages", map[string]any{"body": "Again"}).ID(t)
	moved := d.opened(t, d.support, "close") // its follow-up is in sales
	movedTo := d.Must(t, 200, "POST", "/v1/tickets/"+moved+"/messages", map[string]any{"body": "Again"}).ID(t)
	d.Must(t, 200, "POST", "/v1/tickets/"+movedTo+"/transfer", map[string]any{"department_id": d.sales})
	d.CaughtUp(t)
	before := len(d.All(t, "/v1/tickets"))
	for name, ticket := range map[string]string{"closed": d.opened(t, d.sales, "close"), "followed": followed, "follow-up": followUp, "open": d.opened(t, d.sales), "moved": moved} {
		before++
		for range 2 {
			d.as["ada"].Refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+ticket+"/messages", map[string]any{"body": "Hello?"}, testdesk.Header("Idempotency-Key", name))
			reply := testdesk.Inquiry("dan", "Help")
			reply["in_reply_to"], reply["body"] = ticket, "Me too"
			d.as["ada"].Refused(t, 404, "ticket-unknown", "POST", "/v1/inquiries", reply, testdesk.Header("Idempotency-Key", name+" by inquiry"))
		}
	}
	before -= 3 // those that were there
	d.CaughtUp(t)
	if now := len(d.All(t, "/v1/tickets")); now != before {
		t.Errorf("%d tickets, want %d", now, before)
	}
	got := channel.Must(t, 200, "POST", "/v1/tickets/"+followed+"/messages", map[string]any{"body": "Hello?"}).Object(t)
	if len(got) != 1 || got["id"] != followUp {
		t.Errorf("a channel adds to %v, want %s", got, followUp)
	}
}

// TestAsOfWhenOneSawIt is case 4.3: Ada asks for a ticket as of when it was in support. It is in sales now, so that it is not found,
// as if it had never been there.
func TestAsOfWhenOneSawIt(t *testing.T) {
	t.Parallel()
	d := staff(t)
	ticket := d.opened(t, d.support)
	seen := d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "n"}).Position()
	then := time.Now().UTC().Format(time.RFC3339Nano)
	for _, at := range []string{seen, then} {
		d.as["ada"].Get(t, "/v1/tickets/"+ticket+"?as_of="+at)
	}
	d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/transfer", map[string]any{"department_id": d.sales})
	for _, at := range []string{seen, then, "1"} {
		hidden := d.as["ada"].Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+ticket+"?as_of="+at, nil)
		never := d.as["ada"].Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+uuid.NewString()+"?as_of="+at, nil)
		if hidden.Detail != never.Detail {
			t.Errorf("as of %s, a hidden ticket is %q, and one that never was %q", at, hidden.Detail, never.Detail)
		}
	}
	for _, who := range []testdesk.Client{d.as["ben"], d.as["boss"], d.Client} {
		who.Get(t, "/v1/tickets/"+ticket+"?as_of="+seen)
	}
	d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/transfer", map[string]any{"department_id": d.support})
	d.as["ada"].Get(t, "/v1/tickets/"+ticket+"?as_of="+seen)
	now := d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "n"}).Position()
	d.as["ada"].Get(t, "/v1/tickets/"+ticket+"?as_of="+now)
}

// TestKeysWithoutAnAgent is case 4.6: a key of the role agent that acts for nobody serves no department, and a key of an
// auditor that acts for Ada sees what she sees.
func TestKeysWithoutAnAgent(t *testing.T) {
	t.Parallel()
	d := staff(t)
	tickets := map[string]string{"support": d.opened(t, d.support), "sales": d.opened(t, d.sales), "none": d.opened(t, "")}
	d.CaughtUp(t)
	for name, test := range map[string]struct {
		key  testdesk.Client
		sees []string
	}{
		"agent":              {d.As(testdesk.Key(t, d.folder, "agent", "")), []string{"none"}},
		"auditor for Ada":    {d.As(testdesk.Key(t, d.folder, "auditor", d.id["ada"])), []string{"none", "support"}},
		"admin for Ada":      {d.As(testdesk.Key(t, d.folder, "admin", d.id["ada"])), []string{"none", "support"}},
		"agent for an admin": {d.As(testdesk.Key(t, d.folder, "agent", d.id["boss"])), []string{"none"}},
		"auditor":            {d.As(testdesk.Key(t, d.folder, "auditor", "")), []string{"none", "sales", "support"}},
		"owner for an admin": {d.As(testdesk.Key(t, d.folder, "owner", d.id["boss"])), []string{"none", "sales", "support"}},
	} {
		listed := map[string]bool{}
		for _, row := range test.key.All(t, "/v1/tickets") {
			listed[row["id"].(string)] = true
		}
		for in, ticket := range tickets {
			want := 404
			if slices.Contains(test.sees, in) {
				want = 200
			}
			for _, path := range []string{"", "/thread", "?as_of=" + time.Now().UTC().Format(time.RFC3339Nano)} {
				if a := test.key.Do(t, "GET", "/v1/tickets/"+ticket+path, nil); a.Status != want {
					t.Errorf("%s: the ticket in %s%s: %s, want %d", name, in, path, a, want)
				}
			}
			if listed[ticket] != (want == 200) {
				t.Errorf("%s: the ticket in %s is listed: %v", name, in, listed[ticket])
			}
		}
	}
}

// TestImportersMakeNoOwners is case 4.5: an admin imports an owner, which is refused, and what agents did, which says who imported it.
func TestImportersMakeNoOwners(t *testing.T) {
	t.Parallel()
	d := staff(t)
	line := func(id, by, rest string) string {
		return fmt.Sprintf(`{"id":%q,"at":"2026-01-05T10:00:00Z","by":%q,%s}`+"\n", id, by, rest)
	}
	lines := line("1", "system", `"do":"agent.create","agent":"mallory","name":"Mallory","email":"mallory@desk.example","role":"owner"`) +
		line("2", "system", `"do":"agent.create","agent":"eve","name":"Eve","email":"eve@desk.example","role":"admin"`) +
		line("3", "system", `"do":"ticket.open","ticket":"t","channel":"email","from":{"email":"nora@customers.example"},"subject":"Help"`) +
		line("4", "agent:eve", `"do":"ticket.note","ticket":"t","body":"By Eve, it says."`) +
		line("5", "agent:mallory", `"do":"ticket.note","ticket":"t","body":"By nobody."`)
	answer := d.as["boss"].Play(t, []byte(lines))
	want := []string{"rejected", "accepted", "accepted", "accepted", "rejected"}
	for i, o := range answer.Outcomes {
		if o.Outcome != want[i] || i == 0 && o.Code != "permission-missing" {
			t.Errorf("line %d: %+v, want %s", i+1, o, want[i])
		}
	}
	noted := d.as["boss"].Must(t, 200, "POST", "/v1/tickets/"+d.opened(t, "")+"/notes", map[string]any{"body": "n"}).ID(t)
	d.CaughtUp(t)
	all := d.All(t, "/v1/events?type=ticket-noted&stream=ticket-"+noted)
	boss, imported := all[0]["principal"], 0
	for _, e := range d.All(t, "/v1/events") {
		if e["through"] == "import:journal" {
			imported++
			if e["principal"] != boss {
				t.Errorf("%s %s was imported by %s, want %s", e["actor"], e["type"], e["principal"], boss)
			}
		}
	}
	if owners := d.All(t, "/v1/agents?role=owner"); imported < 4 || len(owners) != 1 {
		t.Errorf("%d events were imported; owners: %v", imported, owners)
	}
	// An owner imports the same journal, and makes the owner.
	if got := d.Play(t, []byte(lines)); got.Accepted != 1 || got.Duplicate != 3 || got.Rejected != 1 {
		t.Errorf("%+v", got)
	}
	// An owner imports another one.
	if got := d.Play(t, []byte(line("6", "system", `"do":"agent.create","agent":"olga","name":"Olga","email":"olga@desk.example","role":"owner"`))); got.Accepted != 1 {
		t.Errorf("%+v", got)
	}
	// Then an admin imports when that owner was there.
	if got := d.as["boss"].Play(t, []byte(line("7", "system", `"do":"agent.sign_in","agent":"olga","device":"panel"`))); got.Accepted != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAdminsDoNotManageOwners is case 4.7.
func TestAdminsDoNotManageOwners(t *testing.T) {
	t.Parallel()
	d := staff(t)
	owner := d.made(t, "/v1/agents", map[string]any{"name": "Olga", "email": "olga@desk.example", "role": "owner"})
	d.Must(t, 200, "PUT", "/v1/agents/"+owner+"/departments/"+d.support, nil)
	olga := d.As(testdesk.Key(t, d.folder, "owner", owner))
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/status/sign-in", map[string]any{}}, {"POST", "/status/pause", nil}, {"POST", "/status/unpause", nil}, {"POST", "/status/sign-out", map[string]any{}},
		{"PATCH", "/departments/" + d.support, map[string]any{"chats": false}}, {"PUT", "/departments/" + d.sales, nil}, {"DELETE", "/departments/" + d.support, nil},
		{"PATCH", "", map[string]any{"alias": "O."}}, {"DELETE", "", nil},
	} {
		d.as["boss"].Refused(t, 403, "permission-missing", r.method, "/v1/agents/"+owner+r.path, r.body)
		d.as["boss"].Must(t, 200, r.method, "/v1/agents/"+d.id["ada"]+r.path, r.body)
		olga.Must(t, 200, r.method, "/v1/agents/"+owner+r.path, r.body)
	}
}

// TestAgentsDeleteNobody is case 4.8: deleting contacts and companies takes a permission of its own, and both can be restored.
func TestAgentsDeleteNobody(t *testing.T) {
	t.Parallel()
	d := staff(t)
	for _, kind := range []string{"contacts", "companies"} {
		path := "/v1/" + kind + "/" + d.made(t, "/v1/"+kind, map[string]any{"name": "N"})
		d.as["ada"].Must(t, 200, "PATCH", path, map[string]any{"note": "n"})
		d.as["ada"].Refused(t, 403, "permission-missing", "DELETE", path, nil)
		d.as["boss"].Must(t, 200, "DELETE", path, nil)
		d.as["ada"].Refused(t, 403, "permission-missing", "POST", path+"/restore", nil)
		for range 2 {
			if got := d.as["boss"].Must(t, 200, "POST", path+"/restore", nil).Object(t); got["deleted_at"] != nil || got["note"] != "n" {
				t.Errorf("%s: %v", path, got)
			}
		}
		d.CaughtUp(t)
		if rows := d.All(t, "/v1/"+kind+"?q=N"); len(rows) != 1 {
			t.Errorf("%s: %v", kind, rows)
		}
	}
}

// TestDepartmentsThatOneDoesNotServe is cases 4.11 and 4.13: Ada opens no ticket in sales; what she transfers there is
// nobody's; and what she had in support is nobody's when she leaves.
func TestDepartmentsThatOneDoesNotServe(t *testing.T) {
	t.Parallel()
	d := staff(t)
	ada := d.as["ada"]
	inquiry := testdesk.Inquiry("nora", "Help")
	nora := d.opened(t, d.support)
	contact := d.ticket(t, nora)["contact_id"].(string)
	inquiry["department_id"] = d.sales
	ticket := map[string]any{"contact_id": contact, "channel": "call", "subject": "Help", "department_id": d.sales}
	key := testdesk.Header("Idempotency-Key", "opens")
	ada.Refused(t, 403, "department-not-served", "POST", "/v1/inquiries", inquiry)
	ada.Refused(t, 403, "department-not-served", "POST", "/v1/tickets", ticket, key)
	d.Refused(t, 409, "agent-not-in-department", "POST", "/v1/tickets/"+d.opened(t, d.sales)+"/assign", map[string]any{"agent_id": d.id["ada"]})
	d.Must(t, 200, "PUT", "/v1/agents/"+d.id["ada"]+"/departments/"+d.sales, nil)
	ada.Must(t, 201, "POST", "/v1/tickets", ticket, key) // the refusal was not kept
	d.Must(t, 200, "DELETE", "/v1/agents/"+d.id["ada"]+"/departments/"+d.sales, nil)

	assign := func(ticket, agent string) string {
		d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/assign", map[string]any{"agent_id": d.id[agent]})
		return ticket
	}
	transferred := assign(d.opened(t, d.support), "ada")
	moved := ada.Must(t, 200, "POST", "/v1/tickets/"+transferred+"/transfer", map[string]any{"department_id": d.sales})
	if got := moved.Object(t); got["agent_id"] != nil || got["department_id"] != d.sales {
		t.Errorf("transferred: %v", got)
	}
	d.CaughtUp(t)
	if rows := d.All(t, "/v1/tickets?agent=none"); !slices.ContainsFunc(rows, func(row map[string]any) bool { return row["id"] == transferred }) {
		t.Errorf("nobody finds the ticket: %v", rows)
	}
	bens := assign(d.opened(t, d.support), "ben")
	if got := ada.Must(t, 200, "POST", "/v1/tickets/"+bens+"/transfer", map[string]any{"department_id": d.sales}).Object(t); got["agent_id"] != d.id["ben"] {
		t.Errorf("Ben serves both departments: %v", got)
	}
	assign(d.opened(t, ""), "ada")
	nobodys := assign(d.opened(t, ""), "ada")
	if got := d.Must(t, 200, "POST", "/v1/tickets/"+nobodys+"/transfer", map[string]any{"department_id": d.sales}).Object(t); got["agent_id"] != nil {
		t.Errorf("out of no department: %v", got)
	}

	open, resolved, none := assign(d.opened(t, d.support), "ada"), assign(d.opened(t, d.support), "ada"), assign(d.opened(t, ""), "ada")
	d.Must(t, 200, "POST", "/v1/tickets/"+resolved+"/resolve", nil)
	left := d.Must(t, 200, "DELETE", "/v1/agents/"+d.id["ada"]+"/departments/"+d.support, nil)
	if got := d.Get(t, "/v1/tickets/"+open, testdesk.Header("Daybook-After", left.Position())).Object(t); got["agent_id"] != nil {
		t.Errorf("left: %v", got)
	}
	if got := d.ticket(t, none); got["agent_id"] != d.id["ada"] {
		t.Errorf("in no department: %v", got)
	}
	if got := d.Must(t, 200, "POST", "/v1/tickets/"+resolved+"/messages", map[string]any{"body": "It broke again"}).Object(t); got["agent_id"] != nil || got["status"] != "open" {
		t.Errorf("reopened: %v", got)
	}
	for _, o := range d.All(t, "/v1/operations") {
		if got := d.Get(t, "/v1/operations/"+o["id"].(string)).Object(t); got["ended_at"] == nil || got["left"] != 0.0 {
			t.Errorf("%v", got)
		}
	}
	out := 0.0
	d.CaughtUp(t)
	for _, row := range d.Report(t, "from=2020-01-01&to=2100-01-01&by=month&metrics=transfers_out") {
		out += row["transfers_out"].(float64)
	}
	if out != 2 { // hers and Ben's; going to a first department is none, and neither is being taken back
		t.Errorf("%v transfers, want 2", out)
	}
}

// TestRefusalsThatAreNotKept is case 4.12: two keys of one agent, one of which may create departments, use one Idempotency-Key, and
// each gets its own answer, whoever comes first. What was forbidden and is allowed by now is done.
func TestRefusalsThatAreNotKept(t *testing.T) {
	t.Parallel()
	d := staff(t)
	less, more := d.As(testdesk.Key(t, d.folder, "agent", d.id["boss"])), d.as["boss"]
	for _, lessFirst := range []bool{true, false} {
		key, body := testdesk.Header("Idempotency-Key", fmt.Sprint(lessFirst)), map[string]any{"name": fmt.Sprint(lessFirst)}
		if lessFirst {
			less.Refused(t, 403, "permission-missing", "POST", "/v1/departments", body, key)
		}
		if made := more.Must(t, 201, "POST", "/v1/departments", body, key); made.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s", made)
		}
		less.Refused(t, 403, "permission-missing", "POST", "/v1/departments", body, key)
		if again := more.Must(t, 201, "POST", "/v1/departments", body, key); again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s", again)
		}
	}
	key, body := testdesk.Header("Idempotency-Key", "promoted"), map[string]any{"name": "Orders"}
	promoted := d.As(testdesk.Key(t, d.folder, "admin", d.id["ada"]))
	promoted.Refused(t, 403, "permission-missing", "POST", "/v1/departments", body, key)
	d.Must(t, 200, "PATCH", "/v1/agents/"+d.id["ada"], map[string]any{"role": "admin"})
	promoted.Must(t, 201, "POST", "/v1/departments", body, key)
}

// gated is a log that nobody reads to project it until it is opened.
type gated struct {
	eventstore.Store
	open chan struct{}
}

func (g gated) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	select {
	case <-g.open:
	case <-ctx.Done():
	}
	return g.Store.Follow(ctx, after, most...)
}

// TestDeletingAnAgentWhileNobodyProjects is case 5.7: the agent is deleted, or leaves a department, and the answer is an operation
// that cannot tell yet what is left. It ends once somebody projects.
func TestDeletingAnAgentWhileNobodyProjects(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"deleted": "", "left": "/departments/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory, err := sqlite.OpenMemory()
			if err != nil {
				t.Fatal(err)
			}
			g := gated{memory, make(chan struct{})}
			c, _ := wiredTo(t, memory, g, time.Now, time.Nanosecond)
			made := func(path string, body map[string]any) string { return c.Must(t, 201, "POST", path, body).ID(t) }
			support := made("/v1/departments", map[string]any{"name": "Support"})
			ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
			c.Must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+support, nil)
			inquiry := testdesk.Inquiry("nora", "Help")
			inquiry["department_id"] = support
			var tickets []string
			for range 3 {
				tickets = append(tickets, made("/v1/inquiries", inquiry))
				c.Must(t, 200, "POST", "/v1/tickets/"+tickets[len(tickets)-1]+"/assign", map[string]any{"agent_id": ada})
			}
			if strings.HasSuffix(path, "/") {
				path += support
			}
			key := testdesk.Header("Idempotency-Key", "once")
			for range 2 {
				began := c.Must(t, 202, "DELETE", "/v1/agents/"+ada+path, nil, key)
				if _, told := began.Object(t)["left"]; told || !strings.HasPrefix(began.Header.Get("Location"), "/v1/operations/") {
					t.Errorf("%s", began)
				}
			}
			close(g.open)
			testdesk.Eventually(t, "the operation ends", func() bool {
				if c.Do(t, "GET", "/v1/operations", nil).Status != 200 {
					return false
				}
				all := c.All(t, "/v1/operations")
				return len(all) == 1 && all[0]["ended_at"] != nil
			})
			for _, ticket := range tickets {
				if got := c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "n"}).Object(t); got["agent_id"] != nil {
					t.Errorf("%v", got)
				}
			}
			if got := c.All(t, "/v1/operations"); len(got) != 1 || got[0]["done"] != 3.0 {
				t.Errorf("%v", got)
			}
		})
	}
}
