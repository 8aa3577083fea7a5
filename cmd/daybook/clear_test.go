package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	_ "github.com/lib/pq"

	"daybook/domain/desk"
	"daybook/eventstore"
	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
	"daybook/vault"
)

// TestNothingIsInClear makes a desk with a marked text in every field that a person can fill in, deletes the read models and
// destroys all keys of persons. Then no mark is in any file, table or line of the server's own log: not as text, nor hashed.
// Every figure, count and status is as before, made anew from a log of which no text can be read.
func TestNothingIsInClear(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(*testing.T) folder{
		"SQLite": func(*testing.T) folder { return folder{} },
		"PostgreSQL": func(t *testing.T) folder {
			url := testdb.URL(t)
			return folder{Events: url, ReadModels: url}
		},
		"EventStoreDB": func(t *testing.T) folder {
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			return folder{Events: server.ConnectionString(), ReadModels: testdb.URL(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := where(t)
			f.Data = t.TempDir()
			d := &cleared{folder: f}
			marked := d.fill(t, "first")
			before := d.figures(t)
			d.stop()
			log := d.log(t)
			seen := everyEventSays(t, f, log)
			for _, name := range []string{"ticket-joined", "ticket-reopened", "contact-offer-made", "contact-restored", "agent-deleted", "key-revoked", "contact-note-added", "contact-note-edited", "contact-picture-set", "contact-field-set", "company-field-set", "contact-visited", "contact-engaged"} {
				if seen[name] == 0 {
					t.Errorf("no %s happened", name)
				}
			}

			f.forgetReadModels(t)
			if kept := keptIn(t, f.Data); len(kept) != 6 {
				t.Errorf("%d pictures are kept, want three in two sizes", len(kept))
			}
			d.destroyKeys(t)
			if kept := keptIn(t, f.Data); len(kept) > 0 {
				t.Errorf("%d pictures are left", len(kept))
			}
			d.serve(t)
			if diff := cmp.Diff(before, d.figures(t)); diff != "" {
				t.Errorf("without keys (-before, +after):\n%s", diff)
			}
			d.stop()
			d.search(t, marked)

			other := &cleared{folder: where(t)}
			other.Data = t.TempDir()
			other.fill(t, "first")
			other.stop()
			d.sharesNothing(t, log, other.log(t))
		})
	}
}

// cleared is a desk whose output is kept.
type cleared struct {
	folder
	c    testdesk.Client
	stop func()

	mu   sync.Mutex
	said bytes.Buffer
}

// Write keeps what the server says.
func (d *cleared) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(p)
}

func (d *cleared) program() testdesk.Program {
	return testdesk.InProcess(func(ctx context.Context, args []string, out, talk io.Writer) int {
		err := run(ctx, args, out, io.MultiWriter(talk, d))
		if err != nil {
			fmt.Fprintln(io.MultiWriter(talk, d), err)
		}
		return exitStatus(err)
	})
}

func (d *cleared) flags() []string {
	if d.Events == "" {
		return nil
	}
	return []string{"--events", d.Events, "--read-models", d.ReadModels}
}

func (d *cleared) serve(t *testing.T) {
	t.Helper()
	d.c, d.stop = d.program().Serve(t, d.Data, append(d.flags(), "--region", "IT")...)
	d.c.CaughtUp(t)
}

// marks makes texts that occur nowhere else.
type markedTexts struct {
	run string
	all []string
}

// text returns a new mark.
func (m *markedTexts) text() string {
	mark := fmt.Sprintf("Mark%sx%03d", m.run, len(m.all))
	m.all = append(m.all, mark)
	return mark
}

func (m *markedTexts) email() string { return m.text() + "@customers.example" }
func (m *markedTexts) url() string   { return "https://customers.example/" + m.text() }

// phone returns a number whose last digits are a mark.
func (m *markedTexts) phone() string {
	m.all = append(m.all, fmt.Sprintf("%08d", 47_110_000+len(m.all)))
	return "+39 34" + m.all[len(m.all)-1]
}

func (m *markedTexts) profile() map[string]any {
	return map[string]any{
		"name": m.text(), "avatar": m.url(), "url": m.url(), "address": m.text(), "note": m.text(),
		"emails": []string{m.email(), m.email()}, "phones": []string{m.phone()},
	}
}

// fill serves the desk and fills in every field, through HTTP and by a journal.
func (d *cleared) fill(t *testing.T, run string) []string {
	t.Helper()
	d.serve(t)
	var random [4]byte
	rand.Read(random[:])
	m := &markedTexts{run: run + hex.EncodeToString(random[:])}
	c := d.c
	key := func() testdesk.With { return testdesk.Header("Idempotency-Key", m.text()) }
	reason := func() testdesk.With { return testdesk.Header("Daybook-Reason", m.text()) }
	trace := func() testdesk.With { return testdesk.Header("X-Request-Id", m.text()) }
	do := func(status int, method, path string, body any, with ...testdesk.With) testdesk.Answer {
		t.Helper()
		return c.Must(t, status, method, path, body, append(with, key(), reason(), trace(), testdesk.Header("User-Agent", m.text()))...)
	}
	support := do(201, "POST", "/v1/departments", map[string]any{"name": "Support"}).ID(t)
	sales := do(201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	do(200, "PATCH", "/v1/departments/"+sales, map[string]any{"name": "Orders"})
	vip := do(201, "POST", "/v1/tags", map[string]any{"scope": "contacts", "name": "vip"}).ID(t)
	urgent := do(201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "urgent"}).ID(t)
	gold := do(201, "POST", "/v1/groups", map[string]any{"name": "Gold"}).ID(t)

	agent := do(201, "POST", "/v1/agents", map[string]any{"name": m.text(), "alias": m.text(), "email": m.email(), "role": "agent"}).ID(t)
	do(200, "PATCH", "/v1/agents/"+agent, map[string]any{"name": m.text(), "alias": m.text(), "email": m.email()})
	do(200, "PUT", "/v1/agents/"+agent+"/departments/"+support, nil)
	for range 2 {
		do(200, "POST", "/v1/agents/"+agent+"/status/sign-in", map[string]any{"device": m.text()})
	}
	gone := m.text()
	do(200, "POST", "/v1/agents/"+agent+"/status/sign-in", map[string]any{"device": gone})
	do(200, "POST", "/v1/agents/"+agent+"/status/sign-out", map[string]any{"device": gone})

	company := do(201, "POST", "/v1/companies", m.profile()).ID(t)
	do(200, "PATCH", "/v1/companies/"+company, m.profile())
	contact := do(201, "POST", "/v1/contacts", m.profile()).ID(t)
	do(200, "PATCH", "/v1/contacts/"+contact, m.profile())
	do(200, "PUT", "/v1/contacts/"+contact+"/company", map[string]any{"company_id": company})
	do(200, "PUT", "/v1/contacts/"+contact+"/tags/"+vip, nil)
	do(200, "PUT", "/v1/contacts/"+contact+"/groups/"+gold, nil)

	size := do(201, "POST", "/v1/fields", map[string]any{"scope": "contacts", "name": "Size", "type": "text"}).ID(t)
	branch := do(201, "POST", "/v1/fields", map[string]any{"scope": "companies", "name": "Branch", "type": "text"}).ID(t)
	do(200, "PUT", "/v1/contacts/"+contact+"/fields/"+size, map[string]any{"value": m.text()})
	do(200, "PUT", "/v1/contacts/"+contact+"/fields/"+size, map[string]any{"value": m.text()})
	do(200, "PUT", "/v1/companies/"+company+"/fields/"+branch, map[string]any{"value": m.text()})
	do(200, "POST", "/v1/contacts/"+contact+"/identify", map[string]any{"customer": m.text()})
	browser := m.text()
	do(201, "POST", "/v1/visits", map[string]any{"visitor": browser, "page": m.url(), "referrer": m.url()})
	do(201, "POST", "/v1/inquiries", map[string]any{"channel": "chat", "from": map[string]any{"visitor": browser}, "subject": m.text(), "body": m.text()})

	note := do(201, "POST", "/v1/contacts/"+contact+"/notes", map[string]any{"body": m.text()}).ID(t)
	do(200, "PATCH", "/v1/contacts/"+contact+"/notes/"+note, map[string]any{"body": m.text()})

	for _, path := range []string{"/v1/contacts/" + contact, "/v1/companies/" + company, "/v1/agents/" + agent} {
		do(200, "PUT", path+"/avatar", testdesk.Image(onePixel))
	}

	visitor := m.text()
	from := map[string]any{
		"name": m.text(), "email": m.email(), "phone": m.phone(), "whatsapp": m.phone(), "visitor": visitor, "forum": m.text(), "facebook": m.text(), "x": "@" + m.text()[:15],
	}
	m.all[len(m.all)-1] = m.all[len(m.all)-1][:15]
	inquiry := func(status int, from map[string]any, more map[string]any) string {
		body := map[string]any{"channel": "chat", "from": from, "subject": m.text(), "body": m.text(), "message_id": m.text(), "department_id": support}
		for name, value := range more {
			body[name] = value
		}
		return do(status, "POST", "/v1/inquiries", body).ID(t)
	}
	ticket := inquiry(201, from, nil)
	inquiry(201, map[string]any{"visitor": visitor, "name": m.text(), "email": m.email(), "phone": m.phone()}, nil)          // offers
	inquiry(200, map[string]any{"email": m.email(), "phone": m.text()}, map[string]any{"in_reply_to": ticket})               // a stranger, and a number that is none
	inquiry(201, map[string]any{"name": m.text(), "phone": "call me at " + m.text()}, map[string]any{"channel": "whatsapp"}) // nothing else is known of them
	do(200, "POST", "/v1/tickets/"+ticket+"/messages", map[string]any{"body": m.text(), "message_id": m.text()})
	do(200, "POST", "/v1/tickets/"+ticket+"/replies", map[string]any{"body": m.text()}, testdesk.Header("traceparent", "00-"+hex.EncodeToString(uuid.New().NodeID())+m.text()+"-1-01"))
	do(200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": m.text()})
	do(200, "POST", "/v1/tickets/"+ticket+"/subject", map[string]any{"subject": m.text()})
	do(200, "PUT", "/v1/tickets/"+ticket+"/tags/"+urgent, nil)
	do(200, "POST", "/v1/tickets/"+ticket+"/assign", map[string]any{"agent_id": agent})
	opened := do(201, "POST", "/v1/tickets", map[string]any{"contact_id": contact, "channel": "call", "subject": m.text(), "body": m.text(), "message_id": m.text()}).ID(t)
	for _, state := range []string{"postpone", "resume", "resolve", "reopen", "close"} {
		do(200, "POST", "/v1/tickets/"+opened+"/"+state, nil)
	}
	do(200, "POST", "/v1/tickets/"+opened+"/messages", map[string]any{"body": m.text()}) // a follow-up

	leaves := do(201, "POST", "/v1/contacts", m.profile()).ID(t)
	do(200, "DELETE", "/v1/contacts/"+leaves, nil)
	do(200, "POST", "/v1/contacts/"+leaves+"/restore", nil)
	for _, name := range []string{"agents", "companies"} {
		body := m.profile()
		if name == "agents" {
			body = map[string]any{"name": m.text(), "email": m.email(), "role": "agent"}
		}
		made := do(201, "POST", "/v1/"+name, body).ID(t)
		if name == "agents" {
			d.program().Must(t, 0, append(append([]string{"key", "create", "--data", d.Data}, d.flags()...), "--name", m.text(), "--role", "agent", "--agent", made)...)
		}
		do(200, "DELETE", "/v1/"+name+"/"+made, nil)
	}
	d.program().Must(t, 0, append(append([]string{"key", "create", "--data", d.Data}, d.flags()...), "--name", m.text(), "--role", "channel")...)

	// Refused, unknown, and only asked.
	do(409, "POST", "/v1/contacts", map[string]any{"name": m.text(), "emails": []string{from["email"].(string)}})
	do(422, "POST", "/v1/contacts", map[string]any{"name": m.text(), "emails": []string{m.text()}, "phones": []string{m.text()}})
	do(422, "POST", "/v1/contacts", map[string]any{m.text(): m.text()})
	do(404, "PUT", "/v1/tickets/"+ticket+"/tags/"+m.text(), nil)
	do(404, "POST", "/v1/"+m.text(), nil)
	for _, path := range []string{"/v1/contacts?q=", "/v1/contacts?ref=", "/v1/tickets?ref=", "/v1/events?correlation=", "/v1/events?actor=", "/v1/contacts?cursor=", "/v1/tickets?agent="} {
		c.Do(t, http.MethodGet, path+m.text(), nil, trace())
	}
	c.As(m.text()).Do(t, http.MethodGet, "/v1/contacts", nil)

	d.imports(t, m)
	testdesk.Eventually(t, "the keys are recorded", func() bool {
		return len(c.All(t, "/v1/events?type=key-created")) == 3 && len(c.All(t, "/v1/events?type=key-revoked")) == 1
	})
	c.CaughtUp(t)
	return m.all
}

// imports imports a journal with marks.
func (d *cleared) imports(t *testing.T, m *markedTexts) {
	t.Helper()
	department, agent, company, contact, ticket := m.text(), m.text(), m.text(), m.text(), m.text()
	var journal bytes.Buffer
	line := func(by, do string, fields map[string]any) {
		fields["id"], fields["at"], fields["by"], fields["do"] = m.text(), "2026-03-02T10:00:00Z", by, do
		if err := json.NewEncoder(&journal).Encode(fields); err != nil {
			t.Fatal(err)
		}
	}
	line("system", "department.create", map[string]any{"department": department, "name": "History"})
	line("system", "agent.create", map[string]any{"agent": agent, "name": m.text(), "email": m.email(), "role": "agent", "alias": m.text()})
	line("agent:"+agent, "agent.sign_in", map[string]any{"agent": agent, "device": m.text()})
	line("system", "agent.switch", map[string]any{"agent": agent, "department": department, "service": "chats", "on": false})
	line("rule:"+m.text(), "company.register", map[string]any{"company": company, "name": m.text()})
	line("key:"+m.text(), "contact.register", map[string]any{"contact": contact, "name": m.text(), "emails": []string{m.email()}, "phones": []string{m.phone()}})
	line("system", "contact.tag", map[string]any{"contact": contact, "tag": "made by an import"})
	line("contact:"+contact, "ticket.open", map[string]any{"ticket": ticket, "channel": "email", "from": map[string]any{"name": m.text(), "email": m.email()}, "subject": m.text(), "body": m.text(), "message_id": m.text()})
	line("contact:"+contact, "ticket.receive", map[string]any{"ticket": ticket, "body": m.text(), "message_id": m.text()})
	line("agent:"+agent, "ticket.reply", map[string]any{"ticket": ticket, "body": m.text()})
	line("system", "ticket.assign", map[string]any{"ticket": ticket, "agent": agent})
	line("agent:"+agent, "ticket.resolve", map[string]any{"ticket": ticket})
	line("agent:"+m.text(), "ticket.note", map[string]any{"ticket": m.text(), "body": m.text()})
	line("system", "contact.register", map[string]any{"contact": m.text(), "name": m.text(), "emails": []string{m.text()}})
	line("system", "ticket."+m.text(), map[string]any{"ticket": ticket})
	journal.WriteString(m.text() + "\n")
	var answer struct{ desk.Counts }
	d.c.Must(t, 200, "POST", "/v1/import", journal.Bytes(), testdesk.Header("Content-Type", "application/x-ndjson")).Into(t, &answer)
	if want := (desk.Counts{Lines: 16, Accepted: 12, Rejected: 2, Malformed: 2}); answer.Counts != want {
		t.Fatalf("imported %+v, want %+v", answer.Counts, want)
	}
}

// figures returns what the desk answers, without the texts: every string that is no id, instant or value of a few.
func (d *cleared) figures(t *testing.T) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for _, path := range []string{"/v1/contacts?deleted=true", "/v1/companies?deleted=true", "/v1/agents?deleted=true", "/v1/departments", "/v1/tags", "/v1/groups", "/v1/tickets", "/v1/operations"} {
		rows := d.c.All(t, path)
		slices.SortFunc(rows, func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])) }) // names are gone
		all[path] = withoutTexts(anySlice(rows))
		if path == "/v1/contacts?deleted=true" {
			for _, row := range rows {
				at := fmt.Sprintf("/v1/contacts/%s/tickets", row["id"])
				all[at] = withoutTexts(anySlice(d.c.All(t, at)))
			}
		}
	}
	var report map[string]any
	d.c.Get(t, "/v1/reports/agents?from=2026-01-01&to=2028-01-01&by=month&known_at="+d.c.Get(t, "/v1/contacts").Position()).Into(t, &report)
	buckets := report["data"].([]any)
	if len(buckets) < 3 {
		t.Errorf("the report has only %d buckets", len(buckets))
	}
	slices.SortFunc(buckets, func(a, b any) int { // by id, as names are gone
		of := func(v any) string { b := v.(map[string]any); return fmt.Sprint(b["bucket"], b["agent_id"]) }
		return strings.Compare(of(a), of(b))
	})
	all["report"] = withoutTexts(report)
	for _, e := range d.c.All(t, "/v1/events") {
		all["event "+fmt.Sprint(e["position"])] = withoutTexts(e)
	}
	return all
}

func anySlice(rows []map[string]any) []any {
	list := make([]any, len(rows))
	for i, r := range rows {
		list[i] = r
	}
	return list
}

// personalFields are the fields whose texts go with the keys.
var personalFields = []string{
	"name", "alias", "email", "emails", "phones", "channels", "avatar", "url", "address", "note", "subject", "body", "ref", "value", "message_id", "device", "devices", "reason", "lost", "addresses", "identity", "customer", "before", "page", "referrer",
}

// withoutTexts replaces personal texts by their number.
func withoutTexts(v any) any {
	switch v := v.(type) {
	case map[string]any:
		object := make(map[string]any)
		for name, value := range v {
			object[name] = withoutTexts(value)
			text, _ := value.(string)
			if slices.Contains(personalFields, name) || name == "agent" && !ids.MatchString(text) { // in reports, it is the agent's name
				object[name] = 1
				if list, is := value.([]any); is {
					object[name] = len(list)
				}
			}
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = withoutTexts(item)
		}
		return list
	}
	return v
}

// forgetReadModels deletes the read models of a desk that is not served.
func (f folder) forgetReadModels(t *testing.T) {
	t.Helper()
	if f.ReadModels != "" {
		db := f.open(t, f.ReadModels)
		for _, schema := range f.schemas(t, db) {
			if schema != "eventlog" {
				if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
					t.Fatal(err)
				}
			}
		}
		return
	}
	files, err := filepath.Glob(f.path("readmodels*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

func (f folder) open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (f folder) schemas(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return column(t, db, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'")
}

// column returns the only column of a query.
func column(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	found, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// destroyKeys destroys the key of everybody.
func (d *cleared) destroyKeys(t *testing.T) {
	t.Helper()
	v, err := vault.Open(d.path("vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var subjects []uuid.UUID
	for _, s := range column(t, openSQL(t, d.path("vault.db")), "SELECT subject FROM persons") {
		subjects = append(subjects, uuid.MustParse(s))
	}
	if len(subjects) < 10 {
		t.Fatalf("only %d persons have keys", len(subjects))
	}
	if err := v.Destroy(t.Context(), subjects...); err != nil {
		t.Fatal(err)
	}
}

// log returns all events.
func (f folder) log(t *testing.T) []eventstore.Recorded {
	t.Helper()
	store, err := f.readStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var all []eventstore.Recorded
	for batch, err := range store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		all = append(all, batch...)
	}
	return all
}

// search looks for marks, their hashes and their other forms in all that the desk keeps and says.
func (d *cleared) search(t *testing.T, marked []string) {
	t.Helper()
	if len(marked) < 100 {
		t.Errorf("only %d marks", len(marked))
	}
	kept := map[string][]byte{"what the server said": d.said.Bytes()}
	err := filepath.WalkDir(d.Data, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			kept[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var events bytes.Buffer
	for _, e := range d.log(t) {
		fmt.Fprintln(&events, e.Stream, e.Type, e.ID, string(e.Data), string(e.Meta))
	}
	kept["the events"] = events.Bytes()
	if d.ReadModels != "" {
		db := d.open(t, d.ReadModels)
		for _, table := range column(t, db, "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables WHERE table_schema !~ '^(pg_|information_schema$)'") {
			kept[table] = []byte(strings.Join(column(t, db, "SELECT t::text FROM "+table+" t"), "\n"))
		}
	}
	for place, data := range kept {
		data = bytes.ToLower(data)
		for _, mark := range marked {
			for _, text := range []string{mark, strings.ToLower(mark)} {
				sum := sha256.Sum256([]byte(text))
				for form, needle := range map[string]string{
					"text": text, "hexadecimal": hex.EncodeToString([]byte(text)), "SHA-256": hex.EncodeToString(sum[:]), "bytes of SHA-256": string(sum[:]),
					"base64": base64.RawStdEncoding.EncodeToString([]byte(text)), "base64 of SHA-256": base64.RawStdEncoding.EncodeToString(sum[:]),
					"base64 of SHA-256 for URLs": base64.RawURLEncoding.EncodeToString(sum[:]), "beginning of SHA-256": hex.EncodeToString(sum[:8]),
				} {
					if at := bytes.Index(data, bytes.ToLower([]byte(needle))); at >= 0 {
						t.Errorf("%s of %s is in %s: …%q…", form, mark, place, data[max(0, at-60):min(len(data), at+len(needle)+20)])
					}
				}
			}
		}
	}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// sharesNothing checks that two desks have no id and no hash in common, apart from the name of the list of owners.
func (d *cleared) sharesNothing(t *testing.T, log, other []eventstore.Recorded) {
	t.Helper()
	of := func(log []eventstore.Recorded) map[string]string {
		all := make(map[string]string)
		for _, e := range log {
			for _, id := range ids.FindAllString(fmt.Sprintln(e.Stream, e.ID, string(e.Data), string(e.Meta)), -1) {
				all[id] = e.Type
			}
		}
		return all
	}
	first, second := of(log), of(other)
	if len(first) < 200 {
		t.Errorf("only %d ids", len(first))
	}
	for id, in := range first {
		if _, both := second[id]; both && id != desk.OwnersID.String() {
			t.Errorf("both desks have %s, in %s", id, in)
		}
	}
}
