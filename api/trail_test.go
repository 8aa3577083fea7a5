package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestStreamSaysWhereItIs cuts a stream before its first event, and one whose filter matches nothing. Both know where to resume.
// Case 3.24.
func TestStreamSaysWhereItIs(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	head := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "First"}).Position()
	for query, want := range map[string]string{"": head, "?after=0": "0", "?type=ticket-noted": head} {
		body := open(t, c, "/v1/events/stream"+query)
		defer body.Body.Close()
		if line, err := bufio.NewReader(body.Body).ReadString('\n'); err != nil || line != "id: "+want+"\n" {
			t.Errorf("%s: %v: it begins with %q, want the position %s", query, err, line, want)
		}
	}
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Between"})
	if heard := c.Follow(t, "/v1/events/stream", 1, testdesk.Header("Last-Event-ID", head)); len(heard) != 1 || !strings.Contains(heard[0].Data, "Between") {
		t.Errorf("%+v", heard)
	}
}

// TestHeartbeats holds a stream whose filter matches nothing. Its heartbeats say where the log was looked at last.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	body := open(t, c, "/v1/events/stream?type=ticket-noted")
	defer body.Body.Close()
	head := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).Position()
	lines := bufio.NewScanner(body.Body)
	for lines.Scan() {
		if lines.Text() == "id: "+head {
			return
		}
		if text := lines.Text(); text != "" && !strings.HasPrefix(text, "id: ") {
			t.Fatalf("it sends %q", text)
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}

// TestStreamEndsWithItsKey takes the right to the audit trail away from keys that hold a stream: by demoting and by deleting
// their agents. Case 4.4.
func TestStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	for _, name := range []string{"demoted", "deleted"} {
		agent := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": name, "email": name + "@desk.example", "role": "admin"}).ID(t)
		held := open(t, c.As(testdesk.Key(t, folder, "admin", agent)), "/v1/events/stream")
		defer held.Body.Close()
		if name == "demoted" {
			c.Must(t, 200, "PATCH", "/v1/agents/"+agent, map[string]any{"role": "agent"})
		} else {
			c.Must(t, 200, "DELETE", "/v1/agents/"+agent, nil)
		}
		testdesk.ReadSent(held.Body, 1_000_000) // until it ends
	}
}

// begin sends a request whose answer may have no end.
func begin(t *testing.T, c testdesk.Client, method, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.Key)
	response, err := c.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// open opens a stream.
func open(t *testing.T, c testdesk.Client, path string) *http.Response {
	t.Helper()
	response := begin(t, c, http.MethodGet, path)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return response
}

// TestRequestIDFindsItsEvents looks for events by the Request-Id of the answer, whatever the request said. Case 3.17.
func TestRequestIDFindsItsEvents(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for _, change := range []testdesk.With{
		func(*http.Request) {}, testdesk.Header("X-Request-Id", "4711"), testdesk.Header("Request-Id", "by hand"), testdesk.Header("X-Request-Id", "0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f"),
		testdesk.Header("Request-Id", "own"),
	} {
		made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "N"}, change)
		found := c.Get(t, "/v1/events?correlation="+made.Header.Get("Request-Id"), testdesk.Header("Daybook-After", made.Position()), testdesk.Header("Prefer", "handling=strict, wait=60"))
		if !strings.Contains(string(found.Body), "contact-"+made.ID(t)) {
			t.Errorf("%s finds %s", made.Header.Get("Request-Id"), found.Body)
		}
	}
}

// TestPointers sends fields whose names have the characters of JSON pointers and of paths. Case 3.17.
func TestPointers(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for name, want := range map[string]string{"a/b": "/a~1b", "a~b": "/a~0b", "a.b": "/a.b", "a[0]": "/a[0]", "~1": "/~01", "name.": "/name."} {
		p := c.Refused(t, 422, "invalid", "POST", "/v1/contacts", map[string]any{"name": "N", name: 1})
		if len(p.Errors) != 1 || p.Errors[0].Pointer != want {
			t.Errorf("%s: %+v, want %s", name, p.Errors, want)
		}
	}
	p := c.Refused(t, 422, "invalid", "POST", "/v1/inquiries", `{"channel":"email","from":{"email":"a@customers.example","b/c":1}}`)
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/from/b~1c" {
		t.Errorf("%+v", p.Errors)
	}
}
