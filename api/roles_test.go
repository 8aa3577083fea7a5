package api_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/internal/testdesk"
)

// TestRoles calls all routes with keys of all roles. Each key gets 403 where its role lacks the permission, and nowhere else.
func TestRoles(t *testing.T) {
	t.Parallel()
	folder, nothing := t.TempDir(), uuid.NewString()
	c := testdesk.Serve(t, folder)
	c.CaughtUp(t)
	keys := map[role.Role]testdesk.Client{}
	for _, r := range role.All {
		keys[r] = c.As(testdesk.Key(t, folder, string(r), ""))
	}
	var document struct {
		Paths map[string]map[string]struct {
			Security *[]any `json:"security"`
		}
	}
	c.Get(t, "/openapi.json").Into(t, &document)
	routes := 0
	for path, methods := range document.Paths {
		for method, about := range methods {
			method = strings.ToUpper(method)
			route := method + " " + path
			if about.Security != nil && len(*about.Security) == 0 {
				continue
			}
			need, listed := permissions[route]
			if !listed {
				t.Errorf("%s: this test does not know what it needs", route)
				continue
			}
			routes++
			at := strings.NewReplacer("{id}", nothing, "{department_id}", nothing, "{tag}", nothing, "{field}", nothing, "{group}", nothing, "{department}", nothing, "{offer_id}", nothing, "{stream}", "contact-"+nothing, "{revision}", "0", "{note_id}", nothing, "{name}", "nothing").Replace(path)
			if path == "/v1/events/stream" {
				at += "?after=999999" // invalid, but only for keys with the permission
			}
			if strings.HasPrefix(path, "/v1/reports/agents") {
				at += "?from=2026-01-01&to=2026-01-02"
			}
			for _, r := range role.All {
				a := keys[r].Do(t, method, at, bodies[route])
				if forbidden := need != "" && !r.Permissions().Have(need); forbidden != (a.Status == http.StatusForbidden) {
					t.Errorf("%s as %s: %s; may: %t", route, r, a, !forbidden)
				}
				if a.Status == http.StatusUnprocessableEntity && bytes.Contains(a.Body, []byte(`"code":"invalid"`)) {
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

// permissions holds the permission that each route needs; empty: only a key.
var permissions = map[string]role.Permission{
	"POST /v1/inquiries": role.ChannelsWrite, "GET /v1/operations": role.TicketsRead, "GET /v1/operations/{id}": role.TicketsRead,
	"GET /v1/contacts": role.ContactsRead, "POST /v1/contacts": role.ContactsWrite,
	"GET /v1/contacts/{id}": role.ContactsRead, "PATCH /v1/contacts/{id}": role.ContactsWrite, "DELETE /v1/contacts/{id}": role.ContactsDelete, "POST /v1/contacts/{id}/restore": role.ContactsDelete,
	"PUT /v1/contacts/{id}/company": role.ContactsWrite, "DELETE /v1/contacts/{id}/company": role.ContactsWrite,
	"PUT /v1/contacts/{id}/tags/{tag}": role.ContactsWrite, "DELETE /v1/contacts/{id}/tags/{tag}": role.ContactsWrite,
	"PUT /v1/contacts/{id}/groups/{group}": role.ContactsWrite, "DELETE /v1/contacts/{id}/groups/{group}": role.ContactsWrite,
	"POST /v1/contacts/{id}/identify": role.Identify, "POST /v1/contacts/lookup": role.ChannelsWrite, "POST /v1/visits": role.ChannelsWrite, "GET /v1/contacts/{id}/duplicates": role.ContactsRead,
	"POST /v1/contacts/{id}/offers/{offer_id}/accept": role.ContactsWrite, "POST /v1/contacts/{id}/offers/{offer_id}/dismiss": role.ContactsWrite,
	"GET /v1/contacts/{id}/tickets": role.TicketsRead, "GET /v1/contacts/{id}/timeline": role.ContactsRead,
	"GET /v1/contacts/{id}/notes": role.ContactsRead, "POST /v1/contacts/{id}/notes": role.ContactsWrite, "GET /v1/contacts/{id}/notes/{note_id}": role.ContactsRead,
	"PATCH /v1/contacts/{id}/notes/{note_id}": role.ContactsWrite, "DELETE /v1/contacts/{id}/notes/{note_id}": role.ContactsWrite,
	"GET /v1/contacts/{id}/avatar": role.ContactsRead, "PUT /v1/contacts/{id}/avatar": role.ContactsWrite, "DELETE /v1/contacts/{id}/avatar": role.ContactsWrite,
	"GET /v1/companies/{id}/avatar": role.ContactsRead, "PUT /v1/companies/{id}/avatar": role.CompaniesWrite, "DELETE /v1/companies/{id}/avatar": role.CompaniesWrite,
	"GET /v1/agents/{id}/avatar": role.AgentsRead, "PUT /v1/agents/{id}/avatar": role.AgentsWrite, "DELETE /v1/agents/{id}/avatar": role.AgentsWrite,
	"GET /v1/companies": role.ContactsRead, "POST /v1/companies": role.CompaniesWrite,
	"GET /v1/companies/{id}": role.ContactsRead, "PATCH /v1/companies/{id}": role.CompaniesWrite, "DELETE /v1/companies/{id}": role.CompaniesDelete, "POST /v1/companies/{id}/restore": role.CompaniesDelete,
	"PUT /v1/companies/{id}/groups/{group}": role.CompaniesWrite, "DELETE /v1/companies/{id}/groups/{group}": role.CompaniesWrite,
	"GET /v1/companies/{id}/contacts": role.ContactsRead, "GET /v1/companies/{id}/tickets": role.TicketsRead, "GET /v1/companies/{id}/timeline": role.ContactsRead,
	"GET /v1/agents/{id}/timeline": role.AgentsRead, "POST /v1/tickets/{id}/tags/{tag}": role.TicketsWork,
	"GET /v1/reports/agents.csv": role.ReportsRead, "GET /v1/reports/agents/{id}": role.ReportsRead,
	"GET /v1/departments": role.TicketsRead, "POST /v1/departments": role.DesksWrite,
	"GET /v1/departments/{id}": role.TicketsRead, "PATCH /v1/departments/{id}": role.DesksWrite, "DELETE /v1/departments/{id}": role.DesksWrite,
	"GET /v1/fields": role.ContactsRead, "POST /v1/fields": role.TagsWrite, "GET /v1/fields/{id}": role.ContactsRead, "PATCH /v1/fields/{id}": role.TagsWrite,
	"PUT /v1/contacts/{id}/fields/{field}": role.ContactsWrite, "DELETE /v1/contacts/{id}/fields/{field}": role.ContactsWrite,
	"PUT /v1/companies/{id}/fields/{field}": role.CompaniesWrite, "DELETE /v1/companies/{id}/fields/{field}": role.CompaniesWrite,
	"GET /v1/tags": role.TicketsRead, "POST /v1/tags": role.TagsWrite,
	"GET /v1/tags/{id}": role.TicketsRead, "PATCH /v1/tags/{id}": role.TagsWrite, "DELETE /v1/tags/{id}": role.TagsWrite,
	"GET /v1/groups": role.ContactsRead, "POST /v1/groups": role.TagsWrite,
	"GET /v1/groups/{id}": role.ContactsRead, "PATCH /v1/groups/{id}": role.TagsWrite, "DELETE /v1/groups/{id}": role.TagsWrite,
	"GET /v1/agents": role.AgentsRead, "POST /v1/agents": role.AgentsWrite,
	"GET /v1/agents/{id}": role.AgentsRead, "PATCH /v1/agents/{id}": role.AgentsWrite, "DELETE /v1/agents/{id}": role.AgentsWrite,
	"POST /v1/agents/{id}/status/sign-in": role.StatusOwn, "POST /v1/agents/{id}/status/sign-out": role.StatusOwn,
	"POST /v1/agents/{id}/status/pause": role.StatusOwn, "POST /v1/agents/{id}/status/unpause": role.StatusOwn,
	"PUT /v1/agents/{id}/departments/{department_id}": role.AgentsWrite, "DELETE /v1/agents/{id}/departments/{department_id}": role.AgentsWrite,
	"PATCH /v1/agents/{id}/departments/{department_id}": role.StatusOwn,
	"GET /v1/me": "", "GET /metrics": "", "GET /readyz": "",
	"GET /v1/tickets": role.TicketsRead, "POST /v1/tickets": role.TicketsWork,
	"GET /v1/tickets/{id}": role.TicketsRead, "DELETE /v1/tickets/{id}": role.TicketsDelete, "GET /v1/tickets/{id}/thread": role.TicketsRead,
	"POST /v1/tickets/{id}/replies": role.TicketsWork, "POST /v1/tickets/{id}/messages": role.ChannelsWrite, "POST /v1/tickets/{id}/notes": role.TicketsWork,
	"POST /v1/tickets/{id}/assign": role.TicketsWork, "POST /v1/tickets/{id}/unassign": role.TicketsWork, "POST /v1/tickets/{id}/transfer": role.TicketsWork,
	"POST /v1/tickets/{id}/priority": role.TicketsWork, "POST /v1/tickets/{id}/subject": role.TicketsWork, "PUT /v1/tickets/{id}/tags/{tag}": role.TicketsWork, "DELETE /v1/tickets/{id}/tags/{tag}": role.TicketsWork,
	"POST /v1/tickets/{id}/postpone": role.TicketsWork, "POST /v1/tickets/{id}/resume": role.TicketsWork, "POST /v1/tickets/{id}/resolve": role.TicketsWork,
	"POST /v1/tickets/{id}/reopen": role.TicketsWork, "POST /v1/tickets/{id}/close": role.TicketsWork, "POST /v1/tickets/{id}/spam": role.TicketsWork,
	"POST /v1/tickets/{id}/unspam": role.TicketsWork, "POST /v1/tickets/{id}/restore": role.TicketsDelete,
	"GET /v1/reports/agents": role.ReportsRead, "GET /v1/reports/metrics": role.ReportsRead,
	"GET /v1/events": role.EventsRead, "GET /v1/events/stream": role.EventsRead, "GET /v1/events/{stream}/{revision}": role.EventsRead,
	"POST /v1/import": role.Import, "GET /v1/projections": role.EventsRead, "POST /v1/projections/rebuild": role.Operate,
	"POST /v1/projections/verify": role.EventsRead, "POST /v1/projections/{name}/retry": role.Operate,
}

// bodies holds a valid body for each route that takes one.
var bodies = map[string]any{
	"POST /v1/contacts/{id}/identify": map[string]any{"customer": "4711"}, "POST /v1/visits": map[string]any{"visitor": "v1"}, "POST /v1/contacts/lookup": map[string]any{"identity": map[string]any{"kind": "visitor", "value": "v1"}},
	"POST /v1/inquiries": map[string]any{"channel": "email", "from": map[string]any{"email": "roles@customers.example"}},
	"POST /v1/contacts":  map[string]any{"name": "N"}, "PATCH /v1/contacts/{id}": map[string]any{"note": "n"},
	"POST /v1/contacts/{id}/notes": map[string]any{"body": "b"}, "PATCH /v1/contacts/{id}/notes/{note_id}": map[string]any{"body": "b"},
	"PUT /v1/contacts/{id}/avatar": onePixel, "PUT /v1/companies/{id}/avatar": onePixel, "PUT /v1/agents/{id}/avatar": onePixel,
	"PUT /v1/contacts/{id}/company": map[string]any{"company_id": uuid.Max.String()},
	"POST /v1/companies":            map[string]any{"name": "N"}, "PATCH /v1/companies/{id}": map[string]any{"note": "n"},
	"POST /v1/departments": map[string]any{"name": "N"}, "PATCH /v1/departments/{id}": map[string]any{"name": "n"},
	"POST /v1/fields": map[string]any{"name": "N", "scope": "contacts", "type": "text"}, "PATCH /v1/fields/{id}": map[string]any{"name": "n"},
	"PUT /v1/contacts/{id}/fields/{field}": map[string]any{"value": "x"}, "PUT /v1/companies/{id}/fields/{field}": map[string]any{"value": "x"},
	"POST /v1/tags": map[string]any{"name": "N", "scope": "tickets"}, "PATCH /v1/tags/{id}": map[string]any{"name": "n"},
	"POST /v1/groups": map[string]any{"name": "N"}, "PATCH /v1/groups/{id}": map[string]any{"name": "n"},
	"POST /v1/agents": map[string]any{"name": "N", "email": "n@desk.example", "role": "agent"}, "PATCH /v1/agents/{id}": map[string]any{"name": "n"},
	"POST /v1/agents/{id}/status/sign-in": map[string]any{}, "POST /v1/agents/{id}/status/sign-out": map[string]any{},
	"PATCH /v1/agents/{id}/departments/{department_id}": map[string]any{"tickets": true},
	"POST /v1/tickets":              map[string]any{"contact_id": uuid.Max.String(), "channel": "email", "subject": "S"},
	"POST /v1/tickets/{id}/subject": map[string]any{"subject": "s"},
	"POST /v1/tickets/{id}/replies": map[string]any{"body": "b"}, "POST /v1/tickets/{id}/messages": map[string]any{"body": "b"}, "POST /v1/tickets/{id}/notes": map[string]any{"body": "b"},
	"POST /v1/tickets/{id}/assign": map[string]any{"agent_id": uuid.Max.String()}, "POST /v1/tickets/{id}/transfer": map[string]any{"department_id": uuid.Max.String()},
	"POST /v1/tickets/{id}/priority": map[string]any{"priority": "high"},
	"POST /v1/import":                "{}\n",
}

// TestAgentsSeeTheirDepartments has an agent look for tickets of departments that they do not serve.
func TestAgentsSeeTheirDepartments(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	made := func(path string, body map[string]any) string { return c.Must(t, 201, "POST", path, body).ID(t) }
	support, sales := made("/v1/departments", map[string]any{"name": "Support"}), made("/v1/departments", map[string]any{"name": "Sales"})
	ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
	c.Must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+support, nil)
	tickets := map[string]string{}
	for name, department := range map[string]string{"support": support, "sales": sales, "none": ""} {
		body := testdesk.Inquiry("nora", name)
		if department != "" {
			body["department_id"] = department
		}
		tickets[name] = made("/v1/inquiries", body)
	}
	contact := c.Get(t, "/v1/contacts", testdesk.Header("Daybook-After", c.Must(t, 200, "POST", "/v1/tickets/"+tickets["none"]+"/notes", map[string]any{"body": "n"}).Position()))
	var people struct{ Data []struct{ ID string } }
	contact.Into(t, &people)
	agent := c.As(testdesk.Key(t, folder, "agent", ada))
	sees := func(path string) (names []string) {
		for _, row := range agent.All(t, path) {
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
		agent.Get(t, "/v1/tickets/"+tickets["support"]+path)
		agent.Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+tickets["sales"]+path, nil)
	}
	hidden := 0
	for route, need := range permissions {
		method, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/v1/tickets/{id}") || !role.Agent.Permissions().Have(need) {
			continue
		}
		hidden++
		path = strings.NewReplacer("{id}", tickets["sales"], "{tag}", uuid.NewString()).Replace(path)
		agent.Refused(t, 404, "ticket-unknown", method, path, bodies[route])
	}
	if hidden < 15 {
		t.Errorf("only %d routes of a ticket were walked", hidden)
	}
	agent.Must(t, 200, "POST", "/v1/tickets/"+tickets["none"]+"/notes", map[string]any{"body": "n"})
	// A hidden ticket is not found, whatever its revision or status. This answer is not stored under the Idempotency-Key.
	for _, id := range []string{tickets["sales"], uuid.NewString()} {
		agent.Refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+id+"/resolve", nil, testdesk.Header("If-Match", `"999"`))
	}
	key := testdesk.Header("Idempotency-Key", "a note")
	agent.Refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+tickets["sales"]+"/notes", map[string]any{"body": "now or later"}, key)
	// The agent sees the ticket while they serve its department.
	c.Must(t, 200, "PUT", "/v1/agents/"+ada+"/departments/"+sales, nil)
	agent.Get(t, "/v1/tickets/"+tickets["sales"])
	noted := agent.Must(t, 200, "POST", "/v1/tickets/"+tickets["sales"]+"/notes", map[string]any{"body": "now or later"}, key)
	// A repeated request gets its first answer, even if the agent no longer sees the ticket.
	moved := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Moved"}).ID(t)
	gone := c.Must(t, 200, "POST", "/v1/tickets/"+tickets["sales"]+"/transfer", map[string]any{"department_id": moved})
	agent.Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+tickets["sales"], nil, testdesk.Header("Daybook-After", gone.Position()))
	if again := agent.Must(t, 200, "POST", "/v1/tickets/"+tickets["sales"]+"/notes", map[string]any{"body": "now or later"}, key); string(again.Body) != string(noted.Body) {
		t.Errorf("the same request again: %s, first %s", again, noted)
	}
	c.Must(t, 200, "DELETE", "/v1/agents/"+ada+"/departments/"+support, nil)
	agent.Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+tickets["support"], nil)
	// A key stops working when its agent is deleted.
	c.Must(t, 200, "DELETE", "/v1/agents/"+ada, nil)
	agent.Refused(t, 401, "key-unknown", "GET", "/v1/tickets", nil)
}
