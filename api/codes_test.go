package api_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/api"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdesk"
)

// elsewhere are the codes that no test of this package meets: the tests that do.
var elsewhere = map[string]string{"posted-elsewhere": "../cmd/daybook/processes_test.go", "building": "../cmd/daybook/processes_test.go", "not-ready": "../cmd/daybook/newer_test.go"}

// unread is the code of a problem that is answered to a client that is gone and does not read it.
const unread = "cancelled"

// unmet returns the kinds of problems that the list has, and that no test has met. Case 3.17.
func unmet() (missing []string) {
	for _, k := range api.ProblemKinds {
		there, _ := os.ReadFile(elsewhere[k.Code])
		if testdesk.Met.All()[k.Code] == nil && k.Code != unread && !strings.Contains(string(there), `"`+k.Code+`"`) {
			missing = append(missing, k.Code+" is in ProblemKinds in codes.go, and no test has met it")
		}
	}
	return missing
}

// unlisted returns what the tests have met, and the list of the kinds of problems does not have. Case 3.17.
func unlisted() (missing []string) {
	for code, statuses := range testdesk.Met.All() {
		i := slices.IndexFunc(api.ProblemKinds, func(k api.ProblemKind) bool { return k.Code == code })
		if i < 0 {
			missing = append(missing, code+" needs a line in ProblemKinds in codes.go")
			continue
		}
		for status, example := range statuses {
			if !slices.Contains(api.ProblemKinds[i].Statuses, status) {
				missing = append(missing, fmt.Sprintf("%s came with the status %d, which ProblemKinds in codes.go does not have: %s", code, status, example))
			}
		}
	}
	return missing
}

// TestProblemsAreListed reads the lists of problems for people and for programs, without a key. Case 3.17.
func TestProblemsAreListed(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir()).As("")
	page := string(c.Get(t, "/docs/problems").Body)
	var list struct{ Data []api.ProblemKind }
	c.Get(t, "/docs/problems.json").Into(t, &list)
	if len(list.Data) < 90 || !slices.IsSortedFunc(list.Data, func(a, b api.ProblemKind) int { return strings.Compare(a.Code, b.Code) }) {
		t.Errorf("%d problems, which should be sorted", len(list.Data))
	}
	for _, k := range list.Data {
		if !strings.Contains(page, `<tr id="`+k.Code+`"><td><code>`+k.Code+`</code>`) || k.Title == "" || k.Do == "" || len(k.Statuses) == 0 {
			t.Errorf("%+v", k)
		}
	}
	p := c.Refused(t, 401, "key-missing", "GET", "/v1/me", nil)
	if i := slices.IndexFunc(list.Data, func(k api.ProblemKind) bool { return k.Code == "key-missing" }); p.Title != list.Data[i].Title {
		t.Errorf("the title is %q, want %q", p.Title, list.Data[i].Title)
	}
}

// TestProblemsOfRequests makes mistakes that no other test makes. Case 3.17.
func TestProblemsOfRequests(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ada := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	for _, p := range []struct {
		status             int
		code, method, path string
		body               any
	}{
		{409, "agent-signed-out", "POST", "/v1/agents/" + ada + "/status/pause", nil},
		{422, "colour-malformed", "POST", "/v1/groups", map[string]any{"name": "Gold", "color": "gold"}},
		{422, "language-unknown", "POST", "/v1/contacts", map[string]any{"name": "Nora", "language": "Italian, please"}},
		{422, "url-malformed", "POST", "/v1/contacts", map[string]any{"name": "Nora", "url": "nora"}},
		{422, "address-required", "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"name": "Nora"}, "subject": "Help"}},
		{422, "body-required", "POST", "/v1/tickets/" + ticket + "/replies", map[string]any{"body": " "}},
	} {
		c.Refused(t, p.status, p.code, p.method, p.path, p.body)
	}
	for n := range 1000 {
		a := c.Do(t, "POST", "/v1/agents/"+ada+"/status/sign-in", map[string]any{"device": fmt.Sprint("device ", n)})
		if a.Status == 409 {
			c.Refused(t, 409, "too-many-devices", "POST", "/v1/agents/"+ada+"/status/sign-in", map[string]any{"device": "one more"})
			break
		}
	}
}

// TestProblemsOfLines imports lines with mistakes that the API's schemas do not let through, and lines that come twice. Case 3.17.
func TestProblemsOfLines(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for code, lines := range map[string][]string{
		"role-unknown":      {`"do":"agent.create","agent":"a","name":"A","email":"a@desk.example","role":"king"`},
		"priority-unknown":  {`"do":"ticket.open","ticket":"t1","channel":"email","from":{"email":"nora@customers.example"},"subject":"S","priority":"soon"`},
		"channel-unknown":   {`"do":"ticket.open","ticket":"t2","channel":"pigeon","from":{"email":"nora@customers.example"},"subject":"S"`},
		"service-unknown":   {`"do":"agent.create","agent":"b","name":"B","email":"b@desk.example","role":"agent"`, `"do":"department.create","department":"d","name":"D"`, `"do":"agent.switch","agent":"b","department":"d","service":"faxes","on":true`},
		"contact-exists":    {`"do":"contact.register","contact":"c","name":"C"`, `"do":"contact.register","contact":"c","name":"C"`},
		"note-exists":       {`"do":"contact.register","contact":"n","name":"N"`, `"do":"contact.note","contact":"n","note":"n","body":"B"`, `"do":"contact.note","contact":"n","note":"n","body":"B"`},
		"note-unknown":      {`"do":"contact.register","contact":"m","name":"M"`, `"do":"contact.edit_note","contact":"m","note":"m","body":"B"`},
		"company-exists":    {`"do":"company.register","company":"c","name":"C"`, `"do":"company.register","company":"c","name":"C"`},
		"department-exists": {`"do":"department.create","department":"e","name":"E"`, `"do":"department.create","department":"e","name":"E"`},
		"agent-exists":      {`"do":"agent.create","agent":"c","name":"C","email":"c@desk.example","role":"agent"`, `"do":"agent.create","agent":"c","name":"C","email":"c@desk.example","role":"agent"`},
	} {
		var journal strings.Builder
		for n, line := range lines {
			fmt.Fprintf(&journal, `{"id":"%s %d","at":"2026-03-02T08:00:00Z","by":"system",%s}`+"\n", code, n, line)
		}
		played := c.Play(t, []byte(journal.String()))
		if last := played.Outcomes[len(played.Outcomes)-1]; last.Code != code {
			t.Errorf("%s: %+v", code, last)
		}
	}
}

// A troubled store fails to read, in a way that a test chooses.
type troubled struct {
	eventstore.Store
	with *atomic.Pointer[error]
}

func (s troubled) Read(ctx context.Context, stream string, from eventstore.Revision, d eventstore.Direction, most int) iter.Seq2[eventstore.Recorded, error] {
	if err := s.with.Load(); err != nil {
		if errors.Is(*err, errBug) {
			panic(errBug)
		}
		return func(yield func(eventstore.Recorded, error) bool) { yield(eventstore.Recorded{}, *err) }
	}
	return s.Store.Read(ctx, stream, from, d, most)
}

var errBug = errors.New("a bug")

// An away operator has a log that cannot be reached.
type away struct{ api.Operator }

func (away) Ready(context.Context) ([]string, error) {
	return nil, &api.Unready{Word: api.LogAway, Err: errors.New("the log cannot be reached")}
}

func (away) Rebuild(context.Context) error {
	return domain.Conflict("not-posted", "The read models cannot be projected at the moment. Try again in a moment.")
}

// TestProblemsOfTheServer reads from a log that fails. Case 3.17.
func TestProblemsOfTheServer(t *testing.T) {
	t.Parallel()
	var with atomic.Pointer[error]
	c, _ := wired(t, func(s eventstore.Store) eventstore.Store { return troubled{s, &with} }, time.Minute)
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	for code, err := range map[string]error{
		"unavailable": errors.New("the disk is full"), "stopping": eventstore.ErrClosed, "newer-program": event.ErrUnknown,
		"log-damaged": &eventstore.DamageError{What: "its checksum is wrong"}, "keys-missing": &personal.NoKeyError{Subject: uuid.New()},
	} {
		with.Store(&err)
		c.Refused(t, 503, code, "GET", "/v1/tickets/"+ticket+"/thread", nil)
	}
	with.Store(&errBug)
	c.Refused(t, 500, "internal", "GET", "/v1/tickets/"+ticket+"/thread", nil)
	with.Store(nil)

	_, door := wired(t, nil, time.Minute)
	server := httptest.NewServer(api.New(api.Config{Door: door, Operator: away{}, OperationsOnly: true, Log: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	operator := c.Through(server.URL, server.Client())
	operator.As("").Refused(t, 503, "log-away", "GET", "/readyz", nil)
	_, key, err := door.Vault.NewAPIKey(t.Context(), "operator", role.Owner, uuid.Nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	operator.As(key).Refused(t, 409, "not-posted", "POST", "/v1/projections/rebuild", nil)

	empty, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	log, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	behind, _ := wiredTo(t, log, empty, time.Now, time.Minute)
	at := behind.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).Position()
	testdesk.Eventually(t, "there are read models, of nothing", func() bool { return behind.Do(t, "GET", "/v1/contacts", nil).Status == 200 })
	behind.Refused(t, 409, "not-yet", "GET", "/v1/contacts", nil, testdesk.Header("Daybook-After", at), testdesk.Header("Prefer", "wait=0, handling=strict"))
}
