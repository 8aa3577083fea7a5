package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// contactOf returns the contact whom an inquiry came from.
func contactOf(t *testing.T, c testdesk.Client, from map[string]any, more map[string]any) string {
	t.Helper()
	return wrote(t, c, 201, from, more)["contact_id"].(string)
}

// TestIdentify is row 44: another system tells its own id of a contact, who is that customer from then on.
func TestIdentify(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	eve := contactOf(t, c, map[string]any{"visitor": "v1"}, nil)
	identify := func(id, customer string) string { return "/v1/contacts/" + id + "/identify" }
	because := testdesk.Header("Daybook-Reason", "signed in")
	a := c.Must(t, 200, "POST", identify(eve, "4711"), map[string]any{"customer": " 4711 "}, because).Object(t)
	if a["id"] != eve || a["customer"] != "4711" {
		t.Errorf("%v", a)
	}
	if again := c.Must(t, 200, "POST", identify(eve, "4711"), map[string]any{"customer": "4711"}).Object(t); again["revision"] != a["revision"] {
		t.Errorf("again: %v", again)
	}
	last := timeline(t, c, eve)[0]
	if last["type"] != "contact-address-added" || last["reason"] != "signed in" || last["through"] != "api" || !strings.HasPrefix(last["actor"].(string), "agent:") {
		t.Errorf("%v", last)
	}
	c.Refused(t, 409, "customer-id-other", "POST", identify(eve, "4712"), map[string]any{"customer": "4712"})
	ben := contactOf(t, c, map[string]any{"email": "ben@customers.example"}, nil)
	if no := c.Refused(t, 409, "would-merge", "POST", identify(ben, "4711"), map[string]any{"customer": "4711"}); !strings.Contains(no.Detail, eve) {
		t.Errorf("it does not name the other: %s", no.Detail)
	}
	c.Refused(t, 404, "contact-unknown", "POST", identify("0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f", "1"), map[string]any{"customer": "1"})

	// A shared browser is no shared person.
	moved := c.Must(t, 200, "POST", identify(eve, "4712"), map[string]any{"customer": "4712", "visitor": "v1"}).Object(t)
	if moved["id"] == eve || moved["customer"] != "4712" || visitors(moved) != "v1" {
		t.Errorf("another customer at the same browser: %v", moved)
	}
	c.CaughtUp(t)
	if left := c.Get(t, "/v1/contacts/"+eve).Object(t); left["customer"] != "4711" || visitors(left) != "" {
		t.Errorf("who was there before: %v", left)
	}
	back := c.Must(t, 200, "POST", identify(moved["id"].(string), "4711"), map[string]any{"customer": "4711", "visitor": "v1"}).Object(t)
	if back["id"] != eve || visitors(back) != "v1" {
		t.Errorf("and back: %v", back)
	}

	channel := c.As(testdesk.Key(t, folder, "channel", ""))
	channel.Refused(t, 403, "permission-missing", "POST", identify(eve, "1"), map[string]any{"customer": "1"})
	channel.Refused(t, 403, "permission-missing", "POST", "/v1/inquiries", map[string]any{"channel": "chat", "from": map[string]any{"customer": "4711"}, "subject": "Help"})
}

func visitors(contact map[string]any) string {
	var all []string
	for _, a := range contact["channels"].([]any) {
		if a := a.(map[string]any); a["channel"] == "visitor" {
			all = append(all, a["value"].(string))
		}
	}
	return strings.Join(all, ",")
}

func timeline(t *testing.T, c testdesk.Client, contact string) []map[string]any {
	t.Helper()
	c.CaughtUp(t)
	return c.All(t, "/v1/contacts/"+contact+"/timeline")
}

// TestCustomersWrite sends inquiries of customers, who share a browser with others.
func TestCustomersWrite(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	chat := map[string]any{"channel": "chat"}
	guest := contactOf(t, c, map[string]any{"visitor": "v1"}, chat)
	if first := contactOf(t, c, map[string]any{"visitor": "v1", "customer": "1"}, chat); first != guest {
		t.Error("a visitor who signs in is another contact")
	}
	c.Must(t, 200, "PATCH", "/v1/contacts/"+guest, map[string]any{"emails": []string{"both@customers.example"}, "phones": []string{"+39 02 1234 5678"}})
	second := contactOf(t, c, map[string]any{"visitor": "v1", "customer": "2", "email": "both@customers.example", "phone": "+39 02 1234 5678"}, chat)
	c.Must(t, 200, "PATCH", "/v1/contacts/"+second, map[string]any{"emails": []string{"two@customers.example"}})
	if second == guest {
		t.Error("two customers at one browser are one contact")
	}
	if now := contactOf(t, c, map[string]any{"visitor": "v1"}, chat); now != second {
		t.Error("the browser's visitor is not who signed in last")
	}
	if first := contactOf(t, c, map[string]any{"customer": "1", "email": "two@customers.example"}, chat); first != guest {
		t.Error("the customer id does not come before the address")
	}
	c.CaughtUp(t)
	for _, pair := range [][2]string{{guest, second}, {second, guest}} {
		var found []string
		for _, other := range c.Get(t, "/v1/contacts/"+pair[0]+"/duplicates").Object(t)["data"].([]any) {
			found = append(found, other.(map[string]any)["id"].(string))
		}
		if !slices.Equal(found, []string{pair[1]}) {
			t.Errorf("the duplicates of %s are %v", pair[0], found)
		}
	}
	c.Refused(t, 404, "contact-unknown", "GET", "/v1/contacts/0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f/duplicates", nil)
}

// TestLookUp is row 50: a form asks what is known, and what it may be shown.
func TestLookUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder, "--region", "IT")
	channel := c.As(testdesk.Key(t, folder, "channel", ""))
	nora := contactOf(t, c, map[string]any{"name": "Nora", "email": "nora@customers.example", "phone": "06 6982 0001", "visitor": "v 1", "customer": "47:11"}, nil)
	contactOf(t, c, map[string]any{"email": "ben@customers.example"}, nil)
	look := func(by testdesk.Client, kind, value string) map[string]any {
		t.Helper()
		return by.Must(t, 200, "POST", "/v1/contacts/lookup", map[string]any{"identity": map[string]any{"kind": kind, "value": value}}).Object(t)
	}
	c.CaughtUp(t)
	for kind, value := range map[string]string{"email": " NORA@customers.example", "phone": "+39 06 6982 0001", "visitor": "v 1", "customer": "47:11"} {
		found := look(c, kind, value)
		if fmt.Sprint(found["known"]) != "[name email phone country time_zone]" || found["id"] != nora || found["contact"].(map[string]any)["name"] != "Nora" {
			t.Errorf("%s: %v", kind, found)
		}
		_, shown := look(channel, kind, value)["contact"]
		if want := kind == "visitor" || kind == "customer"; shown != want {
			t.Errorf("%s: a channel is shown the contact: %t", kind, shown)
		}
		at := "identity=" + url.QueryEscape(kind+":"+value)
		if found := c.All(t, "/v1/contacts?"+at); len(found) != 1 || found[0]["id"] != nora {
			t.Errorf("%s: listed %v", at, found)
		}
		if found := c.All(t, "/v1/tickets?"+at); len(found) != 1 || found[0]["contact_id"] != nora {
			t.Errorf("%s: tickets %v", at, found)
		}
		if found := c.All(t, "/v1/contacts?deleted=true&q=Ben&"+at); len(found) != 0 {
			t.Errorf("%s: and another's name: %v", at, found)
		}
	}
	c.Refused(t, 404, "contact-unknown", "POST", "/v1/contacts/lookup", map[string]any{"identity": map[string]any{"kind": "email", "value": "nobody@customers.example"}})
	if found := c.All(t, "/v1/contacts?identity=customer:nobody"); len(found) != 0 {
		t.Errorf("%v", found)
	}
	c.Refused(t, 422, "email-malformed", "POST", "/v1/contacts/lookup", map[string]any{"identity": map[string]any{"kind": "email", "value": "nobody"}})
	for _, wrong := range []string{"email", "email:", "mail:nora@customers.example", ":x"} {
		c.Refused(t, 422, "identity-malformed", "GET", "/v1/contacts?identity="+url.QueryEscape(wrong), nil)
	}
	gone := c.Must(t, 200, "DELETE", "/v1/contacts/"+nora, nil).Object(t)
	c.Refused(t, 404, "contact-unknown", "POST", "/v1/contacts/lookup", map[string]any{"identity": map[string]any{"kind": "email", "value": gone["emails"].([]any)[0]}})
}

// TestOffers accepts and dismisses what a contact sent.
func TestOffers(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	known := map[string]any{"name": "Nora", "email": "nora@customers.example"}
	nora := contactOf(t, c, known, map[string]any{"channel": "email"})
	contactOf(t, c, map[string]any{"name": "Eva", "email": "nora@customers.example", "phone": "+39 06 6982 0001"}, map[string]any{"channel": "email"})
	contactOf(t, c, map[string]any{"email": "nora@customers.example", "phone": "+39 06 6982 0002"}, map[string]any{"channel": "email"})
	offers := func() map[string]string {
		all := map[string]string{}
		c.CaughtUp(t)
		for _, o := range c.Get(t, "/v1/contacts/"+nora).Object(t)["offers"].([]any) {
			o := o.(map[string]any)
			all[o["field"].(string)+" "+o["value"].(string)] = "/v1/contacts/" + nora + "/offers/" + o["id"].(string)
		}
		return all
	}
	open := offers()
	name, phone := open["name Eva"], open["phone +390669820002"]
	if len(open) != 2 {
		t.Fatalf("%v", open)
	}
	a := c.Must(t, 200, "POST", name+"/accept", nil).Object(t)
	if a["name"] != "Eva" {
		t.Errorf("accepted: %v", a)
	}
	c.Must(t, 200, "POST", phone+"/dismiss", nil)
	contactOf(t, c, map[string]any{"email": "nora@customers.example", "phone": "+39 06 6982 0002"}, map[string]any{"channel": "email"})
	if left := offers(); len(left) != 0 {
		t.Errorf("a dismissed value is offered again: %v", left)
	}
	for _, way := range []string{"/accept", "/dismiss"} {
		c.Refused(t, 409, "offer-closed", "POST", phone+way, nil)
		c.Refused(t, 404, "offer-unknown", "POST", "/v1/contacts/"+nora+"/offers/0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f"+way, nil)
	}
	for _, e := range timeline(t, c, nora)[:2] {
		if e["type"] == "contact-offer-closed" && !strings.Contains(fmt.Sprint(e["changes"]), "dismissed") {
			t.Errorf("%v", e)
		}
	}
}

// TestTypesOfContacts is rows 43, 44 and 53: guest, lead and customer follow from what is known, and the timeline says why they changed.
func TestTypesOfContacts(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	chat := map[string]any{"channel": "chat"}
	id := contactOf(t, c, map[string]any{"visitor": "v1"}, chat)
	path := "/v1/contacts/" + id
	is := func(want string) {
		t.Helper()
		c.CaughtUp(t)
		row := c.Get(t, path).Object(t)
		if row["type"] != want || row["type_rule"] != "contact-type/1" {
			t.Errorf("it is a %s by %s, want a %s", row["type"], row["type_rule"], want)
		}
		for _, kind := range []string{"guest", "lead", "customer", "lead,customer"} {
			if found := len(c.All(t, "/v1/contacts?type="+kind)) == 1; found != strings.Contains(kind, want) {
				t.Errorf("a %s is listed among type=%s: %t", want, kind, found)
			}
		}
	}
	is("guest")
	contactOf(t, c, map[string]any{"visitor": "v1", "email": "nora@customers.example"}, chat)
	is("guest") // without a name
	c.Must(t, 200, "PATCH", path, map[string]any{"name": "NORA@customers.example"})
	is("guest") // which is only the address
	contactOf(t, c, map[string]any{"visitor": "v1", "name": "Nora"}, chat)
	is("lead")
	c.Must(t, 200, "PATCH", path, map[string]any{"emails": []string{}}, testdesk.Header("Daybook-Reason", "she asked for it"))
	is("guest")
	c.Must(t, 200, "POST", path+"/identify", map[string]any{"customer": "4711"})
	is("customer")
	var changes []string
	for _, e := range slices.Backward(timeline(t, c, id)) {
		for _, change := range e["changes"].([]any) {
			if change := change.(map[string]any); change["field"] == "type" {
				changes = append(changes, fmt.Sprint(e["type"], " ", e["actor"].(string)[:5], " ", change["before"], ">", change["value"], e["reason"]))
			}
		}
	}
	want := []string{"contact-registered conta <nil>>guest", "contact-edited conta guest>lead", "contact-address-removed agent lead>guestshe asked for it", "contact-address-added agent guest>customer"}
	if !slices.Equal(changes, want) {
		t.Errorf("the timeline says\n%q, want\n%q", changes, want)
	}
	for _, e := range timeline(t, c, id) {
		for _, change := range e["changes"].([]any) {
			if change := change.(map[string]any); change["field"] == "name" && change["value"] == "Nora" && change["before"] != "NORA@customers.example" {
				t.Errorf("from what to what: %v", change)
			}
		}
	}
	c.Refused(t, 422, "invalid", "GET", "/v1/contacts?type=fan", nil)
}

// TestCountriesOfContacts is row 57: a country is known from somewhere, a weaker source replaces no stronger one, and a time zone that
// nobody gave follows from it.
func TestCountriesOfContacts(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	form := func(from map[string]any) string { return contactOf(t, c, from, nil) }
	id := form(map[string]any{"email": "nora@customers.example"})
	path := "/v1/contacts/" + id
	is := func(country, source, zone string, derived bool) {
		t.Helper()
		c.CaughtUp(t)
		row := c.Get(t, path).Object(t)
		if row["country"] != country || row["country_source"] != source || row["time_zone"] != zone || row["time_zone_derived"] != derived {
			t.Errorf("%s by %s, %s, derived %t; want %s by %s, %s, derived %t", row["country"], row["country_source"], row["time_zone"], row["time_zone_derived"], country, source, zone, derived)
		}
	}
	is("", "", "", false)
	form(map[string]any{"email": "nora@customers.example", "phone": "+39 02 1234 5678"})
	is("IT", "phone", "Europe/Rome", true)
	form(map[string]any{"email": "nora@customers.example", "country": "us"})
	is("US", "form", "America/New_York", true)
	form(map[string]any{"email": "nora@customers.example", "country": "BR"})
	is("BR", "form", "America/Sao_Paulo", true)
	c.Must(t, 200, "PATCH", path, map[string]any{"country": "pt"})
	is("PT", "agent", "Europe/Lisbon", true)
	form(map[string]any{"email": "nora@customers.example", "country": "BR", "language": "pt-br"})
	is("PT", "agent", "Europe/Lisbon", true)
	c.Must(t, 200, "PATCH", path, map[string]any{"time_zone": "Europe/Madrid"})
	is("PT", "agent", "Europe/Madrid", false)
	c.Must(t, 200, "PATCH", path, map[string]any{"country": "DE"})
	is("DE", "agent", "Europe/Madrid", false)
	c.CaughtUp(t)
	registered := url.QueryEscape(c.Get(t, path).Object(t)["registered_at"].(string))
	for query, want := range map[string]int{"registered_from=" + registered: 1, "registered_to=" + registered: 0, "changed_from=" + registered + "&country=DE": 1, "changed_to=" + registered: 0, "country=DE": 1, "country=de,PT": 1, "country=PT": 0} {
		if found := len(c.All(t, "/v1/contacts?"+query)); found != want {
			t.Errorf("%s: %d", query, found)
		}
	}
	c.Must(t, 200, "PATCH", path, map[string]any{"country": ""})
	is("", "", "Europe/Madrid", false)
	if row := c.Get(t, path).Object(t); row["language"] != "pt-BR" {
		t.Errorf("the language is %v", row["language"])
	}
	c.Refused(t, 422, "country-unknown", "PATCH", path, map[string]any{"country": "Italy"})
	c.Refused(t, 422, "country-unknown", "POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{"email": "nora@customers.example", "country": "XX"}, "subject": "Help"})
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben", "phones": []string{"+55 41 98799 1234"}, "country": "FR"}).Object(t)
	if made["country"] != "FR" || made["country_source"] != "agent" || made["time_zone"] != "Europe/Paris" {
		t.Errorf("%v", made)
	}
	for _, e := range timeline(t, c, id) {
		if e["type"] == "contact-located" && strings.Contains(fmt.Sprint(e["changes"]), "value:US") && !strings.Contains(fmt.Sprint(e["changes"]), "before:IT") {
			t.Errorf("from what to what: %v", e["changes"])
		}
	}
}

// TestVisits is rows 42 and 51: a visitor without personal detail is a contact from the first visit on.
func TestVisits(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	channel := c.As(testdesk.Key(t, folder, "channel", ""))
	visit := func(status int, visitor string) map[string]any {
		t.Helper()
		return channel.Must(t, status, "POST", "/v1/visits", map[string]any{
			"visitor": visitor, "page": "https://user:secret@shop.example/lamps?utm=1#top", "referrer": "https://search.example/?q=illness", "country": "it", "language": "it",
		}).Object(t)
	}
	guest := visit(201, "v1")
	if guest["type"] != "guest" || guest["country"] != "IT" || guest["country_source"] != "visit" || guest["time_zone"] != "Europe/Rome" || guest["language"] != "it" || guest["visits"] != 1.0 {
		t.Errorf("%v", guest)
	}
	if again := visit(200, "v1"); again["id"] != guest["id"] || again["visits"] != 1.0 || again["revision"] != guest["revision"] {
		t.Errorf("again on the same day: %v", again)
	}
	path := "/v1/contacts/" + guest["id"].(string)
	var seen []string
	for _, e := range slices.Backward(timeline(t, c, guest["id"].(string))) {
		seen = append(seen, e["type"].(string))
		if text := fmt.Sprint(e["changes"]); strings.Contains(text, "secret") || strings.Contains(text, "utm") || strings.Contains(text, "illness") || strings.Contains(text, "#top") {
			t.Errorf("what is not of the page is kept: %s", text)
		}
		if e["actor"] != "contact:"+guest["id"].(string) || e["through"] != "api" {
			t.Errorf("%v", e)
		}
	}
	if want := []string{"contact-registered", "contact-visited", "contact-located"}; !slices.Equal(seen, want) {
		t.Errorf("the timeline is %q, want %q", seen, want)
	}
	if contactOf(t, c, map[string]any{"visitor": "v1"}, map[string]any{"channel": "chat"}) != guest["id"] {
		t.Error("who visited and then writes is another contact")
	}
	if last := timeline(t, c, guest["id"].(string)); !slices.ContainsFunc(last, func(e map[string]any) bool { return e["type"] == "contact-engaged" }) {
		t.Errorf("that the guest wrote is not recorded: %v", last)
	}
	other := visit(201, "v2")["id"].(string)
	c.Must(t, 201, "POST", "/v1/tickets", map[string]any{"contact_id": other, "channel": "call", "subject": "She called"})
	if last := timeline(t, c, other); !slices.ContainsFunc(last, func(e map[string]any) bool { return e["type"] == "contact-engaged" }) {
		t.Errorf("that a ticket was opened is not recorded: %v", last)
	}
	c.CaughtUp(t)
	row := c.Get(t, path).Object(t)
	if row["first_seen"] != row["registered_at"] || row["last_seen"] == nil {
		t.Errorf("%v", row)
	}
	at := url.QueryEscape(row["last_seen"].(string))
	for query, want := range map[string]int{"seen_from=" + at: 2, "seen_to=" + at: 0, "type=guest&country=IT&seen_from=" + at + "&sort=-last_seen": 2} {
		if found := len(c.All(t, "/v1/contacts?"+query)); found != want {
			t.Errorf("%s: %d contacts", query, found)
		}
	}
	c.Refused(t, 422, "url-malformed", "POST", "/v1/visits", map[string]any{"visitor": "v3", "page": "javascript:alert(1)"})
	c.Refused(t, 422, "name-required", "POST", "/v1/visits", map[string]any{"visitor": " "})
}
