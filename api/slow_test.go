package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"daybook/api"
	"daybook/internal/testdesk"
)

// TestStalledImport sends half a journal and then stalls. The server must not wait for ever.
func TestStalledImport(t *testing.T) {
	t.Parallel()
	if !testdesk.Soak() {
		t.Skip("takes 30 seconds; DAYBOOK_SOAK=1 runs it")
	}
	c := testdesk.Serve(t, t.TempDir())
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/import HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{\"id\":", c.Key)
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

// TestSlowRequests disconnects in the middle of requests. The server must go on.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/contacts HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\":", c.Key)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "After"})
	c.CaughtUp(t)
	if found := c.All(t, "/v1/contacts"); len(found) != 1 {
		t.Errorf("%d contacts, want 1", len(found))
	}
}
