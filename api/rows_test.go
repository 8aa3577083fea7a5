package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestRows uses each feature of the desk through the API, and checks its event in the log and its result in a read model.
// The numbers are those of the list of features.
func TestRows(t *testing.T) {
	t.Parallel()
	desk := feature{t, testdesk.Serve(t, t.TempDir())}
	sales := desk.create("/v1/departments", map[string]any{"name": "Sales"})
	ann := desk.create("/v1/agents", map[string]any{"name": "Ann", "email": "ann@desk.example", "role": "agent"})
	desk.Must(t, 200, "PUT", "/v1/agents/"+ann+"/departments/"+sales, nil)

	inquiry := func(from map[string]any) map[string]any {
		return desk.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": from, "subject": "Help"}).Object(t)
	}
	first := inquiry(map[string]any{"name": "Cy", "email": "Cy@customers.example"})
	cy := first["contact_id"].(string)

	desk.row("row 1, an inquiry becomes a ticket", "ticket-opened", "ticket-"+first["id"].(string), func(t *testing.T) {
		if got := desk.read("/v1/tickets/" + first["id"].(string)); got["channel"] != "email" || got["status"] != "new" {
			t.Errorf("%v", got)
		}
	})
	desk.row("rows 2, 4 and 5, and a contact is made of what the channel gave", "contact-registered", "contact-"+cy, func(t *testing.T) {
		got := desk.read("/v1/contacts/" + cy)
		if got["name"] != "Cy" || !same(got["emails"], "cy@customers.example") || got["note"] != "" {
			t.Errorf("%v", got)
		}
	})
	desk.row("row 3, shown as the requester", "ticket-opened", "ticket-"+first["id"].(string), func(t *testing.T) {
		rows := desk.list("/v1/tickets?expand=contact&contact=" + cy)
		if len(rows) != 1 || rows[0]["contact"].(map[string]any)["name"] != "Cy" {
			t.Errorf("%v", rows)
		}
	})
	var eve string
	t.Run("row 6, registered by hand", func(t *testing.T) {
		eve = desk.create("/v1/contacts", map[string]any{"name": "Eve", "emails": []string{"eve@customers.example"}})
		desk.happened(t, "contact-registered", "contact-"+eve)
	})
	t.Run("row 7, from a forum", func(t *testing.T) {
		opened := desk.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "forum", "from": map[string]any{"forum": "cat77", "email": "cat@customers.example"}}).Object(t)
		got := desk.read("/v1/contacts/" + opened["contact_id"].(string))
		channels := got["channels"].([]any)
		if len(channels) != 1 || channels[0].(map[string]any)["value"] != "cat77" || !same(got["emails"], "cat@customers.example") {
			t.Errorf("%v", got)
		}
	})
	t.Run("row 8, the same customer again", func(t *testing.T) {
		if again := inquiry(map[string]any{"email": " cy@CUSTOMERS.example"}); again["contact_id"] != cy {
			t.Errorf("%v is not %s", again["contact_id"], cy)
		}
	})
	t.Run("rows 9 and 10, the tickets of a contact", func(t *testing.T) {
		if rows := desk.list("/v1/contacts/" + cy + "/tickets"); len(rows) != 2 || rows[1]["id"] != first["id"] {
			t.Errorf("%v", rows)
		}
		if rows := desk.list("/v1/contacts/" + cy + "/tickets?status=resolved"); len(rows) != 0 {
			t.Errorf("%v", rows)
		}
	})
	edits := map[string]any{
		"name": "Eva", "avatar": "https://acme.example/eva.png", "emails": []string{"eve@customers.example", "eva@customers.example"},
		"phones": []string{"+39 06 6982 0002", "+39 06 6982 0003"}, "time_zone": "Europe/Rome", "language": "it", "url": "https://eva.example", "address": "Via Roma 1", "note": "prefers mail",
	}
	for _, whose := range []struct{ rows, path, edited, stream string }{
		{"rows 11 to 21, a contact's fields", "/v1/contacts/" + eve, "contact-edited", "contact-" + eve},
		{"rows 24 to 34, a company's fields", "", "company-edited", ""},
	} {
		t.Run(whose.rows, func(t *testing.T) {
			if whose.path == "" {
				acme := desk.create("/v1/companies", map[string]any{"name": "Acme"})
				whose.path, whose.stream = "/v1/companies/"+acme, "company-"+acme
			}
			desk.Must(t, 200, "PATCH", whose.path, edits)
			desk.happened(t, whose.edited, whose.stream)
			got := desk.read(whose.path)
			for field, want := range edits {
				switch want := want.(type) {
				case string:
					if got[field] != want {
						t.Errorf("%s is %v", field, got[field])
					}
				case []string:
					if list := got[field].([]any); len(list) != len(want) {
						t.Errorf("%s is %v", field, list)
					}
				}
			}
		})
	}
	var acme string
	t.Run("row 22, grouped by company, with history", func(t *testing.T) {
		acme = desk.create("/v1/companies", map[string]any{"name": "Borealis"})
		desk.Must(t, 200, "PUT", "/v1/contacts/"+eve+"/company", map[string]any{"company_id": acme})
		desk.happened(t, "contact-assigned-company", "contact-"+eve)
		if rows := desk.list("/v1/companies/" + acme + "/contacts"); len(rows) != 1 || rows[0]["id"] != eve {
			t.Errorf("%v", rows)
		}
		during := desk.create("/v1/tickets", map[string]any{"contact_id": eve, "channel": "call", "subject": "While she worked there"})
		if rows := desk.list("/v1/tickets?company=" + acme); len(rows) != 1 || rows[0]["id"] != during || rows[0]["company_id"] != acme {
			t.Errorf("tickets of the company: %v", rows)
		}
		if now := desk.list("/v1/tickets?company_now=" + acme); len(now) == 0 {
			t.Errorf("tickets of who works there: %v", now)
		}
		defer func() {
			then, now := desk.list("/v1/tickets?company="+acme), desk.list("/v1/tickets?company_now="+acme)
			if len(then) != 1 || then[0]["id"] != during || len(now) != 0 {
				t.Errorf("after she left: tickets of the company %v, of who works there %v", then, now)
			}
		}()
		desk.Must(t, 200, "DELETE", "/v1/contacts/"+eve+"/company", nil)
		entries := desk.list("/v1/contacts/" + eve + "/timeline")
		if entries[0]["type"] != "contact-left-company" || entries[2]["type"] != "contact-assigned-company" {
			t.Errorf("%v", entries)
		}
	})
	t.Run("row 23, companies are never made of themselves", func(t *testing.T) {
		before := len(desk.list("/v1/companies"))
		inquiry(map[string]any{"name": "Zoe", "email": "zoe@new-company.example"})
		if after := len(desk.list("/v1/companies")); after != before {
			t.Errorf("%d companies, and before %d", after, before)
		}
		desk.Refused(t, http.StatusUnprocessableEntity, "company-unknown", "PUT", "/v1/contacts/"+eve+"/company", map[string]any{"company_id": eve})
	})
	t.Run("rows 35, 36 and 38, groups of both", func(t *testing.T) {
		gold := desk.create("/v1/groups", map[string]any{"name": "Gold", "color": "#000000", "background": "#ffd700"})
		desk.Must(t, 200, "PUT", "/v1/contacts/"+eve+"/groups/Gold", nil)
		desk.Must(t, 200, "PUT", "/v1/companies/"+acme+"/groups/"+gold, nil)
		desk.happened(t, "contact-joined-group", "contact-"+eve)
		desk.happened(t, "company-joined-group", "company-"+acme)
		desk.Must(t, 200, "PATCH", "/v1/groups/"+gold, map[string]any{"name": "Platinum"})
		desk.happened(t, "group-renamed", "group-"+gold)
		if rows := desk.list("/v1/contacts?group=platinum"); len(rows) != 1 || rows[0]["id"] != eve {
			t.Errorf("%v", rows)
		}
		if rows := desk.list("/v1/companies?group=platinum"); len(rows) != 1 || rows[0]["id"] != acme {
			t.Errorf("%v", rows)
		}
	})
	t.Run("rows 39 and 40, no group on a ticket", func(t *testing.T) {
		ticket := "/v1/tickets/" + first["id"].(string)
		desk.Refused(t, http.StatusNotFound, "no-such-path", "PUT", ticket+"/groups/Platinum", nil)
		desk.Refused(t, http.StatusNotFound, "tag-unknown", "PUT", ticket+"/tags/Platinum", nil)
		vip := desk.create("/v1/tags", map[string]any{"scope": "contacts", "name": "vip"})
		desk.Refused(t, http.StatusNotFound, "tag-unknown", "PUT", ticket+"/tags/"+vip, nil)
	})
	t.Run("rows 42 and 51, a visitor without personal detail", func(t *testing.T) {
		opened := desk.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "chat", "from": map[string]any{"visitor": "v-1"}}).Object(t)
		if got := desk.read("/v1/contacts/" + opened["contact_id"].(string)); got["name"] != "" || !same(got["emails"]) {
			t.Errorf("%v", got)
		}
	})
	t.Run("rows 48 and 69, searched and filtered", func(t *testing.T) {
		desk.Must(t, 200, "PUT", "/v1/contacts/"+eve+"/tags/vip", nil)
		desk.happened(t, "contact-tagged", "contact-"+eve)
		if rows := desk.list("/v1/contacts?q=eva+customers&tag=vip"); len(rows) != 1 || rows[0]["id"] != eve {
			t.Errorf("%v", rows)
		}
		for _, row := range desk.list("/v1/contacts?tag_not=vip") {
			if row["id"] == eve {
				t.Error("the filter !tag returned a contact with the tag")
			}
		}
	})
	t.Run("rows 66 to 68, contact tags", func(t *testing.T) {
		tag := desk.create("/v1/tags", map[string]any{"scope": "contacts", "name": "newsletter"})
		desk.happened(t, "tag-created", "tag-"+tag)
		desk.Must(t, 200, "PUT", "/v1/contacts/"+cy+"/tags/"+tag, nil)
		desk.Must(t, 200, "DELETE", "/v1/contacts/"+cy+"/tags/newsletter", nil)
		desk.happened(t, "contact-untagged", "contact-"+cy)
	})
	t.Run("row 49, four types of data", func(t *testing.T) {
		field := desk.create("/v1/fields", map[string]any{"scope": "contacts", "name": "Shoe size", "type": "number"})
		desk.happened(t, "field-defined", "field-"+field)
		desk.create("/v1/tags", map[string]any{"scope": "contacts", "name": "regular"})
		desk.Must(t, 200, "PATCH", "/v1/contacts/"+cy, map[string]any{"name": "Cy Young"})
		desk.Must(t, 200, "PUT", "/v1/contacts/"+cy+"/fields/"+field, map[string]any{"value": "41.5"})
		desk.happened(t, "contact-field-set", "contact-"+cy)
		desk.Must(t, 200, "PUT", "/v1/contacts/"+cy+"/tags/regular", nil)
		note := desk.create("/v1/contacts/"+cy+"/notes", map[string]any{"body": "Pays by invoice."})
		desk.CaughtUp(t)
		row := desk.Get(t, "/v1/contacts/"+cy+"?expand=tags").Object(t)
		if row["name"] != "Cy Young" || held(row, field) != "41.5" || !strings.Contains(fmt.Sprint(row["tags"]), "name:regular") || len(desk.list("/v1/contacts/"+cy+"/notes")) != 1 {
			t.Errorf("%v", row)
		}
		desk.Must(t, 200, "DELETE", "/v1/contacts/"+cy+"/notes/"+note, nil)
	})
	t.Run("rows 70 and 71, notes on a contact", func(t *testing.T) {
		notes := "/v1/contacts/" + cy + "/notes"
		made := desk.Must(t, 201, "POST", notes, map[string]any{"body": "Likes tea.", "ticket_id": first["id"]}, testdesk.Header("Daybook-Reason", "They said so.")).Object(t)
		desk.happened(t, "contact-note-added", "contact-"+cy)
		desk.Must(t, 200, "PATCH", notes+"/"+made["id"].(string), map[string]any{"body": "Likes green tea."})
		desk.happened(t, "contact-note-edited", "contact-"+cy)
		other := desk.create(notes, map[string]any{"body": "Calls on Mondays."})
		if rows := desk.list(notes); len(rows) != 2 || rows[0]["id"] != other || rows[1]["body"] != "Likes green tea." || rows[1]["ticket_id"] != first["id"] || rows[1]["author"] != made["author"] || rows[1]["at"] != made["at"] || !strings.HasPrefix(made["author"].(string), "agent:") {
			t.Errorf("%v", rows)
		}
		desk.Must(t, 200, "DELETE", notes+"/"+other, nil)
		desk.happened(t, "contact-note-removed", "contact-"+cy)
		if rows := desk.list(notes); len(rows) != 1 {
			t.Errorf("%v", rows)
		}
		entries := desk.list("/v1/contacts/" + cy + "/timeline")
		if e := entries[3]; e["type"] != "contact-note-added" || e["actor"] != made["author"] || e["through"] != "api" || e["reason"] != "They said so." {
			t.Errorf("%v", entries)
		}
	})
	t.Run("rows 73 to 76 and 81 to 84, agents", func(t *testing.T) {
		desk.Refused(t, http.StatusUnprocessableEntity, "invalid", "POST", "/v1/agents", map[string]any{"name": "Bob"})
		bob := desk.create("/v1/agents", map[string]any{"name": "Bob", "email": "bob@desk.example", "role": "agent"})
		desk.Refused(t, http.StatusConflict, "taken", "POST", "/v1/agents", map[string]any{"name": "Bob", "email": "BOB@desk.example", "role": "admin"})
		desk.Must(t, 200, "PATCH", "/v1/agents/"+bob, map[string]any{"alias": "B.", "role": "admin"})
		desk.happened(t, "agent-edited", "agent-"+bob)
		if got := desk.read("/v1/agents/" + bob); got["alias"] != "B." || got["role"] != "admin" {
			t.Errorf("%v", got)
		}
		desk.Must(t, 200, "PUT", "/v1/agents/"+bob+"/departments/"+sales, nil)
		mine := desk.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "email", "department_id": sales, "from": map[string]any{"email": "di@customers.example"}}).ID(t)
		desk.Must(t, 200, "POST", "/v1/tickets/"+mine+"/assign", map[string]any{"agent_id": bob})
		desk.Must(t, 200, "DELETE", "/v1/agents/"+bob, nil)
		desk.happened(t, "agent-deleted", "agent-"+bob)
		if got := desk.read("/v1/tickets/" + mine); got["agent_id"] != nil || got["department_id"] != sales {
			t.Errorf("the ticket did not go back to the department: %v", got)
		}
		desk.create("/v1/agents", map[string]any{"name": "Bob II", "email": "bob@desk.example", "role": "agent"})
	})
	t.Run("row 79, a photo", func(t *testing.T) {
		set := desk.Must(t, 200, "PUT", "/v1/agents/"+ann+"/avatar", onePixel)
		desk.happened(t, "agent-picture-set", "agent-"+ann)
		if got := desk.read("/v1/agents/" + ann); got["picture_id"] == nil || got["picture_id"] != set.Object(t)["picture_id"] {
			t.Errorf("%v", got)
		}
		colourOf(t, desk.Get(t, "/v1/agents/"+ann+"/avatar?size=64"), 64)
	})
	t.Run("row 85, at least one owner is left", func(t *testing.T) {
		owners := desk.list("/v1/agents?role=owner")
		if len(owners) != 1 {
			t.Fatalf("%v", owners)
		}
		desk.Refused(t, http.StatusConflict, "last-owner", "DELETE", "/v1/agents/"+owners[0]["id"].(string), nil)
		desk.Refused(t, http.StatusConflict, "last-owner", "PATCH", "/v1/agents/"+owners[0]["id"].(string), map[string]any{"role": "admin"})
	})
	t.Run("rows 93, 97, 98 and 99, departments and services", func(t *testing.T) {
		billing := desk.create("/v1/departments", map[string]any{"name": "Billing"})
		services := "/v1/agents/" + ann + "/departments/" + billing
		desk.Refused(t, http.StatusConflict, "not-in-department", "PATCH", services, map[string]any{"chats": false})
		desk.Must(t, 200, "PUT", "/v1/agents/"+ann+"/departments/"+billing, nil)
		desk.Must(t, 200, "PATCH", services, map[string]any{"chats": false})
		desk.happened(t, "agent-switched", "agent-"+ann)
		for _, m := range desk.read("/v1/agents/" + ann)["departments"].([]any) {
			if m := m.(map[string]any); m["department_id"] == billing && (m["chats"] != false || m["tickets"] != true) {
				t.Errorf("%v", m)
			}
		}
		desk.Must(t, 200, "DELETE", "/v1/agents/"+ann+"/departments/"+billing, nil)
		if list := desk.read("/v1/agents/" + ann)["departments"].([]any); len(list) != 1 {
			t.Errorf("%v", list)
		}
	})
	t.Run("row 114, the agent performance report", func(t *testing.T) {
		mine := desk.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "email", "department_id": sales, "from": map[string]any{"email": "cy@customers.example"}}).ID(t)
		desk.Must(t, 200, "POST", "/v1/tickets/"+mine+"/assign", map[string]any{"agent_id": ann})
		desk.happened(t, "ticket-assigned", "ticket-"+mine)
		var report struct{ Data []map[string]any }
		desk.Get(t, "/v1/reports/agents?from=2020-01-01&to=2099-01-01&by=month&metrics=assigned_tickets&agent="+ann, desk.fresh()).Into(t, &report)
		if len(report.Data) != 1 || report.Data[0]["assigned_tickets"] != 1.0 || report.Data[0]["agent"] != "Ann" {
			t.Errorf("%v", report.Data)
		}
	})
}

// feature is a desk whose queries see everything that was written.
type feature struct {
	t *testing.T
	testdesk.Client
}

// fresh makes a query wait until the read models have caught up.
func (f feature) fresh() testdesk.With {
	f.t.Helper()
	f.CaughtUp(f.t)
	return testdesk.Header("Daybook-After", "0")
}

func (f feature) create(path string, body any) string {
	f.t.Helper()
	return f.Must(f.t, http.StatusCreated, "POST", path, body).ID(f.t)
}

func (f feature) read(path string) map[string]any {
	f.t.Helper()
	return f.Get(f.t, path, f.fresh()).Object(f.t)
}

func (f feature) list(path string) []map[string]any {
	f.t.Helper()
	f.fresh()
	return f.All(f.t, path)
}

// happened checks that an event is in the log, and who did it.
func (f feature) happened(t *testing.T, event, stream string) {
	t.Helper()
	rows := f.list("/v1/events?type=" + event + "&stream=" + stream)
	if len(rows) == 0 {
		t.Fatalf("no %s in %s", event, stream)
	}
	by := "agent:"
	if through, _ := rows[0]["through"].(string); strings.HasPrefix(through, "channel:") {
		by = "contact:" // whoever carried it in
	}
	if actor, _ := rows[0]["actor"].(string); !strings.HasPrefix(actor, by) {
		t.Errorf("%s was done by %q", event, actor)
	}
}

// row runs one feature, whose event must be in the log.
func (f feature) row(name, event, stream string, look func(*testing.T)) {
	f.t.Run(name, func(t *testing.T) {
		f.happened(t, event, stream)
		look(t)
	})
}

// same reports whether a list of a JSON answer has these items.
func same(list any, items ...string) bool {
	var got []string
	for _, item := range list.([]any) {
		got = append(got, item.(string))
	}
	return slices.Equal(got, items)
}
