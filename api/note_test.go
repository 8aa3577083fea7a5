package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestNotesOfContacts writes, edits and removes notes: once, in order, and during tickets that not everybody sees.
func TestNotesOfContacts(t *testing.T) {
	t.Parallel()
	d := staff(t)
	ada, ben := d.as["ada"], d.as["ben"]
	nora := d.made(t, "/v1/contacts", map[string]any{"name": "Nora"})
	notes := "/v1/contacts/" + nora + "/notes"
	ticket := d.opened(t, d.sales)

	key := testdesk.Header("Idempotency-Key", "tea")
	body := map[string]any{"body": "Likes tea.", "ticket_id": ticket}
	ada.Refused(t, 422, "ticket-unknown", "POST", notes, body) // it is in sales
	ada.Refused(t, 422, "body-required", "POST", notes, map[string]any{"body": " "})
	ada.Refused(t, 404, "contact-unknown", "POST", "/v1/contacts/"+uuid.NewString()+"/notes", map[string]any{"body": "?"})
	made := ben.Must(t, 201, "POST", notes, body, key)
	if again := ben.Must(t, 201, "POST", notes, body, key); string(again.Body) != string(made.Body) || again.Header.Get("Location") != made.Header.Get("Location") || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repeated: %s, first %s", again, made)
	}
	path := made.Header.Get("Location")
	if path != notes+"/"+made.ID(t) {
		t.Errorf("it is at %s", path)
	}
	tea := made.Object(t)
	if tea["author"] != "agent:"+d.id["ben"] || tea["ticket_id"] != ticket || tea["body"] != "Likes tea." || tea["edited_at"] != nil {
		t.Errorf("%v", tea)
	}
	after := func(a testdesk.Answer) testdesk.With { return testdesk.Header("Daybook-After", a.Position()) }
	if got := ben.Get(t, path, after(made)).Object(t); fmt.Sprint(got) != fmt.Sprint(tea) {
		t.Errorf("%v, and when it was made %v", got, tea)
	}
	edited := ada.Must(t, 200, "PATCH", path, map[string]any{"body": "Likes green tea."})
	if got := edited.Object(t); got["ticket_id"] != nil || got["author"] != tea["author"] || got["edited_by"] != "agent:"+d.id["ada"] || got["edited_at"] == nil || got["body"] != "Likes green tea." {
		t.Errorf("what Ada edited shows as %v", got)
	}
	for who, sees := range map[*testdesk.Client]any{&ada: nil, &ben: ticket} {
		if got := who.Get(t, path, after(edited)).Object(t); got["ticket_id"] != sees || got["body"] != "Likes green tea." {
			t.Errorf("%v", got)
		}
		if rows := who.All(t, notes); len(rows) != 1 || rows[0]["ticket_id"] != sees {
			t.Errorf("%v", rows)
		}
	}
	for _, entry := range ada.All(t, "/v1/contacts/"+nora+"/timeline") {
		if entry["ticket_id"] != nil {
			t.Errorf("%v", entry)
		}
	}
	ada.Refused(t, 412, "stale", "PATCH", path, map[string]any{"body": "Likes coffee."}, testdesk.Header("If-Match", made.Header.Get("ETag")))
	ada.Refused(t, 422, "invalid", "PATCH", path, map[string]any{"body": nil})

	var last testdesk.Answer
	for n := range 5 {
		last = ada.Must(t, 201, "POST", notes, map[string]any{"body": fmt.Sprint("note ", n)})
	}
	var page struct {
		Data []struct{ Body string }
		Next string
	}
	ada.Get(t, notes+"?limit=2", after(last)).Into(t, &page)
	if len(page.Data) != 2 || page.Data[0].Body != "note 4" || page.Data[1].Body != "note 3" || page.Next == "" {
		t.Errorf("%+v", page)
	}
	if rows := ada.All(t, notes); len(rows) != 6 || rows[5]["body"] != "Likes green tea." {
		t.Errorf("%v", rows)
	}

	removed := ada.Must(t, 200, "DELETE", path, nil, testdesk.Header("Idempotency-Key", "no tea"))
	ada.Must(t, 200, "DELETE", path, nil, testdesk.Header("Idempotency-Key", "no tea"))
	ada.Refused(t, 404, "note-unknown", "DELETE", path, nil)
	ada.Refused(t, 404, "note-unknown", "PATCH", path, map[string]any{"body": "Likes coffee."})
	ada.Refused(t, 404, "note-unknown", "GET", path, nil, after(removed))
	d.Play(t, []byte(`{"id":"1","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.register","contact":"a","name":"A"}
{"id":"2","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.register","contact":"b","name":"B"}
{"id":"3","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.note","contact":"a","note":"1","body":"of A"}
{"id":"4","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.note","contact":"b","note":"1","body":"of B"}
`))
	d.CaughtUp(t)
	for _, ref := range []string{"a", "b"} { // the source gives the notes of each contact names of their own
		all := "/v1/contacts/" + d.All(t, "/v1/contacts?ref="+ref)[0]["id"].(string) + "/notes"
		rows := d.All(t, all)
		if len(rows) != 1 || rows[0]["body"] != "of "+strings.ToUpper(ref) || fmt.Sprint(d.Get(t, all+"/"+rows[0]["id"].(string)).Object(t)) != fmt.Sprint(rows[0]) {
			t.Errorf("%v, and by its id %v", rows, d.Get(t, all+"/"+rows[0]["id"].(string)).Object(t))
		}
	}
	other := d.made(t, "/v1/contacts", map[string]any{"name": "Dan"})
	ada.Refused(t, 404, "note-unknown", "GET", "/v1/contacts/"+other+"/notes/"+last.ID(t), nil)
	ada.Refused(t, 404, "contact-unknown", "GET", "/v1/contacts/"+uuid.NewString()+"/notes/"+last.ID(t), nil)
	ada.Refused(t, 404, "contact-unknown", "GET", "/v1/contacts/"+uuid.NewString()+"/notes", nil)
	if rows := ada.All(t, notes); len(rows) != 5 {
		t.Errorf("%v", rows)
	}
}
