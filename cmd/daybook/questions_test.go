package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// asked counts what reached the servers of the log and the vault: questions, and durable writes one after another.
type asked struct{ questions, appends int }

func (a asked) String() string { return fmt.Sprintf("%d + %d", a.questions, a.appends) }

// TestQuestions counts what each kind of command asks the log, and how often it writes, on a desk that has been at work for a while:
// the statements that PostgreSQL logs, and the calls that EventStoreDB serves. Who adds a command adds its line.
func TestQuestions(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := testdb.NewServer(t)
		server.LogStatements(t)
		commandsAsk(t, append(shared(server.URL(), server.URL()), "--vault", server.URL()), asksOf(server), 0)
	})
	t.Run("EventStoreDB", func(t *testing.T) {
		t.Parallel()
		server := esdbtest.NewServer(esdbtest.Options{})
		t.Cleanup(server.Close)
		var mu sync.Mutex
		var all asked
		told := map[string]int{} // questions whether the server was told to forget events of a stream, but those beside a read of it
		server.Break(esdbtest.Faults{Served: func(method, stream string) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case strings.HasPrefix(stream, "$$"):
				told[strings.TrimPrefix(stream, "$$")]++
			case method == "Append":
				all.appends++
			default:
				told[stream]--
				all.questions++
			}
		}})
		commandsAsk(t, shared(server.ConnectionString(), testdb.URL(t)), func(*testing.T) asked {
			mu.Lock()
			defer mu.Unlock()
			a := all
			for _, n := range told {
				a.questions += max(0, n)
			}
			all = asked{}
			clear(told)
			return a
		}, 1)
	})
}

// asksOf returns a count of what reaches a server whose statements are logged.
func asksOf(server *testdb.Server) func(*testing.T) asked {
	seen := 0
	return func(t *testing.T) (a asked) {
		log := server.Log(t)[seen:]
		seen += len(log)
		for _, statement := range entry.Split(log, -1) {
			switch {
			case !strings.HasPrefix(statement, "LOG:  execute "):
			case strings.Contains(statement, "SELECT k.n, e.*"), strings.Contains(statement, "WHERE stream = $1"), strings.Contains(statement, "FROM outcomes"),
				strings.Contains(statement, "FROM persons"):
				a.questions++
			case strings.Contains(statement, "FROM append("), strings.Contains(statement, "INSERT INTO persons"):
				a.appends++ // an outcome that left events is stored later, and nobody waits for it
			}
		}
		return a
	}
}

// TestQuestionsOfSeveral counts what an edit asks of what another process has just edited.
func TestQuestionsOfSeveral(t *testing.T) {
	t.Parallel()
	server := testdb.NewServer(t)
	server.LogStatements(t)
	folder, where := t.TempDir(), append(shared(server.URL(), server.URL()), "--vault", server.URL())
	one, stopOne := reexec.Serve(t, folder, where...)
	defer stopOne()
	two, stopTwo := reexec.Serve(t, folder, append(where, "--only", "api")...)
	defer stopTwo()
	count := asksOf(server)
	path := "/v1/companies/" + one.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Acme"}).ID(t)
	two.Must(t, 200, "PATCH", path, map[string]any{"name": "Acme & Co."}) // now it knows who asks
	want, looks := asked{1, 1}, 0
	for i, c := range []testdesk.Client{one, two, one, two, one, two, one, two} {
		c.CaughtUp(t)
		count(t)
		a := c.Do(t, "PATCH", path, fmt.Appendf(nil, `{"name":"Acme %d"}`, i))
		switch got := count(t); {
		case a.Status != 200 || got.appends != want.appends || got.questions < want.questions:
			t.Errorf("edit %d: %s; it asked %s", i, a, got)
		case got != want:
			looks++
		}
	}
	if looks > 4 { // a process that follows looks at the log once a second, which may fall into an edit
		t.Errorf("%d of 8 edits asked more than %s", looks, want)
	}
}

// commandsAsk executes each kind of command, with a count that returns what was asked since it was called last.
func commandsAsk(t *testing.T, where []string, count func(*testing.T) asked, column int) {
	folder := t.TempDir()
	c, stop := inProcess.Serve(t, folder, where...)
	defer stop()
	left := operations(t, c)
	ids := map[string]string{}
	var wrong []string
	for _, step := range questioned {
		fill := func(s string) string {
			return placeholder.ReplaceAllStringFunc(s, func(name string) string { return cmp.Or(ids[strings.Trim(name, "<>")], name) })
		}
		method, path, _ := strings.Cut(fill(step.request), " ")
		if to, way, is := strings.Cut(path, "<offer>"); is {
			c.CaughtUp(t)
			path = to + c.Get(t, "/v1/contacts/"+ids["nora"]).Object(t)["offers"].([]any)[0].(map[string]any)["id"].(string) + way
		}
		var body any
		if step.body != "" {
			body = []byte(fill(step.body))
		}
		if step.body == onePixel {
			body = testdesk.Image(onePixel)
		}
		c.CaughtUp(t)
		count(t)
		var with []testdesk.With
		if step.keyed {
			with = append(with, testdesk.Header("Idempotency-Key", uuid.NewString()))
		}
		a := c.Do(t, method, path, body, with...)
		if a.Status >= 300 {
			t.Fatalf("%s: %s", step.request, a)
		}
		got := count(t)
		if step.makes != "" {
			ids[step.makes] = a.ID(t)
		}
		delete(left, method+" "+step.route)
		if want := step.want[column]; step.route != "" && got != want {
			wrong = append(wrong, fmt.Sprintf("%s %s: %s, want %s", method, step.route, got, want))
		}
	}
	for _, w := range wrong {
		t.Error(w)
	}
	if len(left) > 0 {
		t.Errorf("these commands have no line: %v", slices.Sorted(maps.Keys(left)))
	}
}

// entry is the beginning of an entry in the log.
var entry = regexp.MustCompile(`(?m)^[0-9]+\|`)

var placeholder = regexp.MustCompile(`<[a-z]+>`)

// operations lists the API's commands.
func operations(t *testing.T, c testdesk.Client) map[string]bool {
	t.Helper()
	var document struct {
		Paths map[string]map[string]any
	}
	c.Get(t, "/openapi.json").Into(t, &document)
	all := map[string]bool{}
	for path, methods := range document.Paths {
		for method := range methods {
			if method != "get" && path != "/v1/import" && !strings.HasPrefix(path, "/v1/projections/") {
				all[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	return all
}

// onePixel is a GIF of one pixel.
const onePixel = "GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;"

// questioned are requests in the order in which they are sent. <name> is the id of what a step makes.
var questioned = []struct {
	route   string // empty: it only prepares
	request string
	body    string
	makes   string
	keyed   bool     // with an Idempotency-Key
	want    [2]asked // in PostgreSQL, and in EventStoreDB, where each stream is a call of its own: those for one question go out side by side
}{
	{request: "POST /v1/departments", body: `{"name":"Support"}`, makes: "support"},
	{"/v1/departments", "POST /v1/departments", `{"name":"Sales"}`, "sales", false, [2]asked{{1, 2}, {1, 1}}},
	{"/v1/departments/{id}", "PATCH /v1/departments/<sales>", `{"name":"Orders"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{request: "POST /v1/tags", body: `{"scope":"contacts","name":"old"}`, makes: "old"},
	{"/v1/tags", "POST /v1/tags", `{"scope":"contacts","name":"vip"}`, "vip", false, [2]asked{{2, 2}, {2, 2}}},
	{request: "POST /v1/tags", body: `{"scope":"tickets","name":"bug"}`, makes: "bug"},
	{request: "POST /v1/tags", body: `{"scope":"tickets","name":"late"}`, makes: "late"},
	{"/v1/tags/{id}", "PATCH /v1/tags/<vip>", `{"name":"VIP!"}`, "", false, [2]asked{{2, 1}, {3, 3}}},
	{"/v1/tags/{id}", "DELETE /v1/tags/<old>", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{request: "POST /v1/groups", body: `{"name":"Old"}`, makes: "oldgroup"},
	{"/v1/groups", "POST /v1/groups", `{"name":"Gold"}`, "gold", false, [2]asked{{2, 2}, {2, 2}}},
	{"/v1/groups/{id}", "PATCH /v1/groups/<gold>", `{"name":"Golden"}`, "", false, [2]asked{{2, 1}, {3, 3}}},
	{"/v1/groups/{id}", "DELETE /v1/groups/<oldgroup>", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents", "POST /v1/agents", `{"name":"Ada","email":"ada@desk.example","role":"agent"}`, "ada", false, [2]asked{{2, 2}, {2, 2}}},
	{request: "POST /v1/agents", body: `{"name":"Leaves","email":"leaves@desk.example","role":"agent"}`, makes: "leaves"},
	{"/v1/agents/{id}", "PATCH /v1/agents/<ada>", `{"alias":"A."}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}/departments/{department_id}", "PUT /v1/agents/<ada>/departments/<support>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/agents/{id}/departments/{department_id}", "PATCH /v1/agents/<ada>/departments/<support>", `{"chats":false}`, "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/agents/{id}/status/sign-in", "POST /v1/agents/<ada>/status/sign-in", `{"device":"desk"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}/status/pause", "POST /v1/agents/<ada>/status/pause", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}/status/unpause", "POST /v1/agents/<ada>/status/unpause", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}/status/sign-out", "POST /v1/agents/<ada>/status/sign-out", `{"device":"desk"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{request: "PUT /v1/agents/<ada>/departments/<sales>"},
	{"/v1/agents/{id}/departments/{department_id}", "DELETE /v1/agents/<ada>/departments/<sales>", "", "", false, [2]asked{{7, 2}, {9, 3}}},
	{"/v1/companies", "POST /v1/companies", `{"name":"Acme"}`, "acme", false, [2]asked{{1, 2}, {1, 1}}},
	{request: "POST /v1/companies", body: `{"name":"Gone"}`, makes: "gone"},
	{"/v1/companies/{id}", "PATCH /v1/companies/<acme>", `{"note":"Big"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/companies/{id}/groups/{group}", "PUT /v1/companies/<acme>/groups/<gold>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/companies/{id}/groups/{group}", "DELETE /v1/companies/<acme>/groups/<gold>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/companies/{id}", "DELETE /v1/companies/<gone>", "", "", false, [2]asked{{7, 2}, {7, 3}}},
	{"/v1/companies/{id}/restore", "POST /v1/companies/<gone>/restore", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts", "POST /v1/contacts", `{"name":"Nora","emails":["nora@customers.example"]}`, "nora", false, [2]asked{{2, 2}, {2, 2}}},
	{request: "POST /v1/contacts", body: `{"name":"Dan"}`, makes: "dan"},
	{"/v1/contacts/{id}", "PATCH /v1/contacts/<nora>", `{"note":"She phoned."}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts/{id}/company", "PUT /v1/contacts/<nora>/company", `{"company_id":"<acme>"}`, "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/company", "DELETE /v1/contacts/<nora>/company", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/fields", "POST /v1/fields", `{"scope":"contacts","name":"Size","type":"number"}`, "size", false, [2]asked{{2, 2}, {2, 2}}},
	{request: "POST /v1/fields", body: `{"scope":"companies","name":"Branch","type":"text"}`, makes: "branch"},
	{"/v1/fields/{id}", "PATCH /v1/fields/<size>", `{"order":1}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts/{id}/fields/{field}", "PUT /v1/contacts/<nora>/fields/<size>", `{"value":"41.5"}`, "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/fields/{field}", "DELETE /v1/contacts/<nora>/fields/<size>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/companies/{id}/fields/{field}", "PUT /v1/companies/<acme>/fields/<branch>", `{"value":"Retail"}`, "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/companies/{id}/fields/{field}", "DELETE /v1/companies/<acme>/fields/<branch>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/groups/{group}", "PUT /v1/contacts/<nora>/groups/<gold>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/groups/{group}", "DELETE /v1/contacts/<nora>/groups/<gold>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/tags/{tag}", "PUT /v1/contacts/<nora>/tags/<vip>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/tags/{tag}", "DELETE /v1/contacts/<nora>/tags/<vip>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/contacts/{id}/notes", "POST /v1/contacts/<nora>/notes", `{"body":"Likes tea."}`, "note", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts/{id}/notes/{note_id}", "PATCH /v1/contacts/<nora>/notes/<note>", `{"body":"Likes coffee."}`, "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/contacts/{id}/notes/{note_id}", "DELETE /v1/contacts/<nora>/notes/<note>", "", "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/contacts/{id}/avatar", "PUT /v1/contacts/<nora>/avatar", onePixel, "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/contacts/{id}/avatar", "DELETE /v1/contacts/<nora>/avatar", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/companies/{id}/avatar", "PUT /v1/companies/<acme>/avatar", onePixel, "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/companies/{id}/avatar", "DELETE /v1/companies/<acme>/avatar", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}/avatar", "PUT /v1/agents/<ada>/avatar", onePixel, "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/agents/{id}/avatar", "DELETE /v1/agents/<ada>/avatar", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts/{id}", "DELETE /v1/contacts/<dan>", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/contacts/{id}/restore", "POST /v1/contacts/<dan>/restore", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/visits", "POST /v1/visits", `{"visitor":"v1","page":"https://shop.example/"}`, "", false, [2]asked{{1, 2}, {3, 2}}},
	{"/v1/visits", "POST /v1/visits", `{"visitor":"v1","page":"https://shop.example/lamps"}`, "", false, [2]asked{{2, 0}, {3, 0}}},
	{"/v1/contacts/lookup", "POST /v1/contacts/lookup", `{"identity":{"kind":"email","value":"nora@customers.example"}}`, "", false, [2]asked{{2, 0}, {2, 0}}},
	{"/v1/contacts/{id}/identify", "POST /v1/contacts/<nora>/identify", `{"customer":"4711"}`, "", false, [2]asked{{2, 1}, {2, 2}}},
	{request: "POST /v1/inquiries", body: `{"channel":"email","from":{"name":"Nina","email":"nora@customers.example","phone":"+390669820001"},"subject":"Help"}`, makes: "taught"},
	{request: "POST /v1/inquiries", body: `{"channel":"email","from":{"name":"Nadia","email":"nora@customers.example","phone":"+390669820001"},"subject":"Help"}`, makes: "taughttwice"},
	{"/v1/contacts/{id}/offers/{offer_id}/accept", "POST /v1/contacts/<nora>/offers/<offer>/accept", "", "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/contacts/{id}/offers/{offer_id}/dismiss", "POST /v1/contacts/<nora>/offers/<offer>/dismiss", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/inquiries", "POST /v1/inquiries", `{"channel":"email","from":{"email":"eve@customers.example"},"subject":"Help"}`, "", false, [2]asked{{1, 2}, {3, 3}}},
	{"/v1/inquiries", "POST /v1/inquiries", `{"channel":"email","from":{"email":"nora@customers.example"},"subject":"Help"}`, "ticket", false, [2]asked{{2, 1}, {4, 1}}},
	{"/v1/inquiries", "POST /v1/inquiries", `{"channel":"email","from":{"email":"ben@customers.example"},"subject":"Help"}`, "", true, [2]asked{{2, 2}, {4, 3}}},
	{"/v1/contacts/{id}", "PATCH /v1/contacts/<nora>", `{"note":"She phoned again."}`, "", true, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/tickets", "POST /v1/tickets", `{"contact_id":"<nora>","channel":"call","subject":"Help","body":"She called."}`, "other", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/tickets/{id}/assign", "POST /v1/tickets/<ticket>/assign", `{"agent_id":"<ada>"}`, "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/tickets/{id}/unassign", "POST /v1/tickets/<ticket>/unassign", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/transfer", "POST /v1/tickets/<ticket>/transfer", `{"department_id":"<support>"}`, "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/tickets/{id}/messages", "POST /v1/tickets/<ticket>/messages", `{"body":"Hello?"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/notes", "POST /v1/tickets/<ticket>/notes", `{"body":"Hm."}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/replies", "POST /v1/tickets/<ticket>/replies", `{"body":"Soon."}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/priority", "POST /v1/tickets/<ticket>/priority", `{"priority":"high"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/subject", "POST /v1/tickets/<ticket>/subject", `{"subject":"The parcel"}`, "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/tags/{tag}", "PUT /v1/tickets/<ticket>/tags/<bug>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/tickets/{id}/tags/{tag}", "POST /v1/tickets/<ticket>/tags/<late>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/tickets/{id}/tags/{tag}", "DELETE /v1/tickets/<ticket>/tags/<bug>", "", "", false, [2]asked{{1, 1}, {2, 1}}},
	{"/v1/tickets/{id}/postpone", "POST /v1/tickets/<ticket>/postpone", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/resume", "POST /v1/tickets/<ticket>/resume", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/resolve", "POST /v1/tickets/<ticket>/resolve", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/reopen", "POST /v1/tickets/<ticket>/reopen", "", "", false, [2]asked{{2, 1}, {2, 1}}},
	{"/v1/tickets/{id}/spam", "POST /v1/tickets/<other>/spam", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/unspam", "POST /v1/tickets/<other>/unspam", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}", "DELETE /v1/tickets/<other>", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/restore", "POST /v1/tickets/<other>/restore", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/tickets/{id}/close", "POST /v1/tickets/<ticket>/close", "", "", false, [2]asked{{1, 1}, {1, 1}}},
	{"/v1/agents/{id}", "DELETE /v1/agents/<leaves>", "", "", false, [2]asked{{8, 2}, {8, 4}}},
	{"/v1/departments/{id}", "DELETE /v1/departments/<sales>", "", "", false, [2]asked{{7, 2}, {7, 3}}},
}
