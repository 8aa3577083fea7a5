package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// A finder asks lists of a desk, and shows the rows by a column.
type finder struct {
	testdesk.Client
	by string
}

// finds checks what a list has, in order.
func (f finder) finds(t *testing.T, list string, want ...string) {
	t.Helper()
	got := []string{}
	for _, row := range f.All(t, "/v1/"+list) {
		got = append(got, row[f.by].(string))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s by %s: %q, not %q", list, f.by, got, want)
	}
}

// TestSearch finds people however their names and numbers are written. Cases 3.16 and 6.16.
func TestSearch(t *testing.T) {
	t.Parallel()
	c := finder{testdesk.Serve(t, t.TempDir()), "name"}
	for _, contact := range []map[string]any{
		{"name": "José Núñez", "emails": []string{"jose.nunez+desk@Customers.example"}}, {"name": "Łukasz"}, {"name": "Groß"}, {"name": "ΟΔΥΣΣΕΥΣ"}, {"name": "O’Brien"},
		{"name": "Ann", "phones": []string{"+1 (650) 253-0100"}}, {"name": "Anne-Marie", "emails": []string{"am@customers.example"}},
	} {
		c.Must(t, 201, "POST", "/v1/contacts", contact)
	}
	c.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "x", "from": map[string]any{"x": "@zoe_x", "name": "zoe"}, "subject": "Hi", "body": "Hi"})
	c.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Café Ångström", "phones": []string{"+39 06 6982 0001"}})
	agent := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ángel", "email": "angel@desk.example", "role": "agent"})
	c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "zoe", "alias": "Señora Z", "email": "z@desk.example", "role": "agent"})
	c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Überprüfung"})
	c.Must(t, 201, "POST", "/v1/tags", map[string]any{"name": "Réclamation", "scope": "tickets"})
	c.Must(t, 201, "POST", "/v1/groups", map[string]any{"name": "Größte"})
	c.CaughtUp(t)
	for q, want := range map[string][]string{
		"jose": {"José Núñez"}, "NUNEZ josé": {"José Núñez"}, "jose.nunez+desk@customers.example": {"José Núñez"}, "lukasz": {"Łukasz"}, "gross": {"Groß"}, "οδυσσευς": {"ΟΔΥΣΣΕΥΣ"},
		"o'brien": {"O’Brien"}, "brien": {"O’Brien"}, "+1-650-253-0100": {"Ann"}, "(650) 253": {"Ann"}, "650 253 0100": {"Ann"}, "16502530100": {"Ann"}, "zoe_x": {"zoe"},
		"ann": {"Anne-Marie", "Ann"}, "marie": {"Anne-Marie"}, "customers.example": {"Anne-Marie", "José Núñez"}, "jose marie": {}, "ukasz": {}, "%": {"zoe", "Anne-Marie", "Ann", "O’Brien", "ΟΔΥΣΣΕΥΣ", "Groß", "Łukasz", "José Núñez"}, "j_se": {},
	} {
		c.finds(t, "contacts?q="+url.QueryEscape(q), want...)
	}
	c.finds(t, "contacts?email=Jose.Nunez%2Bdesk@customers.example", "José Núñez")
	c.finds(t, "contacts?email=jose@customers.example")
	c.finds(t, "contacts?phone="+url.QueryEscape("001 650-253-0100"), "Ann")
	c.finds(t, "contacts?phone="+url.QueryEscape("+1 650 253"))
	c.Refused(t, 422, "email-malformed", "GET", "/v1/contacts?email=ada", nil)
	c.finds(t, "contacts?sort=name", "Ann", "Anne-Marie", "Groß", "José Núñez", "Łukasz", "O’Brien", "zoe", "ΟΔΥΣΣΕΥΣ")
	c.finds(t, "companies?q=cafe+angstrom", "Café Ångström")
	c.finds(t, "companies?q=0669820001", "Café Ångström")
	c.finds(t, "agents?q=ang", "Ángel")
	c.finds(t, "agents?q=senora", "zoe")
	c.finds(t, "agents?q=z@desk", "zoe")
	c.finds(t, "departments?q=uberprufung", "Überprüfung")
	c.finds(t, "tags?q=reclam", "Réclamation")
	c.finds(t, "groups?q=grosste", "Größte")
	c.finds(t, "groups?q=klein")
	names := c.All(t, "/v1/agents?sort=name")
	if got := fmt.Sprint(names[0]["name"], names[len(names)-1]["name"]); got != "Ángelzoe" {
		t.Errorf("the first and the last agent are %s", got)
	}

	// What is changed is found by what it is now.
	c.Must(t, 200, "PATCH", "/v1/agents/"+agent.ID(t), map[string]any{"name": "Gabriel"})
	ann := c.All(t, "/v1/contacts?q=ann+1650")[0]["id"].(string)
	c.Must(t, 200, "PATCH", "/v1/contacts/"+ann, map[string]any{"name": "Ana"})
	c.CaughtUp(t)
	c.finds(t, "agents?q=gabriel", "Gabriel")
	c.finds(t, "agents?q=%C3%A1ngel", "Gabriel") // by the e-mail address
	c.finds(t, "contacts?q=ann", "Anne-Marie")
	c.finds(t, "contacts?q=ana", "Ana")
}

// TestTicketFilters asks for tickets by all that they can be asked for. Cases 3.16 and 3.23.
func TestTicketFilters(t *testing.T) {
	t.Parallel()
	c := finder{testdesk.Serve(t, t.TempDir()), "subject"}
	sales := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	acme := c.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Acme"}).ID(t)
	for _, name := range []string{"red", "blue", "red,blue", "none"} {
		c.Must(t, 201, "POST", "/v1/tags", map[string]any{"name": name, "scope": "tickets"})
	}
	open := func(who, channel, subject string) string {
		t.Helper()
		in := testdesk.Inquiry(who, subject)
		in["channel"] = channel
		return c.Must(t, 201, "POST", "/v1/inquiries", in).ID(t)
	}
	one, two := open("nora", "email", "Réclamation Nº 1234"), open("eve", "form", "Broken lamp")
	c.CaughtUp(t)
	nora := c.All(t, "/v1/contacts?q=nora")[0]["id"].(string)
	c.Must(t, 200, "PUT", "/v1/contacts/"+nora+"/company", map[string]any{"company_id": acme})
	open("nora", "api", "Second lamp, broken")
	c.Must(t, 200, "POST", "/v1/tickets/"+two+"/transfer", map[string]any{"department_id": sales})
	c.Must(t, 200, "POST", "/v1/tickets/"+one+"/priority", map[string]any{"priority": "urgent"})
	c.Must(t, 200, "POST", "/v1/tickets/"+two+"/priority", map[string]any{"priority": "low"})
	for _, put := range []string{one + "/tags/red", two + "/tags/red", two + "/tags/blue"} { // so that two changes last
		c.Must(t, 200, "PUT", "/v1/tickets/"+put, nil)
	}
	c.CaughtUp(t)
	changed := c.Get(t, "/v1/tickets/"+one).Object(t)["changed_at"].(string)
	first, second, third := "Réclamation Nº 1234", "Broken lamp", "Second lamp, broken"
	for query, want := range map[string][]string{
		"": {third, second, first}, "q=lamp": {third, second}, "q=reclamation": {first}, "q=broken+second": {third}, "q=1234": {first}, "q=amp": {},
		"department=none": {third, first}, "department=" + sales: {second}, "company=none": {second, first}, "company=" + acme: {third}, "company_now=none": {second}, "company_now=" + acme: {third, first}, "company_now=" + acme + "&company=none": {first}, "agent=none": {third, second, first},
		"priority=urgent,low": {second, first}, "priority=low": {second}, "channel=email,api": {third, first}, "channel=form": {second}, "channel=email&channel=form": {second, first},
		"tag=red": {second, first}, "tag=blue": {second}, "tag=red&tag=blue": {second}, "tag=none": {third}, "tag=blue,red": {second, first}, "tag=red,blue": {}, // a tag of that name
		"tag=red&tag_not=blue": {first}, "tag_not=red": {third}, "tag_not=blue,red": {third}, "tag_not=none": {second, first}, "tag=none&tag_not=none": {}, "tag=blue,+red&priority=low": {second},
		"changed_from=" + url.QueryEscape(changed) + "&sort=changed_at": {first, second}, "changed_to=" + url.QueryEscape(changed): {third},
		"contact=" + nora + "&q=lamp": {third}, "sort=opened_at&department=none": {first, third}, "q=lamp&tag=red&priority=low&channel=form&department=" + sales + "&company=none": {second},
	} {
		c.finds(t, "tickets?"+query, want...)
	}
	c.finds(t, "contacts/"+nora+"/tickets?q=lamp", third)
	c.finds(t, "contacts/"+nora+"/tickets?tag=red&department=none", first)
	c.finds(t, "contacts/"+nora+"/tickets?tag=none&sort=changed_at", third)
	c.finds(t, "companies/"+acme+"/tickets?tag=none", third)
	c.Refused(t, 422, "tag-unknown", "GET", "/v1/tickets?tag=green", nil)
	c.Refused(t, 422, "tag-unknown", "GET", "/v1/tickets?tag=blue,green", nil)
	c.Refused(t, 422, "instant-malformed", "GET", "/v1/tickets?changed_from=today", nil)
	c.Refused(t, 422, "id-malformed", "GET", "/v1/tickets?department=nobody", nil)
}

// TestWhatHasNone asks for people who have none of what they could have. Case 3.23.
func TestWhatHasNone(t *testing.T) {
	t.Parallel()
	c := finder{testdesk.Serve(t, t.TempDir()), "name"}
	create := func(list string, body map[string]any) string { return c.Must(t, 201, "POST", "/v1/"+list, body).ID(t) }
	acme, gold := create("companies", map[string]any{"name": "Acme"}), create("groups", map[string]any{"name": "gold"})
	create("companies", map[string]any{"name": "Bolt"})
	create("tags", map[string]any{"name": "vip", "scope": "contacts"})
	create("tags", map[string]any{"name": "new", "scope": "contacts"})
	sales := create("departments", map[string]any{"name": "Sales"})
	ada, ben := create("contacts", map[string]any{"name": "Ada"}), create("contacts", map[string]any{"name": "Ben"})
	create("contacts", map[string]any{"name": "Cid"})
	ann := create("agents", map[string]any{"name": "Ann", "email": "ann@desk.example", "role": "agent"})
	c.Must(t, 200, "PUT", "/v1/agents/"+ann+"/departments/"+sales, nil)
	c.Must(t, 200, "PUT", "/v1/contacts/"+ada+"/company", map[string]any{"company_id": acme})
	c.Must(t, 200, "PUT", "/v1/companies/"+acme+"/groups/gold", nil)
	c.Must(t, 200, "PUT", "/v1/contacts/"+ada+"/groups/gold", nil)
	c.Must(t, 200, "PUT", "/v1/contacts/"+ada+"/tags/vip", nil)
	c.Must(t, 200, "PUT", "/v1/contacts/"+ben+"/tags/vip", nil)
	c.Must(t, 200, "PUT", "/v1/contacts/"+ben+"/tags/new", nil)
	c.CaughtUp(t)
	for list, want := range map[string][]string{
		"contacts?company=none": {"Cid", "Ben"}, "contacts?company=" + acme: {"Ada"}, "contacts?group=none": {"Cid", "Ben"}, "contacts?group=gold": {"Ada"}, "contacts?group=" + gold: {"Ada"},
		"contacts?tag=none": {"Cid"}, "contacts?tag=vip": {"Ben", "Ada"}, "contacts?tag=vip&tag=new": {"Ben"}, "contacts?tag=vip,new&tag_not=new": {"Ada"}, "contacts?tag_not=none": {"Ben", "Ada"},
		"contacts?tag_not=vip": {"Cid"}, "contacts?company=none&group=none&tag=new&q=b": {"Ben"}, "companies?group=none": {"Bolt"}, "companies?group=gold": {"Acme"}, "agents?department=" + sales: {"Ann"},
	} {
		c.finds(t, list, want...)
	}
	for _, agent := range c.All(t, "/v1/agents?department=none") {
		if agent["name"] == "Ann" {
			t.Error("Ann has no department")
		}
	}
	c.Must(t, 200, "DELETE", "/v1/contacts/"+ada+"/tags/vip", nil)
	c.Must(t, 200, "DELETE", "/v1/contacts/"+ben+"/tags/new", nil)
	c.CaughtUp(t)
	c.finds(t, "contacts?tag=vip", "Ben")
	c.finds(t, "contacts?tag=vip,new", "Ben")
	c.finds(t, "contacts?tag=none", "Cid", "Ada")
}

// TestNewestEvents lists the audit trail backwards. Case 3.16.
func TestNewestEvents(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for n := range 5 {
		c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprint("Contact ", n)})
	}
	c.CaughtUp(t)
	for _, filter := range []string{"", "&type=contact-registered"} {
		var forward []string
		for _, e := range c.All(t, "/v1/events?after=0"+filter) {
			if kind := e["type"].(string); strings.HasPrefix(kind, "contact-") {
				forward = append(forward, e["position"].(string))
			}
		}
		var backward []string
		for _, e := range c.All(t, "/v1/events?sort=-position"+filter) {
			if kind := e["type"].(string); strings.HasPrefix(kind, "contact-") {
				backward = append(backward, e["position"].(string))
			}
		}
		if slices.Reverse(backward); len(forward) != 5 || !slices.Equal(forward, backward) {
			t.Errorf("%q: %v, and backwards %v", filter, forward, backward)
		}
	}
	c.Refused(t, 422, "invalid", "GET", "/v1/events?sort=at", nil)
}
