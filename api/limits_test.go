package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"daybook/api"
	"daybook/internal/testdesk"
)

// TestWrongKeys sends wrong keys from one address. After ten, more of them are refused before they are looked up; keys that were
// right go on. Case 5.4.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	c.Must(t, 200, "GET", "/v1/me", nil)
	fresh := testdesk.Key(t, folder, "owner", "")
	for n := range 10 {
		c.As("daybook_"+strconv.Itoa(n)).Refused(t, 401, "key-unknown", "GET", "/v1/me", nil)
	}
	for _, key := range []string{"daybook_wrong", "x", fresh} {
		for _, path := range []string{"/v1/me", "/metrics", "/readyz"} {
			a := c.As(key).Do(t, "GET", path, nil)
			if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); a.Status != 429 || err != nil || wait < 1 || wait > 61 {
				t.Errorf("%s: %s", path, a)
			}
		}
	}
	c.Must(t, 200, "GET", "/v1/me", nil)
	if metrics := string(c.Get(t, "/metrics").Body); !strings.Contains(metrics, `daybook_limits_met_total{limit="wrong-keys"} 9`) {
		t.Errorf("the metrics do not tell of it: %s", metrics)
	}
}

// TestRefusedBeforeTheBody has clients without a key begin a body and send no more of it. Each is answered and let go, as is one
// whose request is wrong for another reason than its body. Case 5.2.
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	wanted := map[net.Conn]int{}
	for path, want := range map[string]int{"/v1/contacts": 401, "/v1/import": 401, "/v1/nothing": 404, "/v1/contacts?q=%": 400} {
		for range 50 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: desk\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", path)
			wanted[conn] = want
		}
	}
	for conn, want := range wanted {
		from := bufio.NewReader(conn)
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != want || !response.Close {
			t.Errorf("%v %s, closing: %t, want %d", err, response.Status, response.Close, want)
		}
		if _, err := from.ReadByte(); err == nil {
			t.Error("the connection is still open")
		}
	}
}

// TestBodiesArriveInTime has clients with a key begin a body and send no more of it, on a desk that waits a second for bodies.
// Case 5.2.
func TestBodiesArriveInTime(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir(), "--limit-body-time", "1s")
	for path, length := range map[string]string{"/v1/contacts": "Content-Length: 100", "/v1/import": "Content-Length: 100", "/v1/contacts?": "Transfer-Encoding: chunked"} {
		status, p := raw(t, c, "POST "+path+" HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\nContent-Type: application/json\r\n"+length+"\r\n\r\n")
		if status != 408 || p.Code != "too-slow" {
			t.Errorf("%s: %d %+v", path, status, p)
		}
	}
}

// TestLimitsOfAKey opens more event streams than a key may have.
func TestLimitsOfAKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder, "--limit-streams", "2", "--limit-buckets", "31", "--limit-values", "2", "--limit-body", "100")
	c.CaughtUp(t)
	first, second := open(t, c, "/v1/events/stream"), open(t, c, "/v1/events/stream")
	defer first.Body.Close()
	c.Refused(t, 429, "too-many-streams", "GET", "/v1/events/stream", nil)
	c.Must(t, 200, "GET", "/v1/me", nil)
	other := open(t, c.As(testdesk.Key(t, folder, "owner", "")), "/v1/events/stream")
	defer other.Body.Close()
	second.Body.Close()
	testdesk.Eventually(t, "a stream that has ended does not count", func() bool { return mayStream(t, c) })
	c.Get(t, "/v1/reports/agents?from=2026-01-01&to=2026-02-01")
	c.Refused(t, 422, "period-too-long", "GET", "/v1/reports/agents?from=2026-01-01&to=2026-02-02", nil)
	c.Refused(t, 422, "too-many-values", "GET", "/v1/tickets?status=new,open,resolved", nil)
	c.Refused(t, 413, "too-large", "POST", "/v1/contacts", map[string]any{"name": strings.Repeat("n", 100)})
}

// TestRequestsOfAKey has a request that is still arriving take the only place of a key.
func TestRequestsOfAKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder, "--limit-requests", "1")
	other := c.As(testdesk.Key(t, folder, "owner", ""))
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/contacts HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", c.Key)
	if says, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(says, "HTTP/1.1 100 ") { // it has the place
		t.Fatal(err, says)
	}
	c.Refused(t, 429, "too-many-requests", "GET", "/v1/me", nil)
	c.Refused(t, 429, "too-many-requests", "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	other.Must(t, 200, "GET", "/v1/me", nil)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	testdesk.Eventually(t, "the place is free", func() bool { return c.Do(t, "GET", "/v1/me", nil).Status == http.StatusOK })
	if metrics := string(c.Get(t, "/metrics").Body); !strings.Contains(metrics, `daybook_limits_met_total{limit="requests"}`) {
		t.Errorf("the metrics do not tell of it: %s", metrics)
	}
}

// mayStream reports whether a key may open a stream.
func mayStream(t *testing.T, c testdesk.Client) bool {
	t.Helper()
	response := begin(t, c, http.MethodGet, "/v1/events/stream")
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// TestClientsThatDoNotRead opens a stream of many megabytes, and does not read it. The server lets go of it. Case 5.3.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir(), "--limit-answer-time", "1s", "--limit-streams", "1")
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	for range 150 {
		c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": strings.Repeat("x", 100_000)})
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\n\r\n", c.Key)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if mayStream(t, c) {
		t.Error("the stream does not count")
	}
	testdesk.Eventually(t, "the stream has ended", func() bool { return mayStream(t, c) })
	if metrics := string(c.Get(t, "/metrics").Body); !strings.Contains(metrics, `daybook_limits_met_total{limit="answer-time"} 1`) {
		t.Errorf("the metrics do not tell of it: %s", metrics)
	}
}

// TestReadyWithoutAKey asks whether the desk is ready without a key, and for the metrics. Cases 4.9 and 4.10.
func TestReadyWithoutAKey(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	stranger := c.As("")
	c.CaughtUp(t)
	if a := stranger.Get(t, "/readyz"); strings.TrimSpace(string(a.Body)) != `{"status":"ready"}` {
		t.Errorf("%s", a)
	}
	stranger.Refused(t, 401, "key-missing", "GET", "/metrics", nil)
	stranger.Refused(t, 401, "key-missing", "GET", "/metrics", nil, testdesk.Header("X-Forwarded-For", "127.0.0.1"))
	if a := c.Get(t, "/metrics"); !strings.Contains(string(a.Body), "daybook_requests_total") {
		t.Errorf("%s", a)
	}
}

// TestLimitsOfNothing: a limit that would let nothing through is refused at the start.
func TestLimitsOfNothing(t *testing.T) {
	t.Parallel()
	for _, l := range []api.Limits{{}, {Body: 1}, {Body: -1}} {
		if l.Validate() == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

// TestHeadOfAStream: HEAD ends, although the stream would not.
func TestHeadOfAStream(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for range 60 { // more than one key may follow at the same time
		a := begin(t, c, http.MethodHead, "/v1/events/stream")
		if a.Body.Close() != nil || a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(a.Status, a.Header)
		}
	}
}

// TestReportsTakeTurns asks for reports at once until one has waited for another.
func TestReportsTakeTurns(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir(), "--limit-reports", "1")
	testdesk.Eventually(t, "a report waits, and that is counted", func() bool {
		var reports sync.WaitGroup
		for range 8 {
			reports.Go(func() {
				if a, err := c.Try(t.Context(), "GET", "/v1/reports/agents?from=2025-01-01&to=2025-12-31&by=hour&tz=Europe/Rome", nil); err != nil || a.Status != 200 {
					t.Errorf("%+v, %v", a, err)
				}
			})
		}
		reports.Wait()
		return !strings.Contains(string(c.Get(t, "/metrics").Body), `daybook_limits_met_total{limit="reports"} 0`)
	})
}
