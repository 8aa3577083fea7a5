package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/internal/testdesk"
)

// grants says which roles have a permission, as the desk's rules are meant: agents work on tickets and people, admins manage
// all but owners, auditors read everything, and channels bring in messages to all departments.
var grants = map[role.Permission]string{
	"contacts.read": "owner admin agent auditor", "contacts.write": "owner admin agent", "contacts.delete": "owner admin", "contacts.identify": "owner admin agent",
	"companies.write": "owner admin agent", "companies.delete": "owner admin",
	"tickets.read": "owner admin agent auditor", "tickets.work": "owner admin agent", "tickets.delete": "owner admin", "channels.write": "owner admin agent channel",
	"agents.read": "owner admin agent auditor", "agents.write": "owner admin", "owners.write": "owner", "status.own": "owner admin agent", "status.any": "owner admin",
	"tags.write": "owner admin", "desk.write": "owner admin", "reports.read": "owner admin auditor", "events.read": "owner admin auditor",
	"import": "owner admin", "operate": "owner admin", "keys.write": "owner admin", "everywhere.read": "owner admin auditor channel",
}

// An asker is a key: its role, and the agent as whom it acts, if any. All these agents serve support.
type asker struct{ key, agent, agentRole string }

var askers = []asker{
	{"owner", "", ""}, {"admin", "", ""}, {"agent", "", ""}, {"auditor", "", ""}, {"channel", "", ""},
	{"agent", "ada", "agent"}, {"admin", "ada", "agent"}, {"auditor", "ada", "agent"}, {"channel", "ada", "agent"}, {"agent", "boss", "admin"}, {"admin", "boss", "admin"},
}

func (a asker) String() string { return strings.TrimSuffix(a.key+" for "+a.agent, " for ") }

// may is the rule of permissions: a key has those that its role and its agent's role have.
func (a asker) may(p role.Permission) bool {
	has := func(r string) bool { return slices.Contains(strings.Fields(grants[p]), r) }
	return p == "" || has(a.key) && (a.agent == "" || has(a.agentRole))
}

// sees is the rule of sight: all departments, or those that the agent serves.
func (a asker) sees(thing string) bool {
	return thing != "sales" || a.may("everywhere.read")
}

// seesSupport: a key that acts for nobody serves no department.
func (a asker) seesSupport() bool { return a.agent != "" || a.may("everywhere.read") }

const done = 0 // any 2xx

// want is the rule of every cell of the table: what a caller is answered who asks for a thing by a route. A thing is one that
// everybody sees, or in a department; an agent may be an owner, or the caller's own; or there is no such thing.
func want(route, thing string, a asker) int {
	hidden := !a.sees(thing) || thing == "support" && !a.seesSupport()
	status := strings.Contains(route, "/status/") || route == "PATCH /v1/agents/{id}/departments/{department_id}"
	changesAgent := strings.Contains(route, " /v1/agents/{id}") && !strings.HasPrefix(route, "GET ")
	switch {
	case !a.may(permissions[route]):
		return 403
	case thing == "nothing":
		return 404
	case hidden && !strings.Contains(route, "{id}") && !strings.Contains(thing, "reply"): // a department for what is created
		return 403
	case hidden:
		return 404
	case status && thing == "self":
		return done
	case status && !a.may("status.any"), changesAgent && thing == "owner" && !a.may("owners.write"):
		return 403
	}
	return done
}

// TestRoleMatrix asks every route, with keys of all roles and kinds, for things that they see, that they do not see, and that
// are not there. Nobody is answered anything else than the rules say, and no answer tells of what its reader does not see. Case 4.2.
func TestRoleMatrix(t *testing.T) {
	t.Parallel()
	d := staff(t)
	d.Must(t, 200, "PUT", "/v1/agents/"+d.id["boss"]+"/departments/"+d.support, nil)
	keys := map[asker]testdesk.Client{}
	for _, a := range askers {
		keys[a] = d.As(testdesk.Key(t, d.folder, a.key, d.id[a.agent]))
	}
	n := 0
	unique := func(body map[string]any) map[string]any {
		n++
		own := maps.Clone(body)
		for field, value := range map[string]any{"name": fmt.Sprint("N", n), "email": fmt.Sprintf("n%d@desk.example", n)} {
			if _, has := own[field]; has {
				own[field] = value
			}
		}
		return own
	}
	contact, company := d.made(t, "/v1/contacts", map[string]any{"name": "Nora"}), d.made(t, "/v1/companies", map[string]any{"name": "Acme"})
	d.Must(t, 200, "PUT", "/v1/contacts/"+contact+"/company", map[string]any{"company_id": company})
	others := map[string]string{
		"tickets": d.made(t, "/v1/tags", map[string]any{"scope": "tickets", "name": "bug"}), "contacts": d.made(t, "/v1/tags", map[string]any{"scope": "contacts", "name": "vip"}),
		"field contacts": d.made(t, "/v1/fields", map[string]any{"scope": "contacts", "name": "Size", "type": "text"}), "field companies": d.made(t, "/v1/fields", map[string]any{"scope": "companies", "name": "Size", "type": "text"}),
		"group": d.made(t, "/v1/groups", map[string]any{"name": "Gold"}),
	}
	// make makes a thing that a route with {id} is asked for.
	make := func(kind, thing string, a asker) string {
		switch kind {
		case "tickets":
			body := map[string]any{"contact_id": contact, "channel": "call", "subject": "the subject in " + thing, "department_id": map[string]string{"support": d.support, "sales": d.sales}[thing]}
			return d.made(t, "/v1/tickets", body)
		case "agents":
			if thing == "self" {
				return d.id[a.agent]
			}
			body := unique(bodies["POST /v1/agents"].(map[string]any))
			if thing == "owner" {
				body["role"] = "owner"
			}
			id := d.made(t, "/v1/agents", body)
			d.Must(t, 200, "PUT", "/v1/agents/"+id+"/departments/"+d.support, nil)
			d.Must(t, 200, "POST", "/v1/agents/"+id+"/status/sign-in", map[string]any{})
			return id
		case "operations":
			d.Must(t, 200, "DELETE", "/v1/companies/"+d.made(t, "/v1/companies", map[string]any{"name": "Gone"}), nil)
			d.CaughtUp(t)
			return d.All(t, "/v1/operations")[0]["id"].(string)
		}
		return d.made(t, "/v1/"+kind, unique(bodies["POST /v1/"+kind].(map[string]any)))
	}
	fixed := map[string]string{"contacts known": contact, "companies known": company}
	d.Must(t, 200, "POST", "/v1/agents/"+d.id["ada"]+"/status/sign-in", map[string]any{})
	d.Must(t, 200, "POST", "/v1/agents/"+d.id["boss"]+"/status/sign-in", map[string]any{})
	things := func(route string) []string {
		switch {
		case strings.Contains(route, "/v1/tickets/{id}"):
			return []string{"support", "sales", "nothing"}
		case strings.Contains(route, "/v1/agents/{id}"):
			return []string{"known", "owner", "nothing", "self"}
		case strings.Contains(route, "{id}"), strings.Contains(route, "{stream}"):
			return []string{"known", "nothing"}
		case route == "POST /v1/tickets":
			return []string{"support", "sales"}
		case route == "POST /v1/inquiries":
			return []string{"support", "sales", "reply support", "reply sales", "nothing"}
		}
		return []string{"known"}
	}
	for route := range permissions { // what is asked for without changing it
		kind := kindOf(route)
		for _, thing := range things(route) {
			if at := kind + " " + thing; strings.Contains(route, "{id}") && thing != "nothing" && thing != "self" && fixed[at] == "" {
				fixed[at] = make(kind, thing, asker{})
			}
		}
	}
	d.CaughtUp(t)
	hidden := fixed["tickets sales"]
	cells := 0
	for _, route := range slices.Sorted(maps.Keys(permissions)) {
		method, path, _ := strings.Cut(route, " ")
		kind := kindOf(route)
		for _, thing := range things(route) {
			for _, a := range askers {
				if thing == "self" && (a.agent == "" || !strings.Contains(route, "/status/")) {
					continue
				}
				expected := want(route, strings.TrimPrefix(thing, "reply "), a)
				if strings.HasPrefix(thing, "reply ") && expected == 403 && a.may(permissions[route]) {
					expected = 404 // it names a ticket, which is not there for this caller
				}
				switch {
				case expected != done:
				case route == "GET /v1/events/stream":
					expected = 422 // after is wrong, so that the stream ends
				case strings.HasSuffix(route, "/retry"), strings.HasSuffix(route, "/lookup"), strings.Contains(route, "{offer_id}"):
					expected = 404
				case strings.HasSuffix(route, "/rebuild"), strings.HasSuffix(route, "/verify"):
					continue // whoever may, for a long time
				}
				id := uuid.NewString()
				if strings.Contains(route, "{id}") && thing != "nothing" {
					if id = fixed[kind+" "+thing]; method != "GET" && expected == done || thing == "self" {
						id = make(kind, thing, a)
					}
				}
				other := others[kind]
				switch {
				case strings.Contains(path, "/fields/{field}"):
					other = others["field "+kind]
				case strings.Contains(path, "/groups/"):
					other = others["group"]
				case kind == "agents" && method == "PUT":
					other = d.sales
				case kind == "agents":
					other = d.support
				}
				stream := "contact-" + contact
				if thing == "nothing" {
					stream = "contact-" + id
				}
				note := uuid.NewString()
				if strings.Contains(path, "{note_id}") && expected == done {
					note = d.made(t, "/v1/contacts/"+id+"/notes", map[string]any{"body": "n"})
					d.CaughtUp(t)
				}
				if method == "GET" && strings.HasSuffix(path, "/avatar") && expected == done {
					d.Must(t, 200, "PUT", strings.Replace(path, "{id}", id, 1), onePixel)
					d.CaughtUp(t)
				}
				at := strings.NewReplacer("{id}", id, "{note_id}", note, "{department_id}", other, "{tag}", other, "{field}", other, "{group}", other, "{offer_id}", other, "{stream}", stream, "{revision}", "0", "{name}", "nothing").Replace(path)
				switch {
				case strings.HasPrefix(path, "/v1/reports/agents"):
					at += "?from=2026-01-01&to=2026-01-02"
				case path == "/v1/events/stream":
					at += "?after=999999"
				}
				body := bodies[route]
				if fields, is := body.(map[string]any); is {
					own := unique(fields)
					in := map[string]string{"support": d.support, "sales": d.sales}[thing]
					switch {
					case route == "POST /v1/tickets":
						own["contact_id"], own["department_id"] = contact, in
					case route == "POST /v1/inquiries":
						if own["body"] = "b"; in != "" {
							own["department_id"] = in
						} else if own["in_reply_to"] = uuid.NewString(); thing != "nothing" {
							own["in_reply_to"] = fixed["tickets "+strings.TrimPrefix(thing, "reply ")]
						}
					case strings.HasSuffix(path, "/identify"):
						own["customer"] = uuid.NewString()
					case strings.HasSuffix(path, "/company"):
						own["company_id"] = company
					case strings.HasSuffix(path, "/assign"):
						own["agent_id"] = d.id["ben"]
					case strings.HasSuffix(path, "/transfer"):
						own["department_id"] = d.support
					}
					body = own
				}
				cells++
				got := keys[a].Do(t, method, at, body)
				if expected == done && got.Status/100 != 2 || expected != done && got.Status != expected {
					t.Errorf("%s, %s as %s: %s, want %d", route, thing, a, got, expected)
				}
				if method == "GET" && !a.sees("sales") && !strings.Contains(path, "{id}") || method == "GET" && !a.sees("sales") && id != hidden {
					for _, secret := range []string{hidden, "the subject in sales"} {
						if strings.Contains(string(got.Body), secret) {
							t.Errorf("%s as %s tells of a hidden ticket: %s", route, a, got)
						}
					}
				}
				if method == "GET" && strings.HasSuffix(path, "/{id}") && kind != "operations" && !strings.HasPrefix(path, "/v1/reports") { // as it was a moment ago
					past := keys[a].Do(t, method, at+"?as_of="+time.Now().UTC().Format(time.RFC3339Nano), nil)
					if expected == done && past.Status != 200 || expected != done && past.Status != expected {
						t.Errorf("%s, %s as %s as of now: %s, want %d", route, thing, a, past, expected)
					}
				}
				if method == "GET" || !strings.Contains(path, "{id}") || thing == "owner" || thing == "self" {
					continue
				}
				if expected == done || strings.Contains(path, "{offer_id}") && want(route, thing, a) == done { // what one sees is at another revision
					if expected, id = 412, fixed[kind+" "+thing]; strings.Contains(path, "/v1/agents/") {
						id = d.id["ben"]
					}
					at = strings.Replace(path, "{id}", id, 1)
					at = strings.NewReplacer("{note_id}", note, "{department_id}", other, "{tag}", other, "{field}", other, "{group}", other, "{offer_id}", other).Replace(at)
				}
				if strings.Contains(route, "/v1/agents/") && expected == 403 && a.may(permissions[route]) {
					continue // one sees the agent
				}
				if got := keys[a].Do(t, method, at, body, testdesk.Header("If-Match", `"999"`)); got.Status != expected {
					t.Errorf("%s, %s as %s with If-Match: %s, want %d", route, thing, a, got, expected)
				}
			}
		}
	}
	if cells < 1000 {
		t.Errorf("only %d cells were asked", cells)
	}
}

// kindOf returns the kind of the things of a route, as in its path.
func kindOf(route string) string {
	_, path, _ := strings.Cut(route, " /v1/")
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "reports/"), "/")
	return kind
}
