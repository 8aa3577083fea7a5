package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// wrote sends an inquiry and returns the ticket.
func wrote(t *testing.T, c testdesk.Client, status int, from map[string]any, more map[string]any) map[string]any {
	t.Helper()
	body := map[string]any{"channel": "form", "from": from, "subject": "Help", "body": "It broke."}
	for name, value := range more {
		body[name] = value
	}
	return c.Must(t, status, "POST", "/v1/inquiries", body).Object(t)
}

// TestWhoIsWho sends each pair of addresses in two inquiries: they come from one contact, or from two. It does the same with
// the logins of agents, and with names of tags and groups.
func TestWhoIsWho(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir(), "--region", "IT")
	for i, pair := range []struct {
		kind, first, second string
		one                 bool
	}{
		{"email", "kim@example.org", "\u212aim@example.org", false},
		{"email", "kim@example.org", "k\u0130m@example.org", false},
		{"email", "kim@example.org", " KIM@Example.ORG. ", true},
		{"email", "eve@b\u00fccher.example", "eve@xn--bcher-kva.example", true},
		{"email", "eve@b\u00fccher\u3002example", "eve@bu\u0308cher.example", true},
		{"email", "jos\u00e9@example.org", "jose\u0301@example.org", true},
		{"email", "nora@example.org", "\ufeffnora@example.org\u200b", true},
		{"phone", "+55 41 98799 1234", "+55 41 8799 1234", true},
		{"phone", "+52 1 55 1234 5678", "0052 55 1234 5678", true},
		{"phone", "+54 9 11 2345 6789", "+54 11 2345 6789", true},
		{"phone", "+39 06 6982 0001", "06 6982 0001", true},
		{"phone", "0039 06 6982 0001", "+390669820001", true},
		{"phone", "+39 06 6982 0002 ext 4", "+39 06 6982 0002 ext 5", false},
		{"phone", "+39 06 6982 0002 ext 4", "+39 06 6982 0002", false},
		{"x", "@xeno", "XENO", true},
		{"x", "xeno", "@XENO", true},
		{"visitor", "v-1", "V-1", false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			first := wrote(t, c, 201, map[string]any{pair.kind: pair.first}, nil)
			second := wrote(t, c, 201, map[string]any{pair.kind: pair.second}, nil)
			if one := first["contact_id"] == second["contact_id"]; one != pair.one {
				t.Errorf("%s %q and %q: one contact: %t", pair.kind, pair.first, pair.second, one)
			}
		})
	}
	one := wrote(t, c, 201, map[string]any{"phone": "+39 347 110 0001"}, nil)
	if two := wrote(t, c, 201, map[string]any{"whatsapp": "393471100001"}, map[string]any{"channel": "whatsapp"}); one["contact_id"] != two["contact_id"] {
		t.Error("one number by WhatsApp and by phone is two contacts")
	}
	for _, wrong := range []string{"kim\u200b@example.org", "k\u00adim@example.org", "ki\u202am@example.org"} {
		c.Refused(t, 422, "format-characters", "POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{"email": wrong}})
		c.Refused(t, 422, "format-characters", "POST", "/v1/contacts", map[string]any{"name": "Kim", "emails": []string{wrong}})
	}

	c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Kim", "email": "kim@b\u00fccher.example", "role": "agent"})
	c.Refused(t, 409, "taken", "POST", "/v1/agents", map[string]any{"name": "Kim", "email": "KIM@xn--bcher-kva.example", "role": "agent"})
	c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Kim", "email": "\u212aim@b\u00fccher.example", "role": "agent"})

	for _, pair := range [][2]string{{"Caf\u00e9", "CAFE\u0301"}, {"stra\u00dfe", "STRASSE"}, {"bug", "b\u200bug"}, {"two  words", "Two words"}} {
		for path, body := range map[string]map[string]any{"/v1/tags": {"scope": "tickets"}, "/v1/groups": {}} {
			body["name"] = pair[0]
			c.Must(t, 201, "POST", path, body)
			body["name"] = pair[1]
			c.Refused(t, 409, "taken", "POST", path, body)
			body["name"] = "\u200b"
			c.Refused(t, 422, "name-required", "POST", path, body)
		}
	}
}

// TestNoInquiryIsLostForItsAddress writes from e-mail addresses with quotes, which are kept as they came and recognise nobody. What is no
// address at all is refused. Case 2.4.
func TestNoInquiryIsLostForItsAddress(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	const quoted = `"nora b"@customers.example`
	first := wrote(t, c, 201, map[string]any{"email": quoted}, nil)["contact_id"].(string)
	if got := c.Get(t, "/v1/contacts/"+first).Object(t); !same(got["emails"], quoted) {
		t.Errorf("%v", got["emails"])
	}
	if second := wrote(t, c, 201, map[string]any{"email": quoted}, nil)["contact_id"]; second == first {
		t.Error("it recognises somebody")
	}
	for _, none := range []string{`"nora"`, `"nora" <nora@customers.example>`, `"a"@customers.example, "b"@customers.example`, `"a@customers.example`} {
		c.Refused(t, 422, "email-malformed", "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": none}, "subject": "Help"})
	}
	c.Refused(t, 422, "email-malformed", "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{quoted}})
}

// TestNoInquiryIsLostForItsNumber sends numbers that are none: the message is taken, and the number is kept as it came and
// recognises nobody. Elsewhere it is refused.
func TestNoInquiryIsLostForItsNumber(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for _, number := range []string{"+39 06 6982 0004/05", "+39 06 6982 0004 or 5", "call me", "12"} {
		var contacts []string
		for range 2 {
			made := wrote(t, c, 201, map[string]any{"phone": number}, nil)
			contacts = append(contacts, made["contact_id"].(string))
			c.CaughtUp(t)
			if got := c.Get(t, "/v1/contacts/"+contacts[0]).Object(t); !same(got["phones"], number) {
				t.Errorf("%q is kept as %v", number, got["phones"])
			}
		}
		if contacts[0] == contacts[1] {
			t.Errorf("%q recognises somebody", number)
		}
		c.Refused(t, 422, "phone-malformed", "POST", "/v1/contacts", map[string]any{"name": "Eve", "phones": []string{number}})
		// It stays when another one is added, and goes when it is left out.
		path := "/v1/contacts/" + contacts[0]
		if got := c.Must(t, 200, "PATCH", path, map[string]any{"phones": []string{number, "+390669820009"}}).Object(t); !same(got["phones"], number, "+390669820009") {
			t.Errorf("%v", got["phones"])
		}
		if got := c.Must(t, 200, "PATCH", path, map[string]any{"phones": []string{}}).Object(t); !same(got["phones"]) {
			t.Errorf("%v", got["phones"])
		}
	}
	known := wrote(t, c, 201, map[string]any{"email": "nora@customers.example", "phone": "none"}, nil)
	again := wrote(t, c, 201, map[string]any{"email": "nora@customers.example", "phone": "none"}, nil)
	if known["contact_id"] != again["contact_id"] {
		t.Error("a number that is none hides who wrote")
	}
}

// TestStrangersReply has a stranger reply to a contact's ticket. The message says who wrote it and by which address, and the
// ticket is in both histories.
func TestStrangersReply(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	sales := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	first := wrote(t, c, 201, map[string]any{"email": "nora@customers.example"}, map[string]any{"channel": "email", "message_id": "<1@x>"})
	ticket, nora := first["id"].(string), first["contact_id"].(string)
	reply := map[string]any{"in_reply_to": ticket, "channel": "email", "subject": "Re: Help", "body": "Me too", "message_id": "<2@x>", "priority": "high", "department_id": sales}
	answer := wrote(t, c, 200, map[string]any{"name": "Dan", "email": "Dan@customers.example"}, reply)
	if answer["id"] != ticket || answer["contact_id"] != nora || answer["priority"] != "normal" || answer["subject"] != "Help" || answer["department_id"] != nil {
		t.Errorf("the ticket has become %v", answer)
	}
	var dan string
	c.CaughtUp(t)
	for _, e := range c.All(t, "/v1/events?stream=ticket-"+ticket) {
		data := e["data"].(map[string]any)
		switch e["type"] {
		case "ticket-message-received":
			dan = data["contact"].(string)
			identity := data["identity"].(map[string]any)
			if identity["kind"] != "email" || identity["value"] != "dan@customers.example" || data["channel"] != "email" || data["message_id"] != "<2@x>" ||
				data["subject"] != "Re: Help" || data["priority"] != "high" || data["department"] != sales {
				t.Errorf("the message says %v", data)
			}
			if e["actor"] != "contact:"+dan || e["through"] != "channel:email" || e["principal"].(string)[:4] != "key:" {
				t.Errorf("the message was done by %v through %v for %v", e["actor"], e["through"], e["principal"])
			}
		case "ticket-opened":
			if data["message_id"] != "<1@x>" || e["actor"] != "contact:"+nora {
				t.Errorf("%v", e)
			}
		}
	}
	if dan == "" || dan == nora {
		t.Fatalf("the message is of %q", dan)
	}
	if !same(answer["participant_ids"], dan) {
		t.Errorf("participants %v", answer["participant_ids"])
	}
	c.CaughtUp(t)
	own := c.Must(t, 201, "POST", "/v1/tickets", map[string]any{"contact_id": dan, "channel": "call", "subject": "Mine"}).ID(t)
	c.CaughtUp(t)
	for who, want := range map[string][]string{nora: {ticket}, dan: {own, ticket}} {
		var got []string
		for _, row := range c.All(t, "/v1/contacts/"+who+"/tickets") {
			got = append(got, row["id"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the history of %s is %v, want %v", who, got, want)
		}
		if found := slices.ContainsFunc(c.All(t, "/v1/contacts/"+who+"/timeline"), func(e map[string]any) bool { return e["ticket_id"] == ticket }); !found {
			t.Errorf("the ticket is not in the timeline of %s", who)
		}
	}

	// Once it is closed, the stranger's message opens a ticket of theirs.
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/close", nil)
	followUp := wrote(t, c, 200, map[string]any{"email": "dan@customers.example"}, map[string]any{"in_reply_to": ticket, "body": "Still", "subject": ""})
	if followUp["contact_id"] != dan || followUp["follow_up_of"] != ticket || followUp["subject"] != "" {
		t.Errorf("the follow-up is %v", followUp)
	}
}

// TestWhatAnInquiryTeaches has contacts who are known send more about themselves.
func TestWhatAnInquiryTeaches(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	guest := wrote(t, c, 201, map[string]any{"visitor": "v-1"}, map[string]any{"channel": "chat"})["contact_id"].(string)
	contact := func(id string) map[string]any {
		c.CaughtUp(t)
		return c.Get(t, "/v1/contacts/"+id).Object(t)
	}

	// A known visitor gives a name and an address.
	again := wrote(t, c, 201, map[string]any{"visitor": "v-1", "name": "Eve", "email": "eve@customers.example"}, map[string]any{"channel": "chat"})
	if got := contact(guest); again["contact_id"] != guest || got["name"] != "Eve" || !same(got["emails"], "eve@customers.example") {
		t.Errorf("the visitor is %v", got)
	}
	if by := wrote(t, c, 201, map[string]any{"email": "eve@customers.example"}, map[string]any{"channel": "email"}); by["contact_id"] != guest {
		t.Error("the address makes a second contact")
	}

	// What differs is offered, once.
	for range 2 {
		wrote(t, c, 201, map[string]any{"visitor": "v-1", "name": "Eva", "email": "eva@customers.example", "phone": "+390669820001"}, map[string]any{"channel": "chat"})
	}
	got := contact(guest)
	offers := got["offers"].([]any)
	if got["name"] != "Eve" || !same(got["emails"], "eve@customers.example") || !same(got["phones"], "+390669820001") || len(offers) != 2 {
		t.Errorf("the contact is %v", got)
	}
	for i, want := range []map[string]any{{"field": "name", "value": "Eva"}, {"field": "email", "value": "eva@customers.example"}} {
		if offer := offers[i].(map[string]any); offer["field"] != want["field"] || offer["value"] != want["value"] || offer["id"] == "" || offer["at"] == nil {
			t.Errorf("offer %d is %v", i, offer)
		}
	}

	// The channel's own address is the sender's, whatever they typed.
	wrote(t, c, 201, map[string]any{"email": "other@customers.example", "phone": "+390669820001"}, map[string]any{"channel": "email"})
	if got := contact(guest); !same(got["emails"], "eve@customers.example", "other@customers.example") {
		t.Errorf("the contact writes from %v", got["emails"])
	}

	// An address of somebody else shows on both.
	other := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben", "emails": []string{"ben@customers.example"}}).ID(t)
	for range 2 {
		wrote(t, c, 201, map[string]any{"visitor": "v-1", "email": "ben@customers.example"}, map[string]any{"channel": "chat"})
	}
	if a, b := contact(guest), contact(other); !same(a["duplicate_ids"], other) || !same(b["duplicate_ids"], guest) || !same(b["emails"], "ben@customers.example") {
		t.Errorf("the duplicates are %v and %v", a["duplicate_ids"], b["duplicate_ids"])
	}
}

// TestContactIsRestored restores contacts whose addresses were taken meanwhile.
func TestContactIsRestored(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example", "shared@customers.example"}}).ID(t)
	c.Must(t, 200, "DELETE", "/v1/contacts/"+nora, nil)
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben", "emails": []string{"shared@customers.example"}})
	got := c.Must(t, 200, "POST", "/v1/contacts/"+nora+"/restore", nil).Object(t)
	if got["deleted_at"] != nil || !same(got["emails"], "nora@customers.example") {
		t.Errorf("restored: %v", got)
	}
	if lost := got["lost"].([]any); len(lost) != 1 || lost[0].(map[string]any)["channel"] != "email" || lost[0].(map[string]any)["value"] != "shared@customers.example" {
		t.Errorf("lost: %v", got["lost"])
	}
	c.Refused(t, 409, "taken", "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}})
	c.Must(t, 200, "POST", "/v1/contacts/"+nora+"/restore", nil)
	c.Refused(t, 404, "contact-unknown", "POST", "/v1/contacts/00000000-0000-4000-8000-000000000000/restore", nil)
}

// TestDeletedContactWrites: a deleted contact writes to a closed ticket, and the message is not lost.
func TestDeletedContactWrites(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := wrote(t, c, 201, map[string]any{"email": "nora@customers.example"}, nil)
	path := "/v1/tickets/" + ticket["id"].(string)
	c.Must(t, 200, "POST", path+"/close", nil)
	c.Must(t, 200, "DELETE", "/v1/contacts/"+ticket["contact_id"].(string), nil)
	followUp := c.Must(t, 200, "POST", path+"/messages", map[string]any{"body": "Still"}).Object(t)
	if followUp["follow_up_of"] != ticket["id"] || followUp["contact_id"] != ticket["contact_id"] || followUp["subject"] != "Help" {
		t.Errorf("the follow-up is %v", followUp)
	}
	if by := wrote(t, c, 200, map[string]any{"email": "nora@customers.example"}, map[string]any{"in_reply_to": ticket["id"]}); by["id"] != followUp["id"] {
		t.Errorf("the next message went to %v", by)
	}
}

// TestTagsAndGroupsAreArchived deletes a tag and a group that are in use.
func TestTagsAndGroupsAreArchived(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	contact := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	other := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"}).ID(t)
	for _, kind := range []struct {
		list, on, field, code string
		body                  map[string]any
	}{
		{"/v1/tags", "/tags/", "tag", "tag-archived", map[string]any{"scope": "contacts", "name": "vip"}},
		{"/v1/groups", "/groups/", "group", "group-archived", map[string]any{"name": "Gold"}},
	} {
		id := c.Must(t, 201, "POST", kind.list, kind.body).ID(t)
		c.Must(t, 200, "PUT", "/v1/contacts/"+contact+kind.on+id, nil)
		if got := c.Must(t, 200, "DELETE", kind.list+"/"+id, nil).Object(t); got["archived"] != true {
			t.Errorf("deleted: %v", got)
		}
		c.Must(t, 200, "DELETE", kind.list+"/"+id, nil)
		c.Refused(t, 409, kind.code, "PUT", "/v1/contacts/"+other+kind.on+id, nil)
		c.Refused(t, 409, "taken", "POST", kind.list, kind.body)
		c.CaughtUp(t)
		for query, want := range map[string]int{kind.list: 0, kind.list + "?archived=true": 1, "/v1/contacts?" + kind.field + "=" + kind.body["name"].(string): 1} {
			if rows := c.All(t, query); len(rows) != want {
				t.Errorf("%s lists %v", query, rows)
			}
		}
		if got := c.Must(t, 200, "PATCH", kind.list+"/"+id, map[string]any{"archived": false}).Object(t); got["archived"] != false {
			t.Errorf("unarchived: %v", got)
		}
		c.Must(t, 200, "PUT", "/v1/contacts/"+other+kind.on+id, nil)
		c.Must(t, 200, "DELETE", kind.list+"/"+id, nil)
		c.Must(t, 200, "DELETE", "/v1/contacts/"+contact+kind.on+id, nil) // it can still be taken off
	}
}

// TestChannelsReadNothing uses the desk with a key of the role channel.
func TestChannelsReadNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	sales := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	channel := c.As(testdesk.Key(t, folder, "channel", ""))
	a := channel.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": "nora@customers.example"}, "subject": "Help", "department_id": sales})
	ticket := a.ID(t)
	if got := a.Object(t); len(got) != 1 {
		t.Errorf("a channel reads %v", got)
	}
	for _, body := range []map[string]any{{"body": "Hello?"}, {"body": "Hello?", "channel": "chat", "message_id": "m-1"}} {
		if got := channel.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/messages", body).Object(t); len(got) != 1 || got["id"] != ticket {
			t.Errorf("a channel reads %v", got)
		}
	}
	if got := channel.Must(t, 200, "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": "dan@customers.example"}, "body": "Me too", "in_reply_to": ticket}).Object(t); len(got) != 1 {
		t.Errorf("a channel reads %v", got)
	}
	for _, path := range []string{"/v1/tickets", "/v1/tickets/" + ticket, "/v1/contacts", "/v1/events", "/v1/agents", "/v1/departments", "/v1/operations"} {
		channel.Refused(t, 403, "permission-missing", "GET", path, nil)
	}
	c.CaughtUp(t)
	rows := c.All(t, "/v1/events?type=ticket-message-received&stream=ticket-"+ticket)
	if len(rows) != 3 || rows[1]["through"] != "channel:chat" {
		t.Errorf("%v", rows)
	}
}

// TestStrangersOfAnotherDepartment has an agent reply, for a stranger, to a ticket of a department that they do not serve. It
// is refused, and nothing is learnt of anybody. Nor does the agent see there what others write.
func TestStrangersOfAnotherDepartment(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	department := func(name string) string {
		return c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": name}).ID(t)
	}
	sales, support := department("Sales"), department("Support")
	ann := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ann", "email": "ann@desk.example", "role": "agent"}).ID(t)
	c.Must(t, 200, "PUT", "/v1/agents/"+ann+"/departments/"+support, nil)
	agent := c.As(testdesk.Key(t, folder, "agent", ann))
	ticket := wrote(t, c, 201, map[string]any{"email": "nora@customers.example"}, map[string]any{"department_id": sales})["id"].(string)
	dan := wrote(t, c, 200, map[string]any{"email": "dan@customers.example"}, map[string]any{"in_reply_to": ticket})["participant_ids"].([]any)[0].(string)
	testdesk.Eventually(t, "the agent's key is recorded", func() bool { return len(c.All(t, "/v1/events?type=key-created")) == 2 })
	c.CaughtUp(t)
	before := c.All(t, "/v1/events")
	for _, from := range []map[string]any{{"email": "eve@customers.example"}, {"email": "dan@customers.example", "name": "Daniel", "phone": "+390669820001"}} {
		for range 2 {
			agent.Refused(t, 404, "ticket-unknown", "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": from, "body": "Me too", "in_reply_to": ticket}, testdesk.Header("Idempotency-Key", from["email"].(string)))
		}
	}
	if now := c.All(t, "/v1/events"); len(now) != len(before) {
		t.Errorf("%v", now[len(before):])
	}
	for _, path := range []string{"/v1/contacts/" + dan + "/tickets", "/v1/tickets?contact=" + dan} {
		if rows := agent.All(t, path); len(rows) != 0 {
			t.Errorf("%s shows %v", path, rows)
		}
	}
	for _, e := range agent.All(t, "/v1/contacts/"+dan+"/timeline") {
		if e["ticket_id"] == ticket {
			t.Errorf("the timeline shows %v", e)
		}
	}
	agent.Refused(t, 403, "permission-missing", "DELETE", "/v1/departments/"+sales+"?to="+support, nil)
}

// TestOddValuesOfPeople sends values that are none, empty, huge or repeated where this desk takes texts about people.
func TestOddValuesOfPeople(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	made := wrote(t, c, 201, map[string]any{"email": "nora@customers.example"}, nil)
	ticket := "/v1/tickets/" + made["id"].(string)
	ann := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ann", "email": "ann@desk.example", "role": "agent"}).ID(t)
	tag := c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "bug"}).ID(t)
	huge := strings.Repeat("x", 2_000)
	c.CaughtUp(t)
	events := len(c.All(t, "/v1/events"))
	for name, value := range map[string]string{"NUL": "a\x00b", "huge": huge, "invisible": "a\u200bb"} {
		refused := func(method, path string, body any) {
			t.Helper()
			if a := c.Do(t, method, path, body); a.Status != 422 || strings.Contains(string(a.Body), huge) {
				t.Errorf("%s: %s %s: %s", name, method, path, a)
			}
		}
		for _, field := range []string{"email", "x", "forum", "facebook", "visitor"} {
			refused("POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{field: value}})
		}
		if name != "invisible" { // in other texts it may stand
			refused("POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{"email": "nora@customers.example", "name": value}})
			refused("POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{"phone": value}})
			refused("POST", "/v1/inquiries", map[string]any{"channel": "form", "from": map[string]any{"email": "eve@customers.example"}, "message_id": value})
			refused("POST", ticket+"/messages", map[string]any{"body": "Hello", "message_id": value})
			refused("POST", "/v1/agents/"+ann+"/status/sign-in", map[string]any{"device": value})
			refused("PATCH", "/v1/tags/"+tag, map[string]any{"name": value})
		}
		refused("POST", "/v1/agents", map[string]any{"name": "Ben", "email": value, "role": "agent"})
		refused("POST", ticket+"/messages", map[string]any{"body": "Hello", "channel": value})
		refused("DELETE", "/v1/departments/"+ann+"?to="+url.QueryEscape(value), nil)
	}
	for _, body := range []map[string]any{{"archived": "yes"}, {"archived": nil}, {"archived": []bool{true}}} {
		if a := c.Do(t, "PATCH", "/v1/tags/"+tag, body); a.Status != 422 {
			t.Errorf("%v: %s", body, a)
		}
	}
	if now := len(c.All(t, "/v1/events")); now != events {
		t.Errorf("%d events were written", now-events)
	}
	// Empty is left out, and the same again is unchanged.
	c.Must(t, 200, "POST", ticket+"/messages", map[string]any{"body": "Hello", "message_id": ""})
	c.Must(t, 200, "PATCH", "/v1/tags/"+tag, map[string]any{})
	for range 2 {
		c.Must(t, 200, "PATCH", "/v1/tags/"+tag, map[string]any{"archived": true})
	}
	c.CaughtUp(t)
	if rows := c.All(t, "/v1/events?stream=tag-"+tag); len(rows) != 2 {
		t.Errorf("the tag's events are %v", rows)
	}
}
