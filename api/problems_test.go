package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestBadInput sends many kinds of invalid requests. Each is answered with a problem that has the right code and repeats
// nothing personal.
func TestBadInput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	contact := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}})
	id, nobody := contact.ID(t), uuid.NewString()
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	c.CaughtUp(t)
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("leaked-%d@customers.example", i)
	}
	c.Must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"note": "one"}, testdesk.Header("Idempotency-Key", "used"))

	for _, test := range []struct {
		name         string
		status       int
		code         string
		method, path string
		body         any
		change       []testdesk.With
		pointer      string // of the first wrong field; empty: not checked
		parameter    string // the first wrong one; empty: not checked
	}{
		{name: "not JSON", status: 400, code: "malformed", method: "POST", path: "/v1/contacts", body: `{"name": "Leaked`},
		{name: "a list", status: 422, code: "not-an-object", method: "POST", path: "/v1/contacts", body: `["leaked"]`},
		{name: "a text", status: 422, code: "not-an-object", method: "POST", path: "/v1/contacts", body: `"leaked"`},
		{name: "null", status: 422, code: "not-an-object", method: "PATCH", path: "/v1/contacts/" + id, body: `null`},
		{name: "two objects", status: 400, code: "malformed", method: "POST", path: "/v1/contacts", body: `{"name":"Leaked"}{}`},
		{name: "a null field", status: 422, code: "invalid", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":null}`, pointer: "/note"},
		{name: "a null field that must be there", status: 422, code: "invalid", method: "POST", path: "/v1/tags", body: `{"name":null,"scope":"tickets"}`, pointer: "/name"},
		{name: "a field in capitals", status: 422, code: "invalid", method: "PATCH", path: "/v1/contacts/" + id, body: `{"Note":"leaked"}`, pointer: "/Note"},
		{name: "a missing field", status: 422, code: "invalid", method: "POST", path: "/v1/tags", body: `{"name":"Leaked"}`, pointer: "/scope"},
		{name: "no body", status: 400, code: "malformed", method: "POST", path: "/v1/contacts", body: ``},
		{name: "too large", status: 413, code: "too-large", method: "POST", path: "/v1/contacts", body: `{"name":"` + strings.Repeat("leaked", 10<<20/6) + `"}`},
		{name: "unknown field", status: 422, code: "invalid", method: "POST", path: "/v1/contacts", body: `{"name":"Leaked","leaked":"leaked"}`, pointer: "/leaked"},
		{name: "empty name", status: 422, code: "name-required", method: "POST", path: "/v1/contacts", body: `{"name":"  "}`, pointer: "/name"},
		{name: "300 addresses", status: 422, code: "too-many", method: "POST", path: "/v1/contacts", body: map[string]any{"name": "Leaked", "emails": many}, pointer: "/emails"},
		{name: "bad address", status: 422, code: "email-malformed", method: "POST", path: "/v1/contacts", body: map[string]any{"name": "Leaked", "emails": []string{"leaked"}}, pointer: "/emails/0"},
		{name: "bad phone", status: 422, code: "phone-malformed", method: "POST", path: "/v1/contacts", body: map[string]any{"name": "Leaked", "phones": []string{"leaked"}}, pointer: "/phones/0"},
		{name: "wrong zone", status: 422, code: "time-zone-unknown", method: "PATCH", path: "/v1/contacts/" + id, body: `{"time_zone":"Leaked/Zone"}`, pointer: "/time_zone"},
		{name: "wrong type", status: 422, code: "invalid", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":["leaked"]}`, pointer: "/note"},
		{name: "a text too long", status: 422, method: "POST", path: "/v1/tickets/" + ticket + "/notes", body: map[string]any{"body": strings.Repeat("leaked ", 100_000)}, pointer: "/body"},
		{name: "taken address", status: 409, code: "taken", method: "POST", path: "/v1/contacts", body: `{"name":"Leaked","emails":["NORA@customers.example"]}`},
		{name: "unknown contact", status: 404, code: "contact-unknown", method: "GET", path: "/v1/contacts/" + nobody},
		{name: "unknown contact's tickets", status: 404, code: "contact-unknown", method: "GET", path: "/v1/contacts/" + nobody + "/tickets"},
		{name: "unknown ticket", status: 404, code: "ticket-unknown", method: "POST", path: "/v1/tickets/" + nobody + "/resolve"},
		{name: "no id", status: 422, code: "invalid", method: "GET", path: "/v1/contacts/leaked", parameter: "id"},
		{name: "unknown reference", status: 422, code: "company-unknown", method: "PUT", path: "/v1/contacts/" + id + "/company", body: map[string]any{"company_id": nobody}, pointer: "/company_id"},
		{name: "unknown agent", status: 422, code: "agent-unknown", method: "POST", path: "/v1/tickets/" + ticket + "/assign", body: map[string]any{"agent_id": nobody}, pointer: "/agent_id"},
		{name: "stale", status: 412, code: "stale", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []testdesk.With{testdesk.Header("If-Match", `"0"`)}},
		{name: "no ETag", status: 400, code: "etag-malformed", parameter: "If-Match", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []testdesk.With{testdesk.Header("If-Match", "leaked")}},
		{name: "key of another request", status: 422, code: "idempotency-key-reused", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []testdesk.With{testdesk.Header("Idempotency-Key", "used")}, parameter: "Idempotency-Key"},
		{name: "no API key", status: 401, code: "key-missing", method: "GET", path: "/v1/contacts", change: []testdesk.With{func(r *http.Request) { r.Header.Del("Authorization") }}},
		{name: "bad API key", status: 401, code: "key-unknown", method: "GET", path: "/v1/contacts", change: []testdesk.With{testdesk.Header("Authorization", "Bearer daybook_leaked_leaked")}},
		{name: "unknown path", status: 404, code: "no-such-path", method: "GET", path: "/v1/leaked"},
		{name: "wrong method", status: 405, code: "method-not-allowed", method: "PATCH", path: "/v1/contacts"},
		{name: "unknown parameter", status: 422, code: "invalid", method: "GET", path: "/v1/contacts?leaked=leaked", parameter: "leaked"},
		{name: "wrong parameter", status: 422, code: "invalid", method: "GET", path: "/v1/tickets?status=leaked"},
		{name: "limit", status: 422, code: "invalid", method: "GET", path: "/v1/tickets?limit=201", parameter: "limit"},
		{name: "sort", status: 422, code: "sort-unknown", method: "GET", path: "/v1/tickets?sort=leaked", parameter: "sort"},
		{name: "cursor", status: 422, code: "cursor-malformed", method: "GET", path: "/v1/tickets?cursor=leaked", parameter: "cursor"},
		{name: "as of when", status: 422, code: "instant-malformed", method: "GET", path: "/v1/contacts/" + id + "?as_of=leaked", parameter: "as_of"},
		{name: "known when", status: 422, code: "instant-malformed", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&known_at=leaked", parameter: "known_at"},
		{name: "known in the future", status: 422, code: "position-unknown", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&known_at=999999"},
		{name: "after the end", status: 422, code: "position-unknown", method: "GET", path: "/v1/contacts", change: []testdesk.With{testdesk.Header("Daybook-After", "999999")}, parameter: "Daybook-After"},
		{name: "report of no time", status: 422, code: "period-empty", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-01-01"},
		{name: "report of a bad day", status: 422, method: "GET", path: "/v1/reports/agents?from=leaked&to=2026-01-01"},
		{name: "report in a bad zone", status: 422, code: "time-zone-unknown", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&tz=Leaked", parameter: "tz"},
		{name: "report of a bad metric", status: 422, code: "metric-unknown", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&metrics=nothing", parameter: "metrics"},
		{name: "report without an end", status: 422, code: "invalid", method: "GET", path: "/v1/reports/agents?from=2026-01-01", parameter: "to"},
		{name: "a journal too large", status: 413, code: "too-large", method: "POST", path: "/v1/import", body: []byte(strings.Repeat(strings.Repeat("leaked ", 100)+"\n", (17<<20)/701)), change: []testdesk.With{testdesk.Header("Content-Type", "application/x-ndjson")}},
		{name: "a journal that is no gzip", status: 422, code: "journal-damaged", method: "POST", path: "/v1/import", body: "\x1f\x8bleaked", change: []testdesk.With{testdesk.Header("Content-Type", "application/x-ndjson")}},
		{name: "a torn gzip", status: 422, code: "journal-damaged", method: "POST", path: "/v1/import", body: tornGzip(t), change: []testdesk.With{testdesk.Header("Content-Type", "application/x-ndjson")}},
		{name: "source too long", status: 422, code: "invalid", method: "POST", path: "/v1/import?source=" + strings.Repeat("s", 101), body: "{}", change: []testdesk.With{testdesk.Header("Content-Type", "application/x-ndjson")}},
		{name: "stream from nowhere", status: 422, code: "position-malformed", method: "GET", path: "/v1/events/stream?after=leaked", parameter: "after"},
		{name: "a position with zeros before it", status: 422, code: "position-malformed", method: "GET", path: "/v1/events/stream?after=007", parameter: "after"},
		{name: "no event", status: 404, code: "event-unknown", method: "GET", path: "/v1/events/contact-" + nobody + "/0"},
		{name: "no projection", status: 404, code: "projection-unknown", method: "POST", path: "/v1/projections/leaked/retry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := c.Must(t, test.status, test.method, test.path, test.body, test.change...)
			var p struct {
				Type, Code string
				Errors     []struct{ Pointer, Parameter string }
			}
			a.Into(t, &p)
			if test.code != "" && p.Code != test.code || p.Type != "urn:daybook:problem:"+p.Code || a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, want a problem of code %s", a, test.code)
			}
			if test.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != test.pointer) {
				t.Errorf("%s does not point at %s", a, test.pointer)
			}
			if test.parameter != "" && (len(p.Errors) == 0 || p.Errors[0].Parameter != test.parameter) {
				t.Errorf("%s does not name %s", a, test.parameter)
			}
			// A parameter's or a field's own name may be repeated; a value never.
			said := strings.ToLower(string(a.Body))
			if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(said, `"/leaked"`, ""), `"leaked"`, ""), "leaked") {
				t.Errorf("it repeats what was sent: %s", a.Body)
			}
			if test.status == http.StatusMethodNotAllowed && a.Header.Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("Allow: %s", a.Header.Get("Allow"))
			}
			if test.status == http.StatusUnauthorized && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate: %s", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
	if again := c.Get(t, "/v1/contacts/"+id); again.Object(t)["note"] != "one" {
		t.Errorf("something was changed: %s", again)
	}
	c.Get(t, "/readyz")
	c.Must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"note": "two"})
}

func tornGzip(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for i := range 2000 {
		fmt.Fprintf(w, "%d leaked\n", i*7919)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[:b.Len()/2]
}

// TestSubjectsOfTickets corrects a ticket's subject to texts at the edges of what is allowed, and to the same again.
func TestSubjectsOfTickets(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := "/v1/tickets/" + c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	for _, body := range []struct{ json, code string }{
		{`{"subject":"a\u0000b"}`, "text-encoding"},
		{`{"subject":"Two\nlines"}`, "text-not-one-line"},
		{`{"subject":"` + strings.Repeat("é", 1001) + `"}`, "text-too-long"},
		{`{"subject":null}`, "invalid"},
		{`{"subject":1}`, "invalid"},
		{`{}`, "invalid"},
	} {
		c.Refused(t, 422, body.code, "POST", ticket+"/subject", body.json)
	}
	for _, subject := range []struct{ sent, shown string }{
		{strings.Repeat("é", 1000), strings.Repeat("é", 1000)}, {" \u00a0 ", ""}, {"\u200b", ""},
	} {
		first := c.Must(t, 200, "POST", ticket+"/subject", map[string]any{"subject": subject.sent})
		again := c.Must(t, 200, "POST", ticket+"/subject", map[string]any{"subject": subject.sent})
		if first.Header.Get("ETag") != again.Header.Get("ETag") {
			t.Errorf("%.20q again was stored", subject.sent)
		}
		for _, a := range []testdesk.Answer{first, c.Get(t, ticket, testdesk.Header("Daybook-After", first.Position()))} {
			if got := a.Object(t)["subject"]; got != subject.shown {
				t.Errorf("%.20q became %.20q", subject.sent, got)
			}
		}
	}
}

// TestOneLine is case 6.22: what people type as a name or a subject is one line without marks that turn or hide text. What
// comes in through a channel is made one, and so is what is imported: no message is lost for it.
func TestOneLine(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	contact := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "N"}).ID(t)
	agent := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	for _, r := range []struct {
		method, path, field string
		body                map[string]any
	}{
		{"POST", "/v1/contacts", "name", nil}, {"PATCH", "/v1/contacts/" + contact, "name", nil}, {"POST", "/v1/companies", "name", nil},
		{"POST", "/v1/departments", "name", nil},
		{"POST", "/v1/agents", "name", map[string]any{"email": "x@desk.example", "role": "agent"}},
		{"POST", "/v1/agents", "alias", map[string]any{"name": "X", "email": "x@desk.example", "role": "agent"}},
		{"PATCH", "/v1/agents/" + agent, "alias", nil}, {"POST", "/v1/agents/" + agent + "/status/sign-in", "device", nil},
		{"POST", "/v1/tickets", "subject", map[string]any{"contact_id": contact, "channel": "call"}}, {"POST", "/v1/tickets/" + ticket + "/subject", "subject", nil},
		{"POST", "/v1/contacts", "url", map[string]any{"name": "X"}}, {"PATCH", "/v1/contacts/" + contact, "avatar", nil},
	} {
		for text, code := range map[string]string{"a\r\nb": "text-not-one-line", "\u202eevil": "format-characters", "a\u200bb": "format-characters"} {
			body := map[string]any{}
			maps.Copy(body, r.body)
			body[r.field] = text
			c.Refused(t, 422, code, r.method, r.path, body)
		}
		if r.field == "name" {
			body := map[string]any{"name": "\u200b"}
			maps.Copy(body, r.body)
			c.Refused(t, 422, "name-required", r.method, r.path, body)
		}
	}
	for path, body := range map[string]map[string]any{"/v1/groups": {}, "/v1/tags": {"scope": "tickets"}} { // which compare names without marks
		body["name"] = "\u202eb\u200bug"
		if made := c.Must(t, 201, "POST", path, body).Object(t); made["name"] != "bug" {
			t.Errorf("%v", made)
		}
		body["name"] = "a\r\nb"
		c.Refused(t, 422, "text-not-one-line", "POST", path, body)
	}

	came := c.Must(t, 201, "POST", "/v1/inquiries", map[string]any{
		"channel": "email", "from": map[string]any{"email": "dan@customers.example", "name": "Dan\r\nBcc: x"}, "subject": "line1\r\nBcc: \u202ex", "body": "Two\nlines",
	}).Object(t)
	if came["subject"] != "line1 Bcc: x" {
		t.Errorf("%v", came)
	}
	c.CaughtUp(t)
	if dan := c.Get(t, "/v1/contacts/"+came["contact_id"].(string)).Object(t); dan["name"] != "Dan Bcc: x" {
		t.Errorf("%v", dan)
	}
	for i, from := range []map[string]any{{"email": "eve@customers.example", "name": "\u200b"}, {"email": "eve@customers.example", "name": "\tEve"}, {"phone": "12\n34", "name": "\u202eZoe"}} {
		c.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "form", "from": from, "subject": "\u200b", "body": fmt.Sprint(i)})
	}
	reply := map[string]any{"channel": "email", "from": map[string]any{"email": "dan@customers.example"}, "subject": "Re:\r\nHelp", "body": "And", "in_reply_to": came["id"]}
	c.Must(t, 200, "POST", "/v1/inquiries", reply)
	c.Must(t, 200, "POST", "/v1/tickets/"+came["id"].(string)+"/close", nil)
	if got := c.Must(t, 200, "POST", "/v1/inquiries", reply).Object(t); got["subject"] != "Re: Help" {
		t.Errorf("a follow-up: %v", got)
	}
	played := c.Play(t, []byte(`{"id":"1","at":"2026-01-05T10:00:00Z","by":"system","do":"ticket.open","ticket":"t","channel":"email","from":{"email":"dan@customers.example","name":"D\tD"},"subject":"Two\nlines"}`+"\n"))
	c.CaughtUp(t)
	if rows := c.All(t, "/v1/tickets?sort=-opened_at"); played.Accepted != 1 || !slices.ContainsFunc(rows, func(row map[string]any) bool { return row["subject"] == "Two lines" }) {
		t.Errorf("%+v: %v", played, rows)
	}
}
