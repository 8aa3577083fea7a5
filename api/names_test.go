package api_test

import (
	"strings"
	"testing"
	"time"

	"daybook/internal/testdesk"
)

// TestNamesOfIDsAndThings asks for tickets, contacts and companies with and without the things that they refer to, one and in
// lists, now and in the past: NAME_id holds an id, and NAME the thing. Case 3.15.
func TestNamesOfIDsAndThings(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	made := func(path string, body map[string]any) string { return c.Must(t, 201, "POST", path, body).ID(t) }
	acme, sales := made("/v1/companies", map[string]any{"name": "Acme"}), made("/v1/departments", map[string]any{"name": "Sales"})
	ada := made("/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"})
	gold, vip, bug := made("/v1/groups", map[string]any{"name": "Gold"}), made("/v1/tags", map[string]any{"name": "vip", "scope": "contacts"}), made("/v1/tags", map[string]any{"name": "bug", "scope": "tickets"})
	nora := made("/v1/contacts", map[string]any{"name": "Nora"})
	c.Must(t, 200, "PUT", "/v1/contacts/"+nora+"/company", map[string]any{"company_id": acme})
	ticket := made("/v1/tickets", map[string]any{"contact_id": nora, "department_id": sales, "channel": "call", "subject": "Help"})
	ofContact := map[string]string{"company": acme, "tags": vip, "groups": gold}
	ofTicket := map[string]string{"contact": nora, "agent": ada, "department": sales, "tags": bug}
	for _, does := range [][3]string{
		{"PUT", "/v1/contacts/" + nora + "/tags/vip", ""}, {"PUT", "/v1/contacts/" + nora + "/groups/gold", ""},
		{"PUT", "/v1/companies/" + acme + "/groups/Gold", ""}, {"PUT", "/v1/tickets/" + ticket + "/tags/bug", ""}, {"PUT", "/v1/agents/" + ada + "/departments/" + sales, ""},
		{"POST", "/v1/tickets/" + ticket + "/assign", `{"agent_id":"` + ada + `"}`}, {"POST", "/v1/tickets/" + ticket + "/transfer", `{"department_id":"` + sales + `"}`},
	} {
		var body any
		if does[2] != "" {
			body = does[2]
		}
		c.Must(t, 200, does[0], does[1], body)
	}
	c.CaughtUp(t)
	then := time.Now().UTC().Format(time.RFC3339Nano)
	for _, renamed := range []string{"/v1/companies/" + acme, "/v1/departments/" + sales, "/v1/agents/" + ada, "/v1/groups/" + gold, "/v1/tags/" + vip, "/v1/tags/" + bug} {
		c.Must(t, 200, "PATCH", renamed, map[string]any{"name": "New " + renamed[4:9]})
	}
	c.CaughtUp(t)
	for path, refers := range map[string]map[string]string{
		"/v1/tickets/" + ticket: ofTicket, "/v1/tickets?": ofTicket, "/v1/contacts/" + nora + "/tickets?": ofTicket, "/v1/companies/" + acme + "/tickets?": ofTicket,
		"/v1/contacts/" + nora: ofContact, "/v1/contacts?": ofContact, "/v1/companies/" + acme + "/contacts?": ofContact,
		"/v1/companies/" + acme: {"groups": gold}, "/v1/companies?": {"groups": gold},
	} {
		row := func(query string) map[string]any {
			if whole, list := strings.CutSuffix(path, "?"); list {
				return c.Get(t, whole+query).Object(t)["data"].([]any)[0].(map[string]any)
			}
			return c.Get(t, path+query).Object(t)
		}
		names := make([]string, 0, len(refers))
		for name := range refers {
			names = append(names, name)
		}
		bare, full := row(""), row("?expand="+strings.Join(names, ","))
		var past map[string]any
		if !strings.HasSuffix(path, "?") {
			past = row("?as_of=" + then + "&expand=" + strings.Join(names, ","))
		}
		for name, id := range refers {
			held := bare[name+"_id"]
			if one, many := strings.CutSuffix(name, "s"); many {
				held = bare[one+"_ids"].([]any)[0]
			}
			if _, there := bare[name]; there || held != id {
				t.Errorf("%s: %s is %v, want the id %s, and no thing", path, name, bare, id)
			}
			thing := func(row map[string]any) map[string]any {
				all, many := row[name].([]any)
				if many && len(all) == 1 {
					return all[0].(map[string]any)
				}
				one, _ := row[name].(map[string]any)
				return one
			}
			if got := thing(full); got["id"] != id || name != "contact" && !strings.HasPrefix(got["name"].(string), "New") {
				t.Errorf("%s: %s is %v, want the thing %s", path, name, got, id)
			}
			if got := thing(past); past != nil && (got["id"] != id || strings.HasPrefix(got["name"].(string), "New")) {
				t.Errorf("%s: %s was %v, want the thing %s with its first name", path, name, got, id)
			}
		}
	}
	// An answer that expands may change while the thing does not.
	tag := c.Get(t, "/v1/tickets/"+ticket).Header.Get("ETag")
	c.Must(t, 304, "GET", "/v1/tickets/"+ticket, nil, testdesk.Header("If-None-Match", tag))
	c.Must(t, 200, "GET", "/v1/tickets/"+ticket+"?expand=agent", nil, testdesk.Header("If-None-Match", tag))
	for _, old := range []string{`{"company":"` + acme + `"}`} {
		c.Refused(t, 422, "invalid", "PUT", "/v1/contacts/"+nora+"/company", old)
	}
}
