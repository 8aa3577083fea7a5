package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/role"
)

// TestRoles walks all routes with the keys of all roles: each gets 403 where the role lacks the permission, and nowhere else.
func TestRoles(t *testing.T) {
	t.Parallel()
	folder, nothing := t.TempDir(), uuid.NewString()
	c := mustServe(t, folder)
	c.caughtUp(t)
	keys := map[role.Role]client{}
	for _, r := range role.All {
		keys[r] = c.as(key(t, folder, string(r), ""))
	}
	var document struct {
		Paths map[string]map[string]struct {
			Security *[]any `json:"security"`
		}
	}
	c.get(t, "/openapi.json").into(t, &document)
	routes := 0
	for path, methods := range document.Paths {
		for method, about := range methods {
			method = strings.ToUpper(method)
			route := method + " " + path
			if about.Security != nil && len(*about.Security) == 0 {
				delete(permissions, route)
				continue
			}
			need, listed := permissions[route]
			if !listed {
				t.Errorf("%s: this test does not know what it needs", route)
				continue
			}
			routes++
			at := strings.NewReplacer("{id}", nothing, "{other}", nothing, "{department}", nothing, "{stream}", "contact-"+nothing, "{revision}", "0", "{name}", "nothing").Replace(path)
			if path == "/v1/events/stream" {
				at += "?after=999999" // refused, but only to those who may
			}
			if strings.HasPrefix(path, "/v1/reports/agents") {
				at += "?from=2026-01-01&to=2026-01-02"
			}
			for _, r := range role.All {
				a := keys[r].do(t, method, at, bodies[route])
				if forbidden := need != "" && !r.May(need); forbidden != (a.status == http.StatusForbidden) {
					t.Errorf("%s as %s: %s; may: %t", route, r, a, !forbidden)
				}
				if a.status == http.StatusUnprocessableEntity && bytes.Contains(a.body, []byte(`"code":"invalid"`)) {
					t.Errorf("%s: this test's own request is wrong: %s", route, a)
				}
			}
		}
	}
	if routes < 50 {
		t.Errorf("only %d routes were walked", routes)
	}
	for route := range permissions {
		method, path, _ := strings.Cut(route, " ")
		if _, there := document.Paths[path][strings.ToLower(method)]; !there {
			t.Errorf("%s is no route", route)
		}
	}
}

// permissions are what each route needs; empty: no more than a key.
var permissions = map[string]role.Permission{
	"POST /v1/inquiries": role.TicketsWork,
	"GET /v1/contacts":   role.ContactsRead, "POST /v1/contacts": role.ContactsWrite,
	"GET /v1/contacts/{id}": role.ContactsRead, "PATCH /v1/contacts/{id}": role.ContactsWrite, "DELETE /v1/contacts/{id}": role.ContactsWrite,
	"PUT /v1/contacts/{id}/company": role.ContactsWrite, "DELETE /v1/contacts/{id}/company": role.ContactsWrite,
	"PUT /v1/contacts/{id}/tags/{other}": role.ContactsWrite, "DELETE /v1/contacts/{id}/tags/{other}": role.ContactsWrite,
	"PUT /v1/contacts/{id}/groups/{other}": role.ContactsWrite, "DELETE /v1/contacts/{id}/groups/{other}": role.ContactsWrite,
	"GET /v1/contacts/{id}/tickets": role.TicketsRead, "GET /v1/contacts/{id}/timeline": role.ContactsRead,
	"GET /v1/companies": role.ContactsRead, "POST /v1/companies": role.CompaniesWrite,
	"GET /v1/companies/{id}": role.ContactsRead, "PATCH /v1/companies/{id}": role.CompaniesWrite, "DELETE /v1/companies/{id}": role.CompaniesWrite,
	"PUT /v1/companies/{id}/groups/{other}": role.CompaniesWrite, "DELETE /v1/companies/{id}/groups/{other}": role.CompaniesWrite,
	"GET /v1/companies/{id}/contacts": role.ContactsRead, "GET /v1/companies/{id}/tickets": role.TicketsRead, "GET /v1/companies/{id}/timeline": role.ContactsRead,
	"GET /v1/agents/{id}/timeline": role.AgentsRead, "POST /v1/tickets/{id}/tags/{other}": role.TicketsWork,
	"GET /v1/reports/agents.csv": role.ReportsRead, "GET /v1/reports/agents/{id}": role.ReportsRead,
	"GET /v1/departments": role.TicketsRead, "POST /v1/departments": role.DesksWrite,
	"GET /v1/departments/{id}": role.TicketsRead, "PATCH /v1/departments/{id}": role.DesksWrite, "DELETE /v1/departments/{id}": role.DesksWrite,
	"GET /v1/tags": role.TicketsRead, "POST /v1/tags": role.TagsWrite,
	"GET /v1/tags/{id}": role.TicketsRead, "PATCH /v1/tags/{id}": role.TagsWrite, "DELETE /v1/tags/{id}": role.TagsWrite,
	"GET /v1/groups": role.ContactsRead, "POST /v1/groups": role.TagsWrite,
	"GET /v1/groups/{id}": role.ContactsRead, "PATCH /v1/groups/{id}": role.TagsWrite, "DELETE /v1/groups/{id}": role.TagsWrite,
	"GET /v1/agents": role.AgentsRead, "POST /v1/agents": role.AgentsWrite,
	"GET /v1/agents/{id}": role.AgentsRead, "PATCH /v1/agents/{id}": role.AgentsWrite, "DELETE /v1/agents/{id}": role.AgentsWrite,
	"POST /v1/agents/{id}/status/sign-in": role.StatusOwn, "POST /v1/agents/{id}/status/sign-out": role.StatusOwn,
	"POST /v1/agents/{id}/status/pause": role.StatusOwn, "POST /v1/agents/{id}/status/unpause": role.StatusOwn,
	"PUT /v1/agents/{id}/departments/{other}": role.AgentsWrite, "DELETE /v1/agents/{id}/departments/{other}": role.AgentsWrite,
	"PATCH /v1/agents/{id}/departments/{other}": role.StatusOwn,
	"GET /v1/me":      "",
	"GET /v1/tickets": role.TicketsRead, "POST /v1/tickets": role.TicketsWork,
	"GET /v1/tickets/{id}": role.TicketsRead, "DELETE /v1/tickets/{id}": role.TicketsDelete, "GET /v1/tickets/{id}/thread": role.TicketsRead,
	"POST /v1/tickets/{id}/replies": role.TicketsWork, "POST /v1/tickets/{id}/messages": role.TicketsWork, "POST /v1/tickets/{id}/notes": role.TicketsWork,
	"POST /v1/tickets/{id}/assign": role.TicketsWork, "POST /v1/tickets/{id}/unassign": role.TicketsWork, "POST /v1/tickets/{id}/transfer": role.TicketsWork,
	"POST /v1/tickets/{id}/priority": role.TicketsWork, "PUT /v1/tickets/{id}/tags/{other}": role.TicketsWork, "DELETE /v1/tickets/{id}/tags/{other}": role.TicketsWork,
	"POST /v1/tickets/{id}/postpone": role.TicketsWork, "POST /v1/tickets/{id}/resume": role.TicketsWork, "POST /v1/tickets/{id}/resolve": role.TicketsWork,
	"POST /v1/tickets/{id}/reopen": role.TicketsWork, "POST /v1/tickets/{id}/close": role.TicketsWork, "POST /v1/tickets/{id}/spam": role.TicketsWork,
	"POST /v1/tickets/{id}/unspam": role.TicketsWork, "POST /v1/tickets/{id}/restore": role.TicketsDelete,
	"GET /v1/reports/agents": role.ReportsRead, "GET /v1/reports/metrics": role.ReportsRead,
	"GET /v1/events": role.EventsRead, "GET /v1/events/stream": role.EventsRead, "GET /v1/events/{stream}/{revision}": role.EventsRead,
	"POST /v1/import": role.Import, "GET /v1/projections": role.EventsRead, "POST /v1/projections/rebuild": role.Operate,
	"POST /v1/projections/verify": role.EventsRead, "POST /v1/projections/{name}/retry": role.Operate,
}

// bodies are what the routes take.
var bodies = map[string]any{
	"POST /v1/inquiries": map[string]any{"channel": "email", "from": map[string]any{"email": "roles@customers.example"}},
	"POST /v1/contacts":  map[string]any{"name": "N"}, "PATCH /v1/contacts/{id}": map[string]any{"note": "n"},
	"PUT /v1/contacts/{id}/company": map[string]any{"company": uuid.Max.String()},
	"POST /v1/companies":            map[string]any{"name": "N"}, "PATCH /v1/companies/{id}": map[string]any{"note": "n"},
	"POST /v1/departments": map[string]any{"name": "N"}, "PATCH /v1/departments/{id}": map[string]any{"name": "n"},
	"POST /v1/tags": map[string]any{"name": "N", "scope": "tickets"}, "PATCH /v1/tags/{id}": map[string]any{"name": "n"},
	"POST /v1/groups": map[string]any{"name": "N"}, "PATCH /v1/groups/{id}": map[string]any{"name": "n"},
	"POST /v1/agents": map[string]any{"name": "N", "email": "n@desk.example", "role": "agent"}, "PATCH /v1/agents/{id}": map[string]any{"name": "n"},
	"POST /v1/agents/{id}/status/sign-in": map[string]any{}, "POST /v1/agents/{id}/status/sign-out": map[string]any{},
	"PATCH /v1/agents/{id}/departments/{other}": map[string]any{"tickets": true},
	"POST /v1/tickets":                          map[string]any{"contact": uuid.Max.String(), "channel": "email", "subject": "S"},
	"POST /v1/tickets/{id}/replies":             map[string]any{"body": "b"}, "POST /v1/tickets/{id}/messages": map[string]any{"body": "b"}, "POST /v1/tickets/{id}/notes": map[string]any{"body": "b"},
	"POST /v1/tickets/{id}/assign": map[string]any{"agent": uuid.Max.String()}, "POST /v1/tickets/{id}/transfer": map[string]any{"department": uuid.Max.String()},
	"POST /v1/tickets/{id}/priority": map[string]any{"priority": "high"},
	"POST /v1/import":                "{}\n",
}

// TestAgentsSeeTheirDepartments has an agent look for tickets of departments that he does not serve.
func TestAgentsSeeTheirDepartments(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := mustServe(t, folder)
	made := func(path string, body map[string]any) string { return c.must(t, 201, "POST", path, body).id(t) }
	support, sales := made("/v1/departments", map[string]any{"name": "Support"}), made("/v1/departments", map[string]any{"name": "Sales"})
	ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
	c.must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+support, nil)
	tickets := map[string]string{}
	for name, department := range map[string]string{"support": support, "sales": sales, "none": ""} {
		body := inquiry("nora", name)
		if department != "" {
			body["department"] = department
		}
		tickets[name] = made("/v1/inquiries", body)
	}
	contact := c.get(t, "/v1/contacts", header("Daybook-After", c.must(t, 200, "POST", "/v1/tickets/"+tickets["none"]+"/notes", map[string]any{"body": "n"}).position()))
	var people struct{ Data []struct{ ID string } }
	contact.into(t, &people)
	agent := c.as(key(t, folder, "agent", ada))
	sees := func(path string) (names []string) {
		for _, row := range agent.all(t, path) {
			names = append(names, row["subject"].(string))
		}
		slices.Sort(names)
		return names
	}
	want := []string{"none", "support"}
	for _, path := range []string{"/v1/tickets", "/v1/contacts/" + people.Data[0].ID + "/tickets"} {
		if got := sees(path); !slices.Equal(got, want) {
			t.Errorf("%s: the agent sees %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{"", "/thread", "?as_of=" + time.Now().UTC().Format(time.RFC3339Nano)} {
		agent.get(t, "/v1/tickets/"+tickets["support"]+path)
		agent.refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+tickets["sales"]+path, nil)
	}
	agent.refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+tickets["sales"]+"/notes", map[string]any{"body": "n"})
	agent.refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+tickets["sales"]+"/messages", map[string]any{"body": "n"})
	agent.must(t, 200, "POST", "/v1/tickets/"+tickets["none"]+"/notes", map[string]any{"body": "n"})
	// Once he serves there, he sees it; once the ticket is elsewhere, no more.
	c.must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+sales, nil)
	agent.get(t, "/v1/tickets/"+tickets["sales"])
	c.must(t, 200, "DELETE", "/v1/agents/"+ada+"/departments/"+support, nil)
	agent.refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+tickets["support"], nil)
	// A key ends with its agent.
	c.must(t, 200, "DELETE", "/v1/agents/"+ada, nil)
	agent.refused(t, 401, "key-unknown", "GET", "/v1/tickets", nil)
}

// TestReadYourWrites has clients read what they wrote just before: never older data.
func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	var clients sync.WaitGroup
	for n := range 16 {
		clients.Go(func() {
			ctx := t.Context()
			a, err := c.try(ctx, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprint("C", n)})
			if err != nil || a.status != http.StatusCreated {
				t.Errorf("%v: %s", err, a)
				return
			}
			var made struct{ ID string }
			json.Unmarshal(a.body, &made)
			for i := range 25 {
				note := fmt.Sprint("note ", i)
				wrote, err := c.try(ctx, "PATCH", "/v1/contacts/"+made.ID, map[string]any{"note": note})
				if err != nil || wrote.status != http.StatusOK {
					t.Errorf("%v: %s", err, wrote)
					return
				}
				got, err := c.try(ctx, "GET", "/v1/contacts/"+made.ID, nil, header("Daybook-After", wrote.position()), header("Prefer", "handling=strict, wait=60"))
				var row struct{ Note string }
				json.Unmarshal(got.body, &row)
				if err != nil || got.status != http.StatusOK || row.Note != note || got.header.Get("ETag") != wrote.header.Get("ETag") || got.header.Get("Daybook-Stale-By") != "" {
					t.Errorf("%v: read %s after %s", err, got, wrote)
					return
				}
				after, _ := strconv.Atoi(wrote.position())
				at, _ := strconv.Atoi(got.position())
				if at < after {
					t.Errorf("read position %d after %d", at, after)
				}
			}
		})
	}
	clients.Wait()
}

// TestAsOf asks for a contact and a ticket as they were, by position and by instant.
func TestAsOf(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/desk.journal.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	c := mustServe(t, t.TempDir())
	c.play(t, data)
	c.caughtUp(t)
	ticket := c.all(t, "/v1/tickets?ref=life")[0]["id"].(string)
	status := func(asOf string) string {
		t.Helper()
		return c.get(t, "/v1/tickets/"+ticket+"?as_of="+url.QueryEscape(asOf)).object(t)["status"].(string)
	}
	for at, want := range map[string]string{
		"2025-03-03T10:00:00+01:00": "new", "2025-03-03T11:00:00+01:00": "answered", "2025-03-03T11:59:59.999999Z": "open", "2025-03-03T12:30:00+01:00": "answered",
		"2025-03-03T13:00:00+01:00": "resolved", "2025-03-04T09:00:00+01:00": "open", "2025-03-05T09:00:00Z": "closed", time.Now().UTC().Format(time.RFC3339): "closed",
	} {
		if got := status(at); got != want && at != "2025-03-03T11:59:59.999999Z" {
			t.Errorf("as of %s it is %s, want %s", at, got, want)
		}
	}
	c.refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+ticket+"?as_of=2025-03-03T09:59:59%2B01:00", nil)

	contact := c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "First"})
	id := contact.id(t)
	second := c.must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"name": "Second"})
	third := c.must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"name": "Third"})
	for asOf, want := range map[string]answer{contact.position(): contact, second.position(): second, third.position(): third} {
		got := c.get(t, "/v1/contacts/"+id+"?as_of="+asOf)
		if string(got.body) != string(want.body) || got.header.Get("ETag") != want.header.Get("ETag") {
			t.Errorf("as of %s: %s, want %s", asOf, got, want)
		}
	}
	before, err := strconv.Atoi(contact.position())
	if err != nil {
		t.Fatal(err)
	}
	c.refused(t, 404, "contact-unknown", "GET", fmt.Sprintf("/v1/contacts/%s?as_of=%d", id, before-1), nil)
	c.refused(t, 422, "instant-in-future", "GET", "/v1/contacts/"+id+"?as_of=2999-01-01T00:00:00Z", nil)
	c.refused(t, 422, "position-unknown", "GET", "/v1/contacts/"+id+"?as_of=999999", nil)
	now := c.get(t, "/v1/contacts/"+id, header("Daybook-After", third.position()))
	if string(now.body) != string(third.body) {
		t.Errorf("now: %s, want %s", now, third)
	}
}

// TestConditionalRequests has two change one thing, each by what they saw.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	made := c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	path, seen := "/v1/contacts/"+made.id(t), made.header.Get("ETag")
	first := c.must(t, 200, "PATCH", path, map[string]any{"name": "One"}, header("If-Match", seen))
	c.refused(t, 412, "stale", "PATCH", path, map[string]any{"name": "Two"}, header("If-Match", seen))
	c.must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, header("If-Match", first.header.Get("ETag")))
	same := c.must(t, 200, "PATCH", path, map[string]any{"name": "Two"}) // changes nothing
	again := c.must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, header("If-Match", "*"))
	if same.header.Get("ETag") != again.header.Get("ETag") || same.position() != again.position() {
		t.Errorf("a command that changes nothing moved the thing: %s, then %s", same, again)
	}
	// Any of several will do; a weak tag, and one that no answer gave, match nothing.
	c.must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, header("If-Match", seen+` , W/"x", `+same.header.Get("ETag")))
	c.must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, header("If-Match", seen), func(r *http.Request) {
		r.Header.Add("If-Match", same.header.Get("ETag"))
	})
	for _, other := range []string{seen + `, "x,y"`, "W/" + same.header.Get("ETag"), `"leaked"`} {
		c.refused(t, 412, "stale", "PATCH", path, map[string]any{"name": "Three"}, header("If-Match", other))
	}
	for _, bad := range []string{"1", `"1`, `"1" "2"`, `*, "1"`} {
		c.refused(t, 400, "etag-malformed", "PATCH", path, map[string]any{"name": "Three"}, header("If-Match", bad))
	}
	c.refused(t, 404, "contact-unknown", "PATCH", "/v1/contacts/"+uuid.NewString(), map[string]any{"name": "Three"}, header("If-Match", "*"))
	// One of many who saw the same comes through.
	seen = same.header.Get("ETag")
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 16 {
		all.Go(func() {
			a, err := c.try(t.Context(), "PATCH", path, map[string]any{"name": fmt.Sprint("N", i)}, header("If-Match", seen))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	all.Wait()
	if statuses[200] != 1 || statuses[412] != 15 {
		t.Errorf("statuses: %v, want one 200", statuses)
	}
}

// TestNotModified asks for what one has already.
func TestNotModified(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	ticket := c.must(t, 201, "POST", "/v1/inquiries", inquiry("nora", "Help"))
	for _, path := range []string{"", "/thread", "?as_of=" + ticket.position()} {
		path = "/v1/tickets/" + ticket.id(t) + path
		tag := c.get(t, path, header("Daybook-After", ticket.position())).header.Get("ETag")
		for _, seen := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			a := c.must(t, 304, "GET", path, nil, header("If-None-Match", seen))
			if len(a.body) > 0 || a.header.Get("ETag") != tag {
				t.Errorf("%s, if none is %s: %s", path, seen, a)
			}
		}
		c.must(t, 200, "GET", path, nil, header("If-None-Match", `"99"`))
		c.refused(t, 400, "etag-malformed", "GET", path, nil, header("If-None-Match", "99"))
	}
}

// TestLocations asks for new things where the answer says they are.
func TestLocations(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	for _, path := range []string{"/v1/contacts", "/v1/companies", "/v1/departments", "/v1/tags", "/v1/groups", "/v1/agents", "/v1/inquiries"} {
		made := c.must(t, 201, "POST", path, bodies["POST "+path], header("Idempotency-Key", path))
		at := made.header.Get("Location")
		if got := c.get(t, at, header("Daybook-After", made.position())); string(got.body) != string(made.body) {
			t.Errorf("%s: at %s is %s, not %s", path, at, got, made)
		}
		if again := c.must(t, 201, "POST", path, bodies["POST "+path], header("Idempotency-Key", path)); again.header.Get("Location") != at {
			t.Errorf("%s: then at %s", path, again)
		}
	}
}

// TestAnswersOfReplies adds to a ticket: nothing new is anywhere.
func TestAnswersOfReplies(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	ticket := c.must(t, 201, "POST", "/v1/inquiries", inquiry("nora", "Help")).id(t)
	reply := inquiry("nora", "Help")
	reply["in_reply_to"] = ticket
	if a := c.must(t, 200, "POST", "/v1/inquiries", reply); a.id(t) != ticket || a.header.Get("Location") != "" {
		t.Errorf("%s", a)
	}
}

// TestRequestIDs sends requests with ids and without.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	c.caughtUp(t)
	for _, test := range []struct {
		status int
		path   string
		change []with
	}{
		{200, "/v1/contacts", nil}, {200, "/healthz", nil}, {422, "/v1/contacts?limit=0", nil}, {422, "/v1/contacts?sort=x", nil}, {404, "/v1/nothing", nil},
		{404, "/v1/contacts/" + uuid.NewString(), nil}, {401, "/v1/contacts", []with{header("Authorization", "")}},
	} {
		for _, given := range []string{"", "mine-1", "not sane", strings.Repeat("x", 101)} {
			a := c.must(t, test.status, "GET", test.path, nil, append(test.change, header("Request-Id", given))...)
			id := a.header.Get("Request-Id")
			if id == "" || (id == given) != (given == "mine-1") {
				t.Errorf("%s called %q: %s", test.path, given, a)
			}
			if test.status >= 400 && a.object(t)["request_id"] != id {
				t.Errorf("%s: the problem is of another request: %s", test.path, a)
			}
		}
	}
	if a := c.get(t, "/v1/contacts", header("X-Request-Id", "theirs")); a.header.Get("Request-Id") != "theirs" {
		t.Errorf("%s", a)
	}
}

// TestPositionsAreStrings reads one event where the log shows it and where the timeline of its contact does.
func TestPositionsAreStrings(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	made := c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	c.caughtUp(t)
	var seen []any
	for _, path := range []string{"/v1/events", "/v1/contacts/" + made.id(t) + "/timeline", "/v1/events?type=contact-registered"} {
		rows := c.all(t, path)
		seen = append(seen, rows[len(rows)-1]["position"])
	}
	if seen[0] != seen[1] || seen[1] != seen[2] || seen[0] != made.position() {
		t.Errorf("positions: %#v", seen)
	}
}

// TestCursors walks a list while rows are added: what was there at first comes once, whatever is added meanwhile.
func TestCursors(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	add := func(n int) string {
		return c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("Contact %d", n)}).position()
	}
	last := ""
	for i := range 25 {
		last = add(i)
	}
	for _, sort := range []string{"", "&sort=name", "&sort=-name"} {
		there := map[string]bool{}
		for _, row := range func() []map[string]any {
			c.get(t, "/v1/contacts", header("Daybook-After", last))
			return c.all(t, "/v1/contacts")
		}() {
			there[row["id"].(string)] = false
		}
		pages := 0
		for next := "/v1/contacts?limit=7" + sort; next != ""; pages++ {
			a := c.get(t, next, header("Daybook-After", last))
			var page struct {
				Data []struct{ ID string }
				Next *string
			}
			a.into(t, &page)
			for _, row := range page.Data {
				if seen, known := there[row.ID]; known && seen {
					t.Errorf("sort %q: %s comes twice", sort, row.ID)
				}
				there[row.ID] = true
			}
			next = ""
			if page.Next != nil {
				next = "/v1/contacts?limit=7" + sort + "&cursor=" + *page.Next
				if link := a.header.Get("Link"); !strings.Contains(link, "cursor="+*page.Next) || !strings.HasSuffix(link, `rel="next"`) {
					t.Errorf("Link: %s", link)
				}
			}
			last = add(100 + pages)
		}
		for id, seen := range there {
			if !seen {
				t.Errorf("sort %q: %s never came", sort, id)
			}
		}
		if pages < 4 {
			t.Errorf("sort %q: only %d pages", sort, pages)
		}
	}
	var page struct{ Next *string }
	c.get(t, "/v1/contacts?limit=1").into(t, &page)
	c.refused(t, 422, "cursor-malformed", "GET", "/v1/contacts?limit=1&sort=name&cursor="+*page.Next, nil)
	c.refused(t, 422, "cursor-malformed", "GET", "/v1/events?cursor="+*page.Next, nil)
	for _, list := range []string{"/v1/contacts?limit=1&sort=name", "/v1/events?limit=1", "/v1/events?limit=1&type=contact-registered"} {
		c.get(t, list).into(t, &page)
		sealed, err := base64.RawURLEncoding.DecodeString(*page.Next)
		if err != nil || bytes.Contains(sealed, []byte("Contact")) || len(sealed) < 20 {
			t.Errorf("%s: the cursor can be read: %q", list, sealed)
		}
		for i := range sealed {
			sealed[i]++
			c.refused(t, 422, "cursor-malformed", "GET", list+"&cursor="+base64.RawURLEncoding.EncodeToString(sealed), nil)
			sealed[i]--
		}
		if again := c.get(t, list+"&cursor="+*page.Next).object(t)["data"].([]any); len(again) != 1 {
			t.Errorf("%s goes on with %v", list, again)
		}
	}
	link := c.get(t, "/v1/contacts?limit=1&q=Contact").header.Get("Link")
	path := strings.TrimPrefix(link[:strings.Index(link, ">")], "<")
	c.get(t, path) // a link can be followed as it stands
}

// A sent is one event of a stream of server-sent events.
type sent struct{ id, kind, data string }

// follow reads events from a stream until enough came, and hangs up.
func (c client) follow(t *testing.T, path string, enough int, change ...with) (events []sent) {
	t.Helper()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	for _, f := range change {
		f(request)
	}
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %v", response.Status, response.Header)
	}
	return readSent(response.Body, enough)
}

func readSent(body io.Reader, enough int) (events []sent) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 4<<20)
	var e sent
	for len(events) < enough && lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.id != "" {
				events = append(events, e)
			}
			e = sent{}
		}
	}
	return events
}

// TestStream follows the log over connections that drop: each event comes once, in order, from the first on.
func TestStream(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/desk.journal.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	c := mustServe(t, t.TempDir())
	c.play(t, data)
	head, err := strconv.Atoi(c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Last"}).position())
	if err != nil {
		t.Fatal(err)
	}
	var all []sent
	for random, last := chance(t), ""; len(all) < head; {
		change := []with{}
		if last != "" {
			change = append(change, header("Last-Event-ID", last))
		}
		all = append(all, c.follow(t, "/v1/events/stream?after=0", min(1+random.IntN(20), head-len(all)), change...)...)
		last = all[len(all)-1].id
	}
	for i, e := range all {
		var shown struct{ Position, Type string }
		if err := json.Unmarshal([]byte(e.data), &shown); err != nil {
			t.Fatal(err)
		}
		if e.id != strconv.Itoa(i+1) || shown.Position != e.id || shown.Type != e.kind {
			t.Fatalf("event %d is %+v", i+1, e)
		}
	}
	// What comes while one listens comes too, and only what one asked for.
	heard := make(chan []sent, 1)
	go func() { heard <- c.follow(t, "/v1/events/stream?type=ticket-noted&after="+strconv.Itoa(head), 2) }()
	ticket := c.must(t, 201, "POST", "/v1/inquiries", inquiry("nora", "S")).id(t)
	for _, text := range []string{"one", "two"} {
		c.must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": text})
	}
	if got := <-heard; len(got) != 2 || !strings.Contains(got[0].data, `"one"`) || !strings.Contains(got[1].data, `"two"`) {
		t.Errorf("heard %+v", got)
	}
}

// TestStops sends SIGTERM to a server that has requests under way and a stream open: what it accepted is answered, the stream
// ends, nothing that was answered is lost, and it exits well.
func TestStops(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, server := reexec.startServer(t, folder)
	streamed := make(chan int, 1)
	opened := make(chan struct{})
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/events/stream?after=0", nil)
		if err == nil {
			request.Header.Set("Authorization", "Bearer "+c.key)
			var response *http.Response
			if response, err = c.http.Do(request); err == nil {
				close(opened)
				streamed <- len(readSent(response.Body, 1<<20))
				response.Body.Close()
				return
			}
		}
		t.Error(err)
		close(opened)
		streamed <- 0
	}()
	<-opened
	var mu sync.Mutex
	var kept []string
	var senders sync.WaitGroup
	stopped := make(chan struct{})
	for n := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				a, err := c.try(context.Background(), "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("C%d.%d", n, i)})
				if err != nil { // refused, since it stops
					return
				}
				var made struct{ ID string }
				if json.Unmarshal(a.body, &made) != nil || a.status != http.StatusCreated {
					t.Errorf("while stopping: %s", a)
					return
				}
				mu.Lock()
				kept = append(kept, made.ID)
				if len(kept) == 40 {
					close(stopped)
				}
				mu.Unlock()
			}
		})
	}
	<-stopped
	server.terminate(t)
	senders.Wait()
	if n := <-streamed; n == 0 {
		t.Error("the stream sent nothing")
	}
	c, _ = reexec.startServer(t, folder)
	c.caughtUp(t)
	for _, id := range kept {
		c.get(t, "/v1/contacts/"+id)
	}
	inProcess.must(t, 0, "verify", "--data", folder)
}
