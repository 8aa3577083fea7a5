package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// TestConditionalRequests has two clients change one thing, each with the ETag that they read.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	path, seen := "/v1/contacts/"+made.ID(t), made.Header.Get("ETag")
	first := c.Must(t, 200, "PATCH", path, map[string]any{"name": "One"}, testdesk.Header("If-Match", seen))
	c.Refused(t, 412, "stale", "PATCH", path, map[string]any{"name": "Two"}, testdesk.Header("If-Match", seen))
	c.Must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, testdesk.Header("If-Match", first.Header.Get("ETag")))
	same := c.Must(t, 200, "PATCH", path, map[string]any{"name": "Two"}) // changes nothing
	again := c.Must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, testdesk.Header("If-Match", "*"))
	if same.Header.Get("ETag") != again.Header.Get("ETag") || same.Position() != again.Position() {
		t.Errorf("a command that changes nothing moved the thing: %s, then %s", same, again)
	}
	// One of several tags has to match. A weak tag, and one that no answer gave, match nothing.
	c.Must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, testdesk.Header("If-Match", seen+` , W/"x", `+same.Header.Get("ETag")))
	c.Must(t, 200, "PATCH", path, map[string]any{"name": "Two"}, testdesk.Header("If-Match", seen), func(r *http.Request) {
		r.Header.Add("If-Match", same.Header.Get("ETag"))
	})
	for _, other := range []string{seen + `, "x,y"`, "W/" + same.Header.Get("ETag"), `"leaked"`} {
		c.Refused(t, 412, "stale", "PATCH", path, map[string]any{"name": "Three"}, testdesk.Header("If-Match", other))
	}
	for _, bad := range []string{"1", `"1`, `"1" "2"`, `*, "1"`} {
		c.Refused(t, 400, "etag-malformed", "PATCH", path, map[string]any{"name": "Three"}, testdesk.Header("If-Match", bad))
	}
	c.Refused(t, 404, "contact-unknown", "PATCH", "/v1/contacts/"+uuid.NewString(), map[string]any{"name": "Three"}, testdesk.Header("If-Match", "*"))
	// Of many clients with the same ETag, one succeeds.
	seen = same.Header.Get("ETag")
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 16 {
		all.Go(func() {
			a, err := c.Try(t.Context(), "PATCH", path, map[string]any{"name": fmt.Sprint("N", i)}, testdesk.Header("If-Match", seen))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.Status]++
		})
	}
	all.Wait()
	if statuses[200] != 1 || statuses[412] != 15 {
		t.Errorf("statuses: %v, want one 200", statuses)
	}
}

// TestNotModified asks for a thing that the client already has.
func TestNotModified(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help"))
	for _, path := range []string{"", "/thread", "?as_of=" + ticket.Position()} {
		path = "/v1/tickets/" + ticket.ID(t) + path
		tag := c.Get(t, path, testdesk.Header("Daybook-After", ticket.Position())).Header.Get("ETag")
		for _, seen := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			a := c.Must(t, 304, "GET", path, nil, testdesk.Header("If-None-Match", seen))
			if len(a.Body) > 0 || a.Header.Get("ETag") != tag {
				t.Errorf("%s, if none is %s: %s", path, seen, a)
			}
		}
		c.Must(t, 200, "GET", path, nil, testdesk.Header("If-None-Match", `"99"`))
		c.Refused(t, 400, "etag-malformed", "GET", path, nil, testdesk.Header("If-None-Match", "99"))
	}
}
