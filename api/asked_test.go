package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestQueriesSayWhatIsMeant sends queries in which a filter would vanish, or of which only a part would count. Cases 3.2, 3.4, 3.5,
// 3.10, 3.20, 3.21 and 3.22.
func TestQueriesSayWhatIsMeant(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.CaughtUp(t)
	id := uuid.NewString()
	hex := strings.ReplaceAll(id, "-", "")
	for _, query := range []string{
		"contacts?q=100%", "tickets?contact=" + id + "%", "contacts/" + id + "?as_of=5%", "reports/agents?from=2026-01-01&to=2026-02-01&known_at=1%", "contacts?bogus=%zz",
		"contacts?q=a;ref=b", "contacts?" + strings.Repeat("q&", 10_001),
	} {
		c.Refused(t, 400, "query-malformed", "GET", "/v1/"+query, nil)
	}
	for _, of := range []struct{ code, parameter, query string }{
		{"parameter-empty", "contact", "tickets?contact="}, {"parameter-empty", "contact", "tickets?contact"}, {"parameter-empty", "from", "tickets?from="},
		{"parameter-empty", "status", "tickets?status="}, {"parameter-empty", "status", "tickets?status=new,"}, {"parameter-empty", "tag", "contacts?tag=vip&tag="}, {"parameter-empty", "tag_not", "contacts?tag_not=,x"}, {"parameter-empty", "tag", "tickets?tag=+,x"},
		{"parameter-empty", "cursor", "contacts?cursor="}, {"parameter-empty", "deleted", "contacts?deleted="}, {"parameter-empty", "after", "events/stream?after="},
		{"parameter-twice", "q", "contacts?q=a&q=b"}, {"parameter-twice", "agent", "tickets?agent=none&agent=" + id}, {"parameter-twice", "limit", "contacts?limit=1&limit=2"},
		{"parameter-twice", "q", "tickets?q=a&q=b"},
		{"too-many-values", "status", "tickets?status=" + strings.Repeat("new,", 100) + "new"}, {"too-many-values", "status", "tickets?" + strings.Repeat("status=new&", 101)},
		{"too-many-values", "tag", "contacts?" + strings.Repeat("tag="+id+"&", 101)}, {"too-many-values", "metrics", "reports/agents?from=2026-01-01&to=2026-02-01&metrics=" + strings.Repeat("reopened,", 101)},
		{"invalid", "status[1]", "tickets?status=new&status=bad"}, {"invalid", "expand[1]", "tickets?expand=agent&expand=bad"},
		{"metric-unknown", "metrics", "reports/agents?from=2026-01-01&to=2026-02-01&metrics=reopened&metrics=bad"},
		{"invalid", "contact", "contacts/" + id + "/tickets?contact=" + id}, {"invalid", "company", "contacts/" + id + "/tickets?company=" + id},
		{"invalid", "company", "companies/" + id + "/tickets?company=" + id}, {"invalid", "contact", "companies/" + id + "/tickets?contact=" + id},
		{"invalid", "contact", "tickets?contact=" + hex}, {"id-malformed", "department", "agents?department={" + id + "}"}, {"invalid", "id", "contacts/" + hex}, {"invalid", "id", "contacts/urn:uuid:" + id},
		{"id-malformed", "agent", "tickets?agent=" + hex},
		{"invalid", "deleted", "contacts?deleted=1"}, {"invalid", "deleted", "contacts?deleted=TRUE"}, {"invalid", "open", "operations?open=f"},
		{"invalid", "limit", "contacts?limit=%2B5"}, {"invalid", "limit", "contacts?limit=05"}, {"invalid", "revision", "events/ticket-" + id + "/-0"},
		{"type-unknown", "type", "events/stream?type=nope"}, {"type-unknown", "type", "events?type=nope"},
		{"stream-malformed", "stream", "events/stream?stream=nope"}, {"stream-malformed", "stream", "events?stream=nope-" + id}, {"stream-malformed", "stream", "events?stream=ticket-" + hex},
		{"position-unknown", "after", "events?after=999999"}, {"position-unknown", "after", "events?type=ticket-noted&after=999999"}, {"position-unknown", "after", "events/stream?after=999999"},
		{"actor-malformed", "actor", "events?actor=somebody"}, {"actor-malformed", "actor", "events?actor=agent:" + hex},
	} {
		p := c.Refused(t, 422, of.code, "GET", "/v1/"+of.query, nil)
		if len(p.Errors) != 1 || p.Errors[0].Parameter != of.parameter {
			t.Errorf("%.80s: %+v does not name %s", of.query, p.Errors, of.parameter)
		}
	}
	c.Refused(t, 422, "parameter-twice", "POST", "/v1/contacts", map[string]any{"name": "N"}, func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} })
	for _, name := range []string{"Authorization", "Content-Type"} {
		c.Refused(t, 422, "parameter-twice", "POST", "/v1/contacts", map[string]any{"name": "N"}, func(r *http.Request) { r.Header.Add(name, r.Header.Get(name)+"; charset=x") })
	}
	for name, value := range map[string]string{"If-Match": "", "Idempotency-Key": " ", "Daybook-Reason": ""} { // what was meant would vanish
		if p := c.Refused(t, 422, "parameter-empty", "PATCH", "/v1/contacts/"+id, map[string]any{"name": "N"}, testdesk.Header(name, value)); p.Errors[0].Parameter != name {
			t.Errorf("%+v does not name %s", p.Errors, name)
		}
	}
	if p := c.Refused(t, 422, "position-unknown", "GET", "/v1/events/stream", nil, testdesk.Header("Last-Event-ID", "999999")); p.Errors[0].Parameter != "Last-Event-ID" {
		t.Errorf("%+v does not name Last-Event-ID", p.Errors)
	}
	c.Refused(t, 422, "invalid", "PUT", "/v1/contacts/"+id+"/company", map[string]any{"company_id": hex})

	// Both forms of a list count, however the name of the parameter is encoded.
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help"))
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket.ID(t)+"/resolve", nil)
	c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("eve", "Help"))
	c.CaughtUp(t)
	for query, want := range map[string]int{
		"status=open&status=new": 1, "status=new,new&status=resolved": 2, "%73tatus=resolved": 1, "status=closed&status=spam": 0, strings.Repeat("status=new&", 100): 1, "limit=1&status=new,resolved": 2,
	} {
		if got := c.All(t, "/v1/tickets?"+strings.Replace(query, "limit=1&", "", 1)); len(got) != want {
			t.Errorf("%d tickets with %.80s, want %d", len(got), query, want)
		}
	}
	if got := c.All(t, "/v1/tickets?status=new&expand=contact&expand=tags"); got[0]["contact"] == nil {
		t.Errorf("%v", got)
	}
	if got := c.Get(t, "/v1/reports/agents?from=2020-01-01&to=2030-01-01&by=month&metrics=reopened&metrics=resolved_tickets"); !strings.Contains(string(got.Body), "resolved_tickets") {
		t.Errorf("%s", got)
	}

	// Names that look like ids or like another filter can be used.
	nora := "/v1/contacts/" + ticket.Object(t)["contact_id"].(string)
	for _, name := range []string{hex, "{" + id + "}", "!x", "a,b", "urn:uuid:" + id} {
		c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "contacts", "name": name})
		at := strings.NewReplacer("{", "%7B", "}", "%7D", "!", "%21", ",", "%2C").Replace(name)
		c.Must(t, 200, "PUT", nora+"/tags/"+at, nil)
		c.CaughtUp(t)
		if got := c.All(t, "/v1/contacts?tag="+at); len(got) != 1 {
			t.Errorf("%d contacts are tagged %s, want 1", len(got), name)
		}
		if got := c.All(t, "/v1/contacts?tag_not="+at); len(got) != 1 {
			t.Errorf("%d contacts are not tagged %s, want 1", len(got), name)
		}
	}
}

// TestWritesAreNotMoved sends commands to paths that stand for another path, and creates names that would. Case 3.1.
func TestWritesAreNotMoved(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := "/v1/tickets/" + c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	tag := "/v1/tags/" + c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "x"}).ID(t)
	group := "/v1/groups/" + c.Must(t, 201, "POST", "/v1/groups", map[string]any{"name": "x"}).ID(t)
	for _, name := range []string{".", "..", " .. ", "．．", "‥", ".\u200b"} {
		c.Refused(t, 422, "name-malformed", "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": name})
		c.Refused(t, 422, "name-malformed", "PATCH", tag, map[string]any{"name": name})
		c.Refused(t, 422, "name-malformed", "POST", "/v1/groups", map[string]any{"name": name})
		c.Refused(t, 422, "name-malformed", "PATCH", group, map[string]any{"name": name})
	}
	for _, end := range []string{"/tags/..", "/tags/.", "//tags/x", "/tags//x", "/./close", "/tags/../close", "/tags/../", "/..", "/"} {
		for _, method := range []string{"DELETE", "PUT", "POST", "PATCH"} {
			if status, p := raw(t, c, method+" "+ticket+end+" HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"); status != 404 && status != 405 {
				t.Errorf("%s %s: %d %+v", method, end, status, p)
			}
		}
	}
	c.Refused(t, 404, "tag-unknown", "DELETE", ticket+"/tags/%2e%2e", nil)
	if got := c.Get(t, ticket).Object(t); got["status"] != "new" || got["deleted_at"] != nil && got["deleted_at"] != "" {
		t.Errorf("%v", got)
	}
}

// TestBodiesThatNobodyWants sends bodies to what takes none. Case 3.12.
func TestBodiesThatNobodyWants(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := "/v1/tickets/" + c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	agent := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ann", "email": "ann@desk.example", "role": "agent"}).ID(t)
	department := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "D"}).ID(t)
	c.Must(t, 200, "PUT", "/v1/agents/"+agent+"/departments/"+department, nil)
	for _, body := range []string{`{"chats":false}`, `{}`, `x`, ` `} {
		for _, at := range []string{"POST " + ticket + "/postpone", "POST " + ticket + "/reopen", "POST " + ticket + "/resolve", "DELETE " + ticket, "GET " + ticket, "PUT /v1/agents/" + agent + "/departments/" + department, "POST /v1/projections/rebuild"} {
			method, path, _ := strings.Cut(at, " ")
			c.Refused(t, 422, "body-unwanted", method, path, body, testdesk.Header("Idempotency-Key", "same"))
			c.Refused(t, 401, "key-missing", method, path, body, func(r *http.Request) { r.Header.Del("Authorization") })
		}
		if status, p := raw(t, c, "POST "+ticket+"/resolve HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"); status != 422 || p.Code != "body-unwanted" {
			t.Errorf("%d %+v", status, p)
		}
	}
	if status, p := raw(t, c, "POST "+ticket+"/resolve HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); status != 200 {
		t.Errorf("%d %+v", status, p)
	}
}

// TestNullOfWhatIsNew sends null for fields that were not set: creating takes it as left out, editing refuses it. Case 3.19.
func TestNullOfWhatIsNew(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	nora := "/v1/contacts/" + c.Must(t, 201, "POST", "/v1/contacts", `{"name":"Nora","phones":null,"avatar":null,"emails":["nora@customers.example"],"time_zone":null}`).ID(t)
	ticket := "/v1/tickets/" + c.Must(t, 201, "POST", "/v1/inquiries", `{"channel":"email","from":{"email":"nora@customers.example","phone":null},"subject":null,"priority":null,"department_id":null}`).ID(t)
	c.Must(t, 201, "POST", "/v1/companies", `{"name":"C","note":null}`)
	c.Must(t, 201, "POST", "/v1/groups", `{"name":"G","color":null}`)
	c.Refused(t, 422, "name-required", "POST", "/v1/contacts", `{"name":null}`)
	c.Refused(t, 422, "invalid", "POST", "/v1/tags", `{"name":null,"scope":"tickets"}`)
	c.Refused(t, 422, "invalid", "POST", "/v1/contacts", `{"name":"N","emails":[null]}`)
	for _, body := range []string{`{"phones":null}`, `{"avatar":null}`, `{"note":null,"name":"N"}`} {
		c.Refused(t, 422, "invalid", "PATCH", nora, body)
	}
	c.Refused(t, 422, "invalid", "POST", ticket+"/messages", `{"body":"Hello","message_id":null}`)
}

// TestInstantsAreClear sends instants that RFC 3339 does not know, or of years that nobody means. Case 3.7.
func TestInstantsAreClear(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	c.CaughtUp(t)
	for _, at := range []string{"9999-12-31T23:59:59-01:00", "2026-01-01T10:00:00%2B24:00", "2026-01-01T10:00:00,5Z", "0001-01-01T00:00:00Z", "2026-01-01T1:00:00Z", "2200-12-31T23:30:00-01:00", "1900-01-01T00:30:00%2B01:00"} {
		c.Refused(t, 422, "instant-malformed", "GET", "/v1/contacts/"+nora+"?as_of="+at, nil)
		c.Refused(t, 422, "instant-malformed", "GET", "/v1/tickets?from="+at, nil)
		c.Refused(t, 422, "instant-malformed", "GET", "/v1/events?to="+at, nil)
		c.Refused(t, 422, "instant-malformed", "GET", "/v1/reports/agents?from=2026-01-01&to=2026-02-01&known_at="+at, nil)
		line := `{"id":"` + at + `","at":"` + strings.Replace(at, "%2B", "+", 1) + `","by":"system","do":"contact.register","contact":"c","name":"N"}`
		if answer := c.Play(t, []byte(line)); answer.Malformed != 1 {
			t.Errorf("%s: %+v", at, answer)
		}
	}
	c.Get(t, "/v1/tickets?from=1900-01-01T00:00:00Z&to=2200-12-31T23:59:59.999Z")
}

// TestWhatAReportCanBe asks for reports of too many buckets, of years that nobody means, and of zones that are not IANA's, and for
// CSV in all the ways that Accept allows. Cases 3.8, 3.9, 3.11 and 6.17.
func TestWhatAReportCanBe(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for _, name := range []string{"=1+1", "  =1", "＝1", "\u00a0＠x", "－1", "+1", "plain"} {
		id := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": name, "email": uuid.NewString() + "@desk.example", "role": "agent"}).ID(t)
		c.Must(t, 200, "POST", "/v1/agents/"+id+"/status/sign-in", map[string]any{})
		c.Must(t, 200, "POST", "/v1/agents/"+id+"/status/sign-out", map[string]any{})
	}
	c.CaughtUp(t)
	const path = "/v1/reports/agents?from=2026-01-01&to=2026-02-01"
	for _, zone := range []string{"localtime", "posixrules", "right/UTC", "posix/UTC", "Europe//Rome", "europe/rome", "Local", "../UTC", "Europe"} {
		c.Refused(t, 422, "time-zone-unknown", "GET", path+"&tz="+zone, nil)
		c.Refused(t, 422, "time-zone-unknown", "POST", "/v1/contacts", map[string]any{"name": "N", "time_zone": zone})
	}
	for query, code := range map[string]string{
		"from=0001-01-01&to=9999-01-01&by=month": "invalid", "from=1000-01-01&to=2400-01-01": "invalid", "from=1900-01-01&to=2200-01-01": "period-too-long",
		"from=2020-01-01&to=2030-01-01&by=hour": "period-too-long", "from=1899-12-31&to=1900-01-02": "date-malformed",
	} {
		c.Refused(t, 422, code, "GET", "/v1/reports/agents?"+query, nil)
	}
	c.Get(t, "/v1/reports/agents?from=1900-01-01&to=2200-12-31&by=month")
	c.Get(t, "/v1/reports/agents?from=2025-01-01&to=2026-02-01&by=hour")
	for accept, want := range map[string]string{
		"text/csv": "text/csv; charset=utf-8", "TEXT/CSV": "text/csv; charset=utf-8", "text/csv;q=0": "application/json", "text/csv;q=2": "application/json", "text/csv;q=-1": "application/json", "text/csv;q=NaN": "application/json", "text/csv;q=0.5, application/json": "application/json",
		"application/json;q=0.1, text/*": "text/csv; charset=utf-8", "*/*": "application/json", "text/html": "application/json", "application/json, text/csv;q=0, */*;q=0.1": "application/json",
		"text/csv ; q=1.0 ,application/json;q=0.9": "text/csv; charset=utf-8", "x-text/csv": "application/json",
	} {
		if a := c.Get(t, path, testdesk.Header("Accept", accept)); a.Header.Get("Content-Type") != want || a.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept: %s: %v", accept, a.Header)
		}
	}
	table := string(c.Get(t, "/v1/reports/agents.csv?from=2020-01-01&to=2040-01-01&by=month").Body)
	if strings.HasPrefix(table, "\ufeff") || !strings.HasPrefix(string(c.Get(t, "/v1/reports/agents.csv?from=2020-01-01&to=2021-01-01&bom=true").Body), "\ufeff") {
		t.Error("a byte order mark is only where it is asked for")
	}
	for _, cell := range []string{"'=1+1", "'＝1", "'＠x", "'－1", "'+1", ",plain"} {
		if !strings.Contains(table, cell) {
			t.Errorf("%q is not in %s", cell, table)
		}
	}
}
