package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"daybook/internal/testdesk"
)

// A request is sent with its key until it is answered.
type request struct {
	method, path string
	body         any
	took         string // the mark that it leaves in one event if it takes effect; empty: none
}

// TestConcurrentCommandsAndKill sends many commands at once to a server that is killed meanwhile, and then sends each of
// them again. Each must take effect exactly once, no answered one may be lost, and a repeated one must get its first answer.
func TestConcurrentCommandsAndKill(t *testing.T) {
	t.Parallel()
	random, folder, n := testdesk.Chance(t), t.TempDir(), 150
	if testdesk.Soak() {
		n = 1000
	}
	lease := []string{"--lease", "500ms"} // in PostgreSQL, the next process waits for it after the kill
	c, server := reexec.StartServer(t, folder, lease...)
	requests := commandMix(t, c, n)
	fresh := requests[:64] // 64 inquiries from one new address come first, and at once
	random.Shuffle(n-64, func(i, j int) { requests[64+i], requests[64+j] = requests[64+j], requests[64+i] })

	first := make([]*testdesk.Answer, len(requests))
	killAt := int64(n/4 + random.IntN(n/2))
	var answered atomic.Int64
	var killing sync.WaitGroup
	once := sync.OnceFunc(func() { killing.Go(server.Kill) })
	send(c, requests, func(i int, a testdesk.Answer, err error) {
		if err != nil {
			return
		}
		first[i] = &a
		if answered.Add(1) == killAt {
			once()
		}
	})
	killing.Wait()
	if !server.Over() {
		t.Fatal("the server was not killed")
	}
	t.Logf("soak: %d of %d requests were answered before the kill", answered.Load(), n)

	c, _ = reexec.StartServer(t, folder, lease...)
	again := make([]testdesk.Answer, len(requests))
	send(c, requests, func(i int, a testdesk.Answer, err error) {
		if err != nil {
			t.Errorf("%s %s: %v", requests[i].method, requests[i].path, err)
		}
		again[i] = a
	})
	for i, r := range requests {
		switch before, now := first[i], again[i]; {
		case now.Status >= 500:
			t.Errorf("%s %s: %s", r.method, r.path, now)
		case r.took != "" && now.Status >= 300:
			t.Errorf("%s %s was refused: %s", r.method, r.path, now)
		case before != nil && before.Status != http.StatusNotFound && now.Header.Get("Idempotent-Replayed") != "true":
			t.Errorf("%s %s was answered before, and carried out again", r.method, r.path)
		case before != nil && !sameAnswer(*before, now):
			t.Errorf("%s %s: the first answer was %s\nand the second is %s", r.method, r.path, before, now)
		}
	}
	c.TookOnce(t, marks(requests)...)
	if found := c.All(t, "/v1/contacts?q=fresh@customers.example"); len(found) != 1 {
		t.Errorf("%d inquiries from one new address made %d contacts", len(fresh), len(found))
	} else if tickets := c.All(t, "/v1/contacts/"+found[0]["id"].(string)+"/tickets"); len(tickets) != len(fresh) {
		t.Errorf("the contact has %d tickets, want %d", len(tickets), len(fresh))
	}
	third := c.Do(t, requests[0].method, requests[0].path, requests[0].body, known(0))
	if !sameAnswer(again[0], third) || third.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a third time: %s", third)
	}
}

func sameAnswer(a, b testdesk.Answer) bool {
	return a.Status == b.Status && string(a.Body) == string(b.Body) && a.Header.Get("ETag") == b.Header.Get("ETag") && a.Position() == b.Position()
}

// known are the headers of a request that may be repeated: its key, and its id, which the body of a problem repeats.
func known(n int) testdesk.With {
	return func(r *http.Request) {
		r.Header.Set("Idempotency-Key", fmt.Sprint("k-", n))
		r.Header.Set("Request-Id", fmt.Sprint("r-", n))
	}
}

// send sends requests, 64 at a time, each with a key of its own.
func send(c testdesk.Client, requests []request, came func(int, testdesk.Answer, error)) {
	var next atomic.Int64
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(requests); i = int(next.Add(1)) - 1 {
				r := requests[i]
				a, err := c.Try(context.Background(), r.method, r.path, r.body, known(i))
				came(i, a, err)
			}
		})
	}
	senders.Wait()
}

// marks returns the marks that requests leave.
func marks(requests []request) (all []string) {
	for _, r := range requests {
		if r.took != "" {
			all = append(all, r.took)
		}
	}
	return all
}

// commandMix is a mix of commands on few things: inquiries, edits, replies, notes, steps that change nothing, and refusals.
func commandMix(t *testing.T, c testdesk.Client, n int) []request {
	t.Helper()
	var tickets, contacts []string
	for i := range 4 {
		tickets = append(tickets, c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry(fmt.Sprintf("setup-%d", i), "Setup")).ID(t))
		contacts = append(contacts, c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("Setup %d", i)}).ID(t))
	}
	done := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("setup-done", "Done")).ID(t)
	c.Must(t, 200, "POST", "/v1/tickets/"+done+"/resolve", nil)
	var all []request
	for i := range 64 {
		mark := fmt.Sprintf("mark-fresh-%d.", i)
		all = append(all, request{"POST", "/v1/inquiries", testdesk.Inquiry("fresh", mark), mark})
	}
	for i := range n - 64 {
		mark, ticket, contact := fmt.Sprintf("mark-%d.", i), tickets[i%len(tickets)], contacts[i%len(contacts)]
		all = append(all, []request{
			{"POST", "/v1/inquiries", testdesk.Inquiry(fmt.Sprintf("few-%d", i%5), mark), mark},
			{"PATCH", "/v1/contacts/" + contact, map[string]any{"note": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/notes", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/replies", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/messages", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + done + "/resolve", nil, ""},                                       // nothing to change
			{"POST", "/v1/tickets/" + ticket + "/unassign", nil, ""},                                    // nothing to change
			{"POST", "/v1/tickets/" + done + "/postpone", nil, ""},                                      // 409
			{"PATCH", "/v1/contacts/" + contact, map[string]any{"time_zone": "Rome"}, ""},               // 422
			{"POST", "/v1/tickets/" + contact + "/resolve", nil, ""},                                    // 404
			{"POST", "/v1/tickets/" + ticket + "/assign", map[string]any{"agent_id": contact}, ""},      // 422
			{"POST", "/v1/contacts", map[string]any{"name": mark, "emails": []string{mark + "@x"}}, ""}, // 422
		}[i%12])
	}
	return all
}
