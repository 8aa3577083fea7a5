package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestWhatIsNotThere is cases 3.3 and 3.13: a thing that is not there is the same mistake wherever it is named. In a path it is
// not found, in a query it is a wrong parameter, and the nil id is no other than any id that nothing has.
func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	d := staff(t)
	contact, company := d.made(t, "/v1/contacts", map[string]any{"name": "Nora"}), d.made(t, "/v1/companies", map[string]any{"name": "Acme"})
	ticket := d.made(t, "/v1/tickets", map[string]any{"contact_id": contact, "channel": "call", "subject": "s", "department_id": d.sales})
	d.CaughtUp(t)
	for _, nobody := range []string{uuid.Nil.String(), uuid.NewString(), strings.ToUpper(uuid.NewString())} {
		for path, code := range map[string]string{
			"/v1/contacts/%s": "contact-unknown", "/v1/contacts/%s/tickets": "contact-unknown", "/v1/contacts/%s/timeline": "contact-unknown",
			"/v1/companies/%s": "company-unknown", "/v1/companies/%s/tickets": "company-unknown", "/v1/companies/%s/contacts": "company-unknown", "/v1/companies/%s/timeline": "company-unknown",
			"/v1/agents/%s": "agent-unknown", "/v1/agents/%s/timeline": "agent-unknown", "/v1/reports/agents/%s?from=2026-01-01&to=2026-01-02": "agent-unknown",
			"/v1/departments/%s": "department-unknown", "/v1/tags/%s": "tag-unknown", "/v1/groups/%s": "group-unknown", "/v1/operations/%s": "operation-unknown",
			"/v1/tickets/%s": "ticket-unknown", "/v1/tickets/%s/thread": "ticket-unknown",
		} {
			if p := d.Refused(t, 404, code, "GET", fmt.Sprintf(path, nobody), nil); len(p.Errors) > 0 {
				t.Errorf("%s: %+v", path, p)
			}
		}
		for path, code := range map[string]string{
			"PUT /v1/contacts/" + contact + "/tags/": "tag-unknown", "DELETE /v1/contacts/" + contact + "/tags/": "tag-unknown",
			"PUT /v1/tickets/" + ticket + "/tags/": "tag-unknown", "POST /v1/tickets/" + ticket + "/tags/": "tag-unknown", "DELETE /v1/tickets/" + ticket + "/tags/": "tag-unknown",
			"PUT /v1/contacts/" + contact + "/groups/": "group-unknown", "DELETE /v1/contacts/" + contact + "/groups/": "group-unknown",
			"PUT /v1/companies/" + company + "/groups/": "group-unknown", "DELETE /v1/companies/" + company + "/groups/": "group-unknown",
			"PUT /v1/agents/" + d.id["ada"] + "/departments/": "department-unknown", "DELETE /v1/agents/" + d.id["ada"] + "/departments/": "department-unknown",
			"PATCH /v1/agents/" + d.id["ada"] + "/departments/": "department-unknown",
		} {
			method, path, _ := strings.Cut(path, " ")
			var body any
			if method == "PATCH" {
				body = map[string]any{"chats": false}
			}
			others := []string{nobody}
			if !strings.Contains(path, "/departments/") {
				others = append(others, "nothing")
			}
			for _, other := range others {
				if p := d.Refused(t, 404, code, method, path+other, body); len(p.Errors) > 0 {
					t.Errorf("%s %s: %+v", method, path, p)
				}
			}
		}
		for query, code := range map[string]string{
			"/v1/tickets?contact=": "contact-unknown", "/v1/tickets?company=": "company-unknown", "/v1/tickets?agent=": "agent-unknown", "/v1/tickets?department=": "department-unknown",
			"/v1/tickets?tag=": "tag-unknown", "/v1/tickets?follow_up_of=": "ticket-unknown", "/v1/contacts?tag=": "tag-unknown", "/v1/contacts?tag_not=": "tag-unknown",
			"/v1/contacts?group=": "group-unknown", "/v1/contacts?company=": "company-unknown", "/v1/companies?group=": "group-unknown", "/v1/agents?department=": "department-unknown",
			"/v1/contacts/" + contact + "/tickets?tag=": "tag-unknown", "/v1/contacts/" + contact + "/tickets?agent=": "agent-unknown", "/v1/companies/" + company + "/tickets?department=": "department-unknown",
			"/v1/reports/agents?from=2026-01-01&to=2026-01-02&agent=": "agent-unknown", "/v1/reports/agents?from=2026-01-01&to=2026-01-02&department=": "department-unknown",
			"/v1/reports/agents?from=2026-01-01&to=2026-01-02&tag=": "tag-unknown", "/v1/reports/agents/" + d.id["ada"] + "?from=2026-01-01&to=2026-01-02&tag=": "tag-unknown",
		} {
			name := strings.TrimSuffix(query[strings.LastIndexAny(query, "?&")+1:], "=")
			named := []string{nobody}
			if strings.HasPrefix(name, "tag") || name == "group" {
				named = append(named, "nothing")
			}
			for _, other := range named {
				if p := d.Refused(t, 422, code, "GET", query+other, nil); len(p.Errors) != 1 || p.Errors[0].Parameter != name || p.Errors[0].Pointer != "" || p.Errors[0].Code != code {
					t.Errorf("%s%s: %+v", query, other, p)
				}
			}
		}
		for field, body := range map[string]map[string]any{
			"contact_id":    {"contact_id": nobody, "channel": "call", "subject": "s"},
			"department_id": {"contact_id": contact, "channel": "call", "subject": "s", "department_id": nobody},
		} {
			a := d.Must(t, 422, "POST", "/v1/tickets", body)
			if !strings.Contains(string(a.Body), `"pointer":"/`+field+`"`) {
				t.Errorf("%v: %s", body, a)
			}
		}
	}
	tags := map[string]string{"contacts": "/v1/tickets?tag=", "tickets": "/v1/contacts?tag="}
	for scope, query := range tags { // a tag of one registry is none of the other
		tag := d.made(t, "/v1/tags", map[string]any{"scope": scope, "name": "vip " + scope})
		d.Refused(t, 422, "tag-unknown", "GET", query+tag, nil)
		d.Refused(t, 422, "tag-unknown", "GET", query+"vip+"+scope, nil)
	}
	inquiry := testdesk.Inquiry("nora", "s")
	for _, field := range []string{"department_id", "in_reply_to"} {
		inquiry[field] = uuid.Nil.String()
		if p := d.Refused(t, 422, "invalid", "POST", "/v1/inquiries", inquiry); p.Errors[0].Pointer != "/"+field {
			t.Errorf("%+v", p)
		}
		delete(inquiry, field)
	}
	d.Refused(t, 404, "event-unknown", "GET", "/v1/events/contact-"+contact+"/9223372036854775807", nil)
	if n := len(d.All(t, "/v1/tickets")); n != 1 {
		t.Errorf("%d tickets", n)
	}
	// What one does not see is not there: neither as a filter nor in a path, whatever else is named.
	ada := d.as["ada"]
	ada.Refused(t, 422, "ticket-unknown", "GET", "/v1/tickets?follow_up_of="+ticket, nil)
	ada.Refused(t, 404, "ticket-unknown", "PUT", "/v1/tickets/"+ticket+"/tags/nothing", nil)
	d.Get(t, "/v1/tickets?follow_up_of="+ticket)
	// Who may not read at all learns nothing of what is there.
	channel := d.As(testdesk.Key(t, d.folder, "channel", ""))
	for _, path := range []string{"/v1/tickets?tag=nothing", "/v1/contacts?company=" + company, "/v1/contacts?company=" + uuid.NewString(), "/v1/reports/agents?from=2026-01-01&to=2026-01-02&tag=nothing"} {
		channel.Refused(t, 403, "permission-missing", "GET", path, nil)
	}
	channel.Refused(t, 403, "permission-missing", "PUT", "/v1/contacts/"+contact+"/tags/nothing", nil)
}

// TestDeletedThings is case 3.13: what was deleted can be read, and changing it or using it anew is refused in one way.
func TestDeletedThings(t *testing.T) {
	t.Parallel()
	d := staff(t)
	contact, company := d.made(t, "/v1/contacts", map[string]any{"name": "Nora"}), d.made(t, "/v1/companies", map[string]any{"name": "Acme"})
	other := d.made(t, "/v1/contacts", map[string]any{"name": "Other"})
	for _, path := range []string{"/v1/contacts/" + contact, "/v1/companies/" + company, "/v1/agents/" + d.id["ada"], "/v1/departments/" + d.sales + "?to=none"} {
		d.Must(t, 200, "DELETE", path, nil)
	}
	for path, code := range map[string]string{
		"/v1/contacts/" + contact: "contact-deleted", "/v1/companies/" + company: "company-deleted",
		"/v1/agents/" + d.id["ada"]: "agent-deleted", "/v1/departments/" + d.sales: "department-deleted",
	} {
		if a := d.Must(t, 200, "GET", path, nil, testdesk.Header("Daybook-After", d.Must(t, 200, "DELETE", path, nil).Position())); a.Object(t)["deleted_at"] == nil {
			t.Error(a)
		}
		d.Refused(t, 409, code, "PATCH", path, map[string]any{"name": "New"})
	}
	d.Refused(t, 409, "contact-deleted", "POST", "/v1/tickets", map[string]any{"contact_id": contact, "channel": "call", "subject": "s"})
	d.Refused(t, 409, "department-deleted", "POST", "/v1/tickets", map[string]any{"contact_id": other, "channel": "call", "subject": "s", "department_id": d.sales})
	d.Refused(t, 409, "company-deleted", "PUT", "/v1/contacts/"+other+"/company", map[string]any{"company_id": company})
	d.Refused(t, 409, "department-deleted", "PUT", "/v1/agents/"+d.id["ben"]+"/departments/"+d.sales, nil)
	d.Refused(t, 409, "agent-deleted", "POST", "/v1/agents/"+d.id["ada"]+"/status/sign-in", map[string]any{})
	for _, path := range []string{ // their history stays
		"/v1/contacts/" + contact + "/tickets", "/v1/contacts/" + contact + "/timeline", "/v1/tickets?contact=" + contact, "/v1/contacts?company=" + company,
		"/v1/companies/" + company + "/tickets", "/v1/tickets?agent=" + d.id["ada"], "/v1/tickets?department=" + d.sales, "/v1/agents?department=" + d.sales,
		"/v1/reports/agents/" + d.id["ada"] + "?from=2026-01-01&to=2026-01-02",
	} {
		d.Get(t, path)
	}
}

// TestLocationIsThere is case 3.14: what was created is at its Location at once, whether or not it is projected yet, and what
// one does not see is not.
func TestLocationIsThere(t *testing.T) {
	t.Parallel()
	d := staff(t)
	ada := d.as["ada"]
	d.CaughtUp(t) // there are read models
	for n := range 100 {
		contact := d.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
		got := d.Must(t, 200, "GET", contact.Header.Get("Location"), nil)
		if string(got.Body) != string(contact.Body) || got.Header.Get("ETag") != contact.Header.Get("ETag") {
			t.Errorf("%s, created as %s", got, contact)
		}
		ticket := d.Must(t, 201, "POST", "/v1/tickets", map[string]any{"contact_id": contact.ID(t), "channel": "call", "subject": "s", "department_id": d.sales}).Header.Get("Location")
		ada.Refused(t, 404, "ticket-unknown", "GET", ticket, nil)
		d.Must(t, 200, "GET", ticket, nil)
		contact = d.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
		d.Must(t, 200, "GET", contact.Header.Get("Location")+[]string{"/tickets", "/timeline"}[n%2], nil)
		d.Must(t, 200, "GET", "/v1/tickets?contact="+contact.ID(t), nil)
	}
}

// TestAcceptIsNoTrap asks for what there is none of, in headers that are well-formed and not. The answer is JSON, and never a
// failure.
func TestAcceptIsNoTrap(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for _, accept := range []string{"a;,b", ";,", ";* ", "\u2028;a,application/json", "json", "application/json;q=0", "text/html", "*/*;q=x,;"} {
		for status, path := range map[int]string{200: "/healthz", 404: "/v1/contacts/" + uuid.NewString(), 422: "/v1/reports/agents?from=x&to=x"} {
			if a := c.Must(t, status, "GET", path, nil, testdesk.Header("Accept", accept)); !strings.HasPrefix(a.Header.Get("Content-Type"), "application/") || !strings.Contains(a.Header.Get("Content-Type"), "json") || strings.Contains(string(a.Body), "\"internal\"") {
				t.Errorf("%q: %s", accept, a)
			}
		}
		c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}, testdesk.Header("Accept", accept))
	}
}
