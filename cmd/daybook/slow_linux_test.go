package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestWhatSlowClientsCost has clients that are slow or silent, each kind in its own way, take up a desk, which must not need more than
// 1 MiB of memory for each of them. Cases 5.2 and 5.3.
func TestWhatSlowClientsCost(t *testing.T) {
	// Not in parallel: what is counted is the most that was ever resident, and a collector that gets no time to run lets that grow.
	const clients, most = 100, 1 << 10 // KiB
	for name, where := range map[string][]string{"SQLite": nil, "PostgreSQL": inOne(testdb.URL(t))} {
		folder := t.TempDir()
		where = append(where, "--limit-answer-time", "1h", "--limit-body-time", "1h", "--limit-streams", "1000")
		c, stop := testdesk.Shipped(t).Serve(t, folder, where...)
		ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
		for range 30 {
			c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": strings.Repeat("山", 85_000)})
		}
		c.CaughtUp(t)
		stop()
		line := `{"id":"%d","at":"2026-01-01T00:00:00Z","by":"system","do":"company.create","company":"%d","name":"Company"}` + "\n"
		journal := strings.Builder{}
		for n := range 2000 {
			fmt.Fprintf(&journal, line, n, n)
		}
		body := func(length int, sent string) string {
			return fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, sent)
		}
		for what, request := range map[string]string{
			"silent in the headers":         "POST /v1/contacts HTTP/1.1\r\nX-Long: " + strings.Repeat("x", 250_000),
			"silent after the headers":      "POST /v1/contacts HTTP/1.1\r\n" + body(1<<20, ""),
			"silent in the body":            "POST /v1/contacts HTTP/1.1\r\n" + body(1<<20, `{"name":"`+strings.Repeat("x", 1<<20-100)),
			"silent at the end of a line":   "POST /v1/import HTTP/1.1\r\n" + body(1<<24, `{"id":"`+strings.Repeat("x", 800<<10-100)),
			"silent after some lines":       "POST /v1/import HTTP/1.1\r\n" + body(1<<24, journal.String()[:200_000]),
			"does not read a thread":        "GET /v1/tickets/" + ticket + "/thread?limit=200 HTTP/1.1\r\n\r\n",
			"does not read a page":          "GET /v1/events?type=ticket-noted&limit=200 HTTP/1.1\r\n\r\n",
			"does not read the whole trail": "GET /v1/events?limit=200 HTTP/1.1\r\n\r\n",
			"does not read a stream":        "GET /v1/events/stream?after=0 HTTP/1.1\r\n\r\n",
			"idle":                          "GET /v1/me HTTP/1.1\r\n\r\n",
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				c, process := testdesk.Shipped(t).StartServer(t, folder, where...)
				c.CaughtUp(t)
				c.Get(t, "/v1/tickets/"+ticket+"/thread?limit=1") // which folds the ticket once for all
				before := residentAtMost(process.Pid())
				first, rest, _ := strings.Cut(request, "\r\n")
				for range clients {
					conn := dial(t, c)
					if _, err := io.WriteString(conn, first+"\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\n"+rest); err != nil {
						t.Fatal(err)
					}
					if !strings.HasPrefix(what, "silent") {
						if _, err := conn.Read(make([]byte, 1)); err != nil {
							t.Fatal(err)
						}
					}
				}
				testdesk.Eventually(t, "the server has read what it will", func() bool {
					connected, unread := queued(t, c)
					return connected >= clients && unread == 0
				})
				took := residentAtMost(process.Pid()) - before
				t.Logf("each client took %d KiB", took/clients)
				if took > clients*most {
					t.Error("which is too much")
				}
			})
		}
	}
}

// dial connects to a desk as a client that takes little before it reads.
func dial(t *testing.T, c testdesk.Client) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	tcp := conn.(*net.TCPConn)
	if err := tcp.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	return tcp
}

// queued returns how many connections a desk has, and how many bytes of what came through them it has not read, by the kernel's figures.
func queued(t *testing.T, c testdesk.Client) (connections, unread int) {
	t.Helper()
	sockets, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	var port int
	_, _ = fmt.Sscan(c.URL[strings.LastIndex(c.URL, ":")+1:], &port)
	for socket := range strings.Lines(string(sockets)) {
		var number, at, from, state, queues string
		_, _ = fmt.Sscan(socket, &number, &at, &from, &state, &queues)
		_, in, _ := strings.Cut(queues, ":")
		if !strings.HasSuffix(at, fmt.Sprintf(":%04X", port)) || state != "01" { // ESTABLISHED
			continue
		}
		var n int
		_, _ = fmt.Sscanf(in, "%x", &n)
		connections, unread = connections+1, unread+n
	}
	return connections, unread
}

// TestManyReports has a hundred clients ask for a report of a year at once. Half of them leave, and the others do not read. The desk must
// answer others meanwhile, a report too, and need less than 1 GiB.
func TestManyReports(t *testing.T) {
	t.Parallel()
	const most = 1 << 20 // KiB
	journal := strings.Builder{}
	n := 0
	line := func(at, by, rest string) {
		n++
		fmt.Fprintf(&journal, `{"id":"%d","at":"%s","by":"%s",%s}`+"\n", n, at, by, rest)
	}
	const agents, days = 50, 365
	for a := range agents {
		line("2025-01-01T00:00:00Z", "system", fmt.Sprintf(`"do":"agent.create","agent":"a%d","name":"A%d","email":"a%d@desk.example","role":"agent"`, a, a, a))
	}
	for day := range days {
		for what, hour := range []int{8, 16} {
			at := time.Date(2025, 1, 1+day, hour, 0, 0, 0, time.UTC).Format(time.RFC3339)
			for a := range agents {
				line(at, fmt.Sprintf("agent:a%d", a), fmt.Sprintf(`"do":"agent.sign_%s","agent":"a%d","device":"panel"`, []string{"in", "out"}[what], a))
			}
		}
	}
	path := filepath.Join(t.TempDir(), "year.ndjson")
	if err := os.WriteFile(path, []byte(journal.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string][]string{"SQLite": nil, "PostgreSQL": inOne(testdb.URL(t))} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			testdesk.Shipped(t).Must(t, 0, append([]string{"import", path, "--data", folder}, where...)...)
			c, process := testdesk.Shipped(t).StartServer(t, folder, where...)
			c.CaughtUp(t)
			const report = "/v1/reports/agents?from=2025-01-01&to=2026-01-01&by=day"
			for client := range 100 {
				conn := dial(t, c)
				if _, err := io.WriteString(conn, "GET "+report+" HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if client%2 == 0 {
					conn.Close()
				}
			}
			c.Get(t, "/v1/agents")
			if rows := c.Report(t, strings.TrimPrefix(report, "/v1/reports/agents?")); len(rows) != agents*days {
				t.Errorf("%d rows", len(rows))
			}
			if took := residentAtMost(process.Pid()); took == 0 || took > most {
				t.Errorf("it took %d MiB", took>>10)
			} else {
				t.Logf("it took %d MiB", took>>10)
			}
		})
	}
}
