package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/api"
)

// TestBadInput sends what is wrong in many ways. Each comes to a problem of its own code that repeats nothing personal, and
// the desk goes on.
func TestBadInput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := mustServe(t, folder)
	contact := c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}})
	id, nobody := contact.id(t), uuid.NewString()
	ticket := c.must(t, 201, "POST", "/v1/inquiries", inquiry("nora", "Help")).id(t)
	c.caughtUp(t)
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("leaked-%d@customers.example", i)
	}
	c.must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"note": "one"}, header("Idempotency-Key", "used"))

	for _, test := range []struct {
		name         string
		status       int
		code         string
		method, path string
		body         any
		change       []with
		pointer      string // of the first wrong field; empty: not looked at
		parameter    string // the first wrong one; empty: not looked at
	}{
		{name: "not JSON", status: 400, code: "malformed", method: "POST", path: "/v1/contacts", body: `{"name": "Leaked`},
		{name: "a list", status: 422, code: "not-an-object", method: "POST", path: "/v1/contacts", body: `["leaked"]`},
		{name: "a text", status: 422, code: "not-an-object", method: "POST", path: "/v1/contacts", body: `"leaked"`},
		{name: "null", status: 422, code: "not-an-object", method: "PATCH", path: "/v1/contacts/" + id, body: `null`},
		{name: "two objects", status: 400, code: "malformed", method: "POST", path: "/v1/contacts", body: `{"name":"Leaked"}{}`},
		{name: "a null field", status: 422, code: "invalid", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":null}`, pointer: "/note"},
		{name: "a null field of a field", status: 422, code: "invalid", method: "POST", path: "/v1/inquiries", body: `{"channel":"email","from":{"email":"leaked@customers.example","phone":null}}`, pointer: "/from/phone"},
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
		{name: "unknown reference", status: 422, code: "company-unknown", method: "PUT", path: "/v1/contacts/" + id + "/company", body: map[string]any{"company": nobody}, pointer: "/company"},
		{name: "unknown agent", status: 422, code: "agent-unknown", method: "POST", path: "/v1/tickets/" + ticket + "/assign", body: map[string]any{"agent": nobody}, pointer: "/agent"},
		{name: "stale", status: 412, code: "stale", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []with{header("If-Match", `"0"`)}},
		{name: "no ETag", status: 400, code: "etag-malformed", parameter: "If-Match", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []with{header("If-Match", "leaked")}},
		{name: "key of another request", status: 422, code: "idempotency-key-reused", method: "PATCH", path: "/v1/contacts/" + id, body: `{"note":"leaked"}`, change: []with{header("Idempotency-Key", "used")}, parameter: "Idempotency-Key"},
		{name: "no API key", status: 401, code: "key-missing", method: "GET", path: "/v1/contacts", change: []with{func(r *http.Request) { r.Header.Del("Authorization") }}},
		{name: "bad API key", status: 401, code: "key-unknown", method: "GET", path: "/v1/contacts", change: []with{header("Authorization", "Bearer daybook_leaked_leaked")}},
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
		{name: "after the end", status: 422, code: "position-unknown", method: "GET", path: "/v1/contacts", change: []with{header("Daybook-After", "999999")}, parameter: "Daybook-After"},
		{name: "report of no time", status: 422, code: "period-empty", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-01-01"},
		{name: "report of a bad day", status: 422, method: "GET", path: "/v1/reports/agents?from=leaked&to=2026-01-01"},
		{name: "report in a bad zone", status: 422, code: "time-zone-unknown", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&tz=Leaked", parameter: "tz"},
		{name: "report of a bad metric", status: 422, code: "metric-unknown", method: "GET", path: "/v1/reports/agents?from=2026-01-01&to=2026-02-01&metrics=nothing", parameter: "metrics"},
		{name: "report without an end", status: 422, code: "invalid", method: "GET", path: "/v1/reports/agents?from=2026-01-01", parameter: "to"},
		{name: "a journal too large", status: 413, code: "too-large", method: "POST", path: "/v1/import", body: bytes.Repeat([]byte("leaked\n"), (17<<20)/7), change: []with{header("Content-Type", "application/x-ndjson")}},
		{name: "a journal that is no gzip", status: 422, code: "journal-damaged", method: "POST", path: "/v1/import", body: "\x1f\x8bleaked", change: []with{header("Content-Type", "application/x-ndjson")}},
		{name: "a torn gzip", status: 422, code: "journal-damaged", method: "POST", path: "/v1/import", body: tornGzip(t), change: []with{header("Content-Type", "application/x-ndjson")}},
		{name: "source too long", status: 422, code: "invalid", method: "POST", path: "/v1/import?source=" + strings.Repeat("s", 101), body: "{}", change: []with{header("Content-Type", "application/x-ndjson")}},
		{name: "stream from nowhere", status: 422, code: "position-malformed", method: "GET", path: "/v1/events/stream?after=leaked", parameter: "after"},
		{name: "no event", status: 404, code: "event-unknown", method: "GET", path: "/v1/events/contact-" + nobody + "/0"},
		{name: "no projection", status: 404, code: "projection-unknown", method: "POST", path: "/v1/projections/leaked/retry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := c.must(t, test.status, test.method, test.path, test.body, test.change...)
			var p struct {
				Type, Code string
				Errors     []struct{ Pointer, Parameter string }
			}
			a.into(t, &p)
			if test.code != "" && p.Code != test.code || p.Type != "urn:daybook:problem:"+p.Code || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, want a problem of code %s", a, test.code)
			}
			if test.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != test.pointer) {
				t.Errorf("%s does not point at %s", a, test.pointer)
			}
			if test.parameter != "" && (len(p.Errors) == 0 || p.Errors[0].Parameter != test.parameter) {
				t.Errorf("%s does not name %s", a, test.parameter)
			}
			// A parameter's or a field's own name may be repeated; a value never.
			said := strings.ToLower(string(a.body))
			if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(said, `"/leaked"`, ""), `"leaked"`, ""), "leaked") {
				t.Errorf("it repeats what was sent: %s", a.body)
			}
			if test.status == http.StatusMethodNotAllowed && a.header.Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("Allow: %s", a.header.Get("Allow"))
			}
			if test.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate: %s", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	if again := c.get(t, "/v1/contacts/"+id); again.object(t)["note"] != "one" {
		t.Errorf("something was changed: %s", again)
	}
	c.get(t, "/readyz")
	c.must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"note": "two"})
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

// TestRefusalsAreRepeated sends refused requests again with their key.
func TestRefusalsAreRepeated(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	ticket := c.must(t, 201, "POST", "/v1/inquiries", inquiry("nora", "Help")).id(t)
	c.must(t, 200, "POST", "/v1/tickets/"+ticket+"/resolve", nil)
	once, same := header("Idempotency-Key", "once"), header("Request-Id", "same")
	before := c.must(t, 409, "POST", "/v1/tickets/"+ticket+"/postpone", nil, once, same)
	if before.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the first answer says it is none: %s", before)
	}
	c.must(t, 200, "POST", "/v1/tickets/"+ticket+"/reopen", nil) // now it would be taken
	after := c.must(t, 409, "POST", "/v1/tickets/"+ticket+"/postpone", nil, once, same)
	if string(after.body) != string(before.body) || after.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the first answer was %s, the second %s", before, after)
	}
	c.must(t, 200, "POST", "/v1/tickets/"+ticket+"/postpone", nil, header("Idempotency-Key", "twice"))
}

// TestTornJournal plays a journal that ends in the middle of a line, and then the whole.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	lines := `{"id":"1","at":"2026-01-05T10:00:00Z","by":"system","do":"department.create","department":"d","name":"D"}
{"id":"2","at":"2026-01-05T10:01:00Z","by":"system","do":"ticket.open","ticket":"t","channel":"email","from":{"email":"torn@customers.example"},"subject":"S"}
`
	folder, journal := t.TempDir(), filepath.Join(t.TempDir(), "torn.ndjson")
	write := func(text string) {
		if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(lines[:len(lines)-40])
	if got, want := imports(t, inProcess, folder, journal), (counts{Lines: 2, Accepted: 1, Malformed: 1}); got != want {
		t.Errorf("torn: %+v, want %+v", got, want)
	}
	refused, err := os.ReadFile(journal + rejectedEnding)
	if err != nil || !strings.Contains(string(refused), `"line":2`) || strings.Contains(string(refused), "torn@") {
		t.Errorf("%v: %s", err, refused)
	}
	write(lines)
	if got, want := imports(t, inProcess, folder, journal), (counts{Lines: 2, Accepted: 1, Duplicate: 1}); got != want {
		t.Errorf("whole: %+v, want %+v", got, want)
	}
}

// TestFolderInUse opens a desk that another process serves.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, _ := reexec.startServer(t, folder)
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"import", "testdata/desk.journal.ndjson"}, {"rebuild"}} {
		_, talk, exit := inProcess.run(t, append(args, "--data", folder)...)
		if exit != conflict || !strings.Contains(talk, "is in use by another process") || !strings.Contains(talk, "--url") {
			t.Errorf("daybook %v: exit %d, %s", args, exit, talk)
		}
	}
	c.caughtUp(t)
	inProcess.must(t, 0, "verify", "--data", folder) // reads beside it
	inProcess.must(t, 0, "verify", "--url", c.url, "--data", folder)
	inProcess.must(t, someRejected, "import", "--url", c.url, "--data", folder, copied(t, "testdata/desk.journal.ndjson"))
	c.get(t, "/readyz")
}

// TestFullDisk serves under a limit of the size of files, as on a full disk: commands are refused, what was answered is kept,
// and questions are answered on. With room again, all goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell, to set a limit")
	}
	folder := t.TempDir()
	c, stop := reexec.serve(t, folder)
	c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Before"})
	c.caughtUp(t)
	stop()

	c, full := limited(t, folder)
	var kept []string
	body := strings.Repeat("word ", 10_000)
	var last answer
	for range 2000 {
		a, err := c.try(t.Context(), "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": "nora@customers.example"}, "subject": "S", "body": body})
		if err != nil {
			t.Fatalf("after %d: %v\n%s", len(kept), err, full.talk.String())
		}
		if a.status != http.StatusCreated {
			last = a
			break
		}
		kept = append(kept, a.id(t))
	}
	var p api.Problem
	if last.status == 0 {
		t.Fatal("the disk is never full")
	}
	last.into(t, &p)
	if last.status != http.StatusServiceUnavailable || p.Code != "unavailable" || strings.Contains(string(last.body), "SQL") {
		t.Errorf("on a full disk: %s", last)
	}
	c.get(t, "/healthz")
	c.get(t, "/v1/contacts")
	full.kill()
	if !strings.Contains(full.talk.String(), `"request_id":"`+last.header.Get("Request-Id")+`"`) {
		t.Errorf("%s is not in the log:\n%s", last, full.talk.String())
	}

	c, _ = reexec.startServer(t, folder)
	c.caughtUp(t)
	for _, id := range kept {
		c.get(t, "/v1/tickets/"+id)
	}
	c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "After"})
	if len(kept) == 0 {
		t.Error("nothing was taken before the disk was full")
	}
}

// limited serves a folder with files of at most 2 MiB, and keeps the logs of the databases out of it: what is written first
// fills up first.
func limited(t *testing.T, folder string) (client, *process) {
	t.Helper()
	path, err := exec.LookPath(string(reexec))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntrap '' XFSZ\nulimit -f 4096\nexec "+path+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return executable(script).startServer(t, folder)
}

// TestDamagedFiles starts desks whose files are not what they should be: each says which and what to do.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage func(folder string) error
		says   string
	}{
		"no master key": {func(f string) error { return os.Remove(filepath.Join(f, "vault.key")) }, "put it back from the backup"},
		"another master key": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "vault.key"), []byte(strings.Repeat("00", 32)), 0o600)
		}, "belongs to another vault"},
		"no log": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "events.db"), []byte(strings.Repeat("no database", 1000)), 0o600)
		}, "events.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			imports(t, inProcess, folder, copied(t, "testdata/desk.journal.ndjson"))
			if err := test.damage(folder); err != nil {
				t.Fatal(err)
			}
			_, talk, exit := inProcess.run(t, "serve", "--data", folder, "--listen", "127.0.0.1:0")
			if exit != failed || !strings.Contains(talk, test.says) {
				t.Errorf("exit %d: %s", exit, talk)
			}
		})
	}
}

// TestStalledImport sends half a journal and no more: the desk does not wait for ever.
func TestStalledImport(t *testing.T) {
	t.Parallel()
	if !soak() {
		t.Skip("takes 30 seconds; DAYBOOK_SOAK=1 runs it")
	}
	c := mustServe(t, t.TempDir())
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/import HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{\"id\":", c.key)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var p api.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || response.StatusCode != http.StatusRequestTimeout || p.Code != "too-slow" {
		t.Errorf("%v: %s %+v", err, response.Status, p)
	}
}

// TestSlowRequests leaves requests unfinished and goes away: the desk serves on.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/contacts HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\":", c.key)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "After"})
	c.caughtUp(t)
	if found := c.all(t, "/v1/contacts"); len(found) != 1 {
		t.Errorf("%d contacts, want 1", len(found))
	}
}
