package api_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestLocations gets new things at the Location of the answer.
func TestLocations(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for _, path := range []string{"/v1/contacts", "/v1/companies", "/v1/departments", "/v1/tags", "/v1/groups", "/v1/agents", "/v1/inquiries"} {
		made := c.Must(t, 201, "POST", path, bodies["POST "+path], testdesk.Header("Idempotency-Key", path))
		at := made.Header.Get("Location")
		if got := c.Get(t, at, testdesk.Header("Daybook-After", made.Position())); string(got.Body) != string(made.Body) {
			t.Errorf("%s: at %s is %s, not %s", path, at, got, made)
		}
		if again := c.Must(t, 201, "POST", path, bodies["POST "+path], testdesk.Header("Idempotency-Key", path)); again.Header.Get("Location") != at {
			t.Errorf("%s: then at %s", path, again)
		}
	}
}

// TestAnswersOfReplies adds to a ticket, which is answered with 200 and without Location.
func TestAnswersOfReplies(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	reply := testdesk.Inquiry("nora", "Help")
	reply["in_reply_to"] = ticket
	if a := c.Must(t, 200, "POST", "/v1/inquiries", reply); a.ID(t) != ticket || a.Header.Get("Location") != "" {
		t.Errorf("%s", a)
	}
}

// TestRequestIDs sends requests with ids and without.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.CaughtUp(t)
	hashed := c.Get(t, "/healthz", testdesk.Header("Request-Id", "mine-1")).Header.Get("Request-Id")
	for _, test := range []struct {
		status int
		path   string
		change []testdesk.With
	}{
		{200, "/v1/contacts", nil}, {200, "/healthz", nil}, {422, "/v1/contacts?limit=0", nil}, {422, "/v1/contacts?sort=x", nil}, {404, "/v1/nothing", nil},
		{404, "/v1/contacts/" + uuid.NewString(), nil}, {401, "/v1/contacts", []testdesk.With{testdesk.Header("Authorization", "")}},
	} {
		trace := strings.ReplaceAll(uuid.NewString(), "-", "")
		for _, given := range []string{"", trace, uuid.NewString(), "mine-1", "not sane", strings.Repeat("x", 101)} {
			a := c.Must(t, test.status, "GET", test.path, nil, append(test.change, testdesk.Header("Request-Id", given))...)
			id := a.Header.Get("Request-Id")
			if id == "" || (id == given) != (len(given) == 32 || len(given) == 36) || given == "mine-1" && id != hashed {
				t.Errorf("%s called %q: %s", test.path, given, a)
			}
			if test.status >= 400 && a.Object(t)["request_id"] != id {
				t.Errorf("%s: the problem is of another request: %s", test.path, a)
			}
		}
	}
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}, testdesk.Header("X-Request-Id", "mine-1"))
	c.CaughtUp(t)
	if rows := c.All(t, "/v1/events?correlation=mine-1"); len(rows) != 1 || rows[0]["correlation"] != hashed || made.Header.Get("Request-Id") != hashed {
		t.Errorf("%s: %v", made, rows)
	}
}

// TestPositionsAreStrings reads one event from the audit trail and from its contact's timeline.
func TestPositionsAreStrings(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	c.CaughtUp(t)
	var seen []any
	for _, path := range []string{"/v1/events", "/v1/contacts/" + made.ID(t) + "/timeline", "/v1/events?type=contact-registered"} {
		rows := c.All(t, path)
		seen = append(seen, rows[len(rows)-1]["position"])
	}
	if seen[0] != seen[1] || seen[1] != seen[2] || seen[0] != made.Position() {
		t.Errorf("positions: %#v", seen)
	}
}
