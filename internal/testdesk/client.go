package testdesk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"daybook/api"
	"daybook/domain/desk"
)

// A Client sends requests to a desk with one API key. It checks every answer against the OpenAPI document.
type Client struct {
	URL, Key string
	HTTP     *http.Client

	contract *contract
}

// As returns a client of the same desk with another key.
func (c Client) As(key string) Client {
	c.Key = key
	return c
}

// Through returns a client of the same desk at another address.
func (c Client) Through(url string, client *http.Client) Client {
	c.URL, c.HTTP = url, client
	return c
}

// An Answer is the desk's answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a Answer) String() string { return fmt.Sprintf("%d %v %s", a.Status, a.Header, a.Body) }

// Into decodes the JSON body into a value.
func (a Answer) Into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
}

// Object returns the body as a JSON object.
func (a Answer) Object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	a.Into(t, &o)
	return o
}

// ID returns the id of the thing in the body.
func (a Answer) ID(t *testing.T) string {
	t.Helper()
	id, _ := a.Object(t)["id"].(string)
	if id == "" {
		t.Fatalf("no id: %s", a)
	}
	return id
}

// Position returns the Daybook-Position of the answer.
func (a Answer) Position() string { return a.Header.Get("Daybook-Position") }

// A With changes a request before it is sent.
type With func(*http.Request)

// Header sets a header.
func Header(name, value string) With { return func(r *http.Request) { r.Header.Set(name, value) } }

// An Image is a body that is an image.
type Image []byte

// Try sends a request. The body is a string or bytes, sent as they are, or any value to encode as JSON. It returns an error
// if there was no complete answer.
func (c Client) Try(ctx context.Context, method, path string, body any, change ...With) (Answer, error) {
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	case []byte:
		data = b
	case Image:
		data = b
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			return Answer{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(data))
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if _, is := body.(Image); is {
		request.Header.Set("Content-Type", http.DetectContentType(data))
	}
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	for _, f := range change {
		f(request)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	a := Answer{response.StatusCode, response.Header, got}
	Met.noteAll(request.URL.Path, a)
	if err != nil {
		return a, err
	}
	return a, c.contract.keeps(request, data, a)
}

// Do sends a request, whose answer must match the OpenAPI document.
func (c Client) Do(t *testing.T, method, path string, body any, change ...With) Answer {
	t.Helper()
	a, err := c.Try(t.Context(), method, path, body, change...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Must sends a request that must be answered with this status.
func (c Client) Must(t *testing.T, status int, method, path string, body any, change ...With) Answer {
	t.Helper()
	a := c.Do(t, method, path, body, change...)
	if a.Status != status {
		t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	return a
}

// Get gets something that must exist. While a server that has just begun says that its read models are being built, it asks again.
func (c Client) Get(t *testing.T, path string, change ...With) (a Answer) {
	t.Helper()
	Eventually(t, "the read models are built", func() bool {
		a = c.Do(t, http.MethodGet, path, nil, change...)
		return a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), `"code":"building"`)
	})
	if a.Status != http.StatusOK {
		t.Fatalf("GET %s: %s, want 200", path, a)
	}
	return a
}

// Refused sends a request that must be refused with this status and code, and checks the form of the problem.
func (c Client) Refused(t *testing.T, status int, code, method, path string, body any, change ...With) api.Problem {
	t.Helper()
	a := c.Must(t, status, method, path, body, change...)
	var p api.Problem
	a.Into(t, &p)
	if p.Code != code || p.Type != "urn:daybook:problem:"+code || p.Status != status || p.Title == "" || p.Detail == "" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%s %s: %s, want a problem of code %s", method, path, a, code)
	}
	return p
}

// All returns a whole list, read page by page.
func (c Client) All(t *testing.T, path string) []map[string]any {
	t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	rows := []map[string]any{}
	for cursor := ""; ; {
		var page struct {
			Data []map[string]any
			Next *string
		}
		c.Get(t, path+separator+"limit=200"+cursor).Into(t, &page)
		rows = append(rows, page.Data...)
		if page.Next == nil {
			return rows
		}
		cursor = "&cursor=" + *page.Next
	}
}

// CaughtUp waits until the read models have caught up with the log.
func (c Client) CaughtUp(t *testing.T) {
	t.Helper()
	Eventually(t, "the read models are at the end of the log", func() bool {
		var list struct{ Data []api.ProjectionStatus }
		a := c.Do(t, http.MethodGet, "/v1/projections", nil)
		if a.Status != http.StatusOK {
			return false
		}
		a.Into(t, &list)
		for _, p := range list.Data {
			if p.LagEvents > 0 || p.State != "live" {
				return false
			}
		}
		return len(list.Data) > 0
	})
}

// Played is what the lines of a journal came to.
type Played struct {
	desk.Counts
	Outcomes []api.ImportOutcome
}

// Play imports a journal, line by line.
func (c Client) Play(t *testing.T, journal []byte) (played Played) {
	t.Helper()
	a := c.Must(t, http.StatusOK, http.MethodPost, "/v1/import", journal, Header("Content-Type", "application/x-ndjson"), Header("Accept", "application/x-ndjson"))
	lines := bytes.Split(bytes.TrimSpace(a.Body), []byte("\n"))
	last := len(lines) - 1
	for _, line := range lines[:last] {
		var o api.ImportOutcome
		Answer{Body: line}.Into(t, &o)
		played.Outcomes = append(played.Outcomes, o)
	}
	Answer{Body: lines[last]}.Into(t, &played.Counts)
	if played.Lines != last {
		t.Fatalf("the import ended early: %s", lines[last])
	}
	return played
}

// Inquiry returns the body of an inquiry by e-mail.
func Inquiry(who, subject string) map[string]any {
	return map[string]any{"channel": "email", "from": map[string]any{"email": who + "@customers.example"}, "subject": subject, "body": "Help"}
}

// TookOnce checks that each of these marks is in exactly one event of the log, and no other mark is. Marks are texts that
// begin with "mark-".
func (c Client) TookOnce(t *testing.T, marks ...string) {
	t.Helper()
	c.CaughtUp(t)
	found := map[string]int{}
	for _, e := range c.All(t, "/v1/events") {
		for value := range maps.Values(e["data"].(map[string]any)) {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "mark-") {
				found[text]++
			}
		}
	}
	for _, mark := range marks {
		if found[mark] != 1 {
			t.Errorf("the request of %s took effect %d times", mark, found[mark])
		}
		delete(found, mark)
	}
	if len(found) > 0 {
		t.Errorf("these took effect and should not have: %v", slices.Sorted(maps.Keys(found)))
	}
}
