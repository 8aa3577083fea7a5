package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A request that is sent again with its key until it is answered.
type request struct {
	method, path string
	body         any
	took         string // the mark that it leaves in one event if it takes effect; empty: none
}

// TestConcurrentCommandsAndKill sends many commands at once to a server that is killed in their midst, and sends every one
// again. Each must have taken effect exactly once, none that was answered may be lost, and who asks again must get the
// answer of the first time.
func TestConcurrentCommandsAndKill(t *testing.T) {
	t.Parallel()
	random, folder, n := chance(t), t.TempDir(), 150
	if soak() {
		n = 1000
	}
	c, server := reexec.startServer(t, folder)
	requests := commandMix(t, c, n)
	fresh := requests[:64] // 64 inquiries from one new address come first, and at once
	random.Shuffle(n-64, func(i, j int) { requests[64+i], requests[64+j] = requests[64+j], requests[64+i] })

	first := make([]*answer, len(requests))
	killAt := int64(n/4 + random.IntN(n/2))
	var answered atomic.Int64
	var killing sync.WaitGroup
	once := sync.OnceFunc(func() { killing.Go(server.kill) })
	send(c, requests, func(i int, a answer, err error) {
		if err != nil {
			return
		}
		first[i] = &a
		if answered.Add(1) == killAt {
			once()
		}
	})
	killing.Wait()
	if !server.over() {
		t.Fatal("the server was not killed")
	}
	t.Logf("soak: %d of %d requests were answered before the kill", answered.Load(), n)

	c, _ = reexec.startServer(t, folder)
	again := make([]answer, len(requests))
	send(c, requests, func(i int, a answer, err error) {
		if err != nil {
			t.Errorf("%s %s: %v", requests[i].method, requests[i].path, err)
		}
		again[i] = a
	})
	for i, r := range requests {
		switch before, now := first[i], again[i]; {
		case now.status >= 500:
			t.Errorf("%s %s: %s", r.method, r.path, now)
		case r.took != "" && now.status >= 300:
			t.Errorf("%s %s was refused: %s", r.method, r.path, now)
		case before != nil && now.header.Get("Idempotent-Replayed") != "true":
			t.Errorf("%s %s was answered before, and carried out again", r.method, r.path)
		case before != nil && !sameAnswer(*before, now):
			t.Errorf("%s %s: the first answer was %s\nand the second is %s", r.method, r.path, before, now)
		}
	}
	tookOnce(t, c, requests)
	if found := c.all(t, "/v1/contacts?q=fresh@customers.example"); len(found) != 1 {
		t.Errorf("%d inquiries from one new address made %d contacts", len(fresh), len(found))
	} else if tickets := c.all(t, "/v1/contacts/"+found[0]["id"].(string)+"/tickets"); len(tickets) != len(fresh) {
		t.Errorf("the contact has %d tickets, want %d", len(tickets), len(fresh))
	}
	third := c.do(t, requests[0].method, requests[0].path, requests[0].body, known(0))
	if !sameAnswer(again[0], third) || third.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a third time: %s", third)
	}
}

func sameAnswer(a, b answer) bool {
	return a.status == b.status && string(a.body) == string(b.body) && a.header.Get("ETag") == b.header.Get("ETag") && a.position() == b.position()
}

// known are the headers of a request that is sent again: with its key, and with its id, which the body of a problem repeats.
func known(n int) with {
	return func(r *http.Request) {
		r.Header.Set("Idempotency-Key", fmt.Sprint("k-", n))
		r.Header.Set("Request-Id", fmt.Sprint("r-", n))
	}
}

// send sends requests, 64 at a time, each with a key of its own.
func send(c client, requests []request, came func(int, answer, error)) {
	var next atomic.Int64
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(requests); i = int(next.Add(1)) - 1 {
				r := requests[i]
				a, err := c.try(context.Background(), r.method, r.path, r.body, known(i))
				came(i, a, err)
			}
		})
	}
	senders.Wait()
}

// commandMix is a mix of commands on few things: inquiries, edits, replies, notes, steps that change nothing, and refusals.
func commandMix(t *testing.T, c client, n int) []request {
	t.Helper()
	var tickets, contacts []string
	for i := range 4 {
		tickets = append(tickets, c.must(t, 201, "POST", "/v1/inquiries", inquiry(fmt.Sprintf("setup-%d", i), "Setup")).id(t))
		contacts = append(contacts, c.must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("Setup %d", i)}).id(t))
	}
	done := c.must(t, 201, "POST", "/v1/inquiries", inquiry("setup-done", "Done")).id(t)
	c.must(t, 200, "POST", "/v1/tickets/"+done+"/resolve", nil)
	var all []request
	for i := range 64 {
		mark := fmt.Sprintf("mark-fresh-%d.", i)
		all = append(all, request{"POST", "/v1/inquiries", inquiry("fresh", mark), mark})
	}
	for i := range n - 64 {
		mark, ticket, contact := fmt.Sprintf("mark-%d.", i), tickets[i%len(tickets)], contacts[i%len(contacts)]
		all = append(all, []request{
			{"POST", "/v1/inquiries", inquiry(fmt.Sprintf("few-%d", i%5), mark), mark},
			{"PATCH", "/v1/contacts/" + contact, map[string]any{"note": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/notes", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/replies", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + ticket + "/messages", map[string]any{"body": mark}, mark},
			{"POST", "/v1/tickets/" + done + "/resolve", nil, ""},                                       // done already
			{"POST", "/v1/tickets/" + ticket + "/unassign", nil, ""},                                    // nobody's already
			{"POST", "/v1/tickets/" + done + "/postpone", nil, ""},                                      // 409
			{"PATCH", "/v1/contacts/" + contact, map[string]any{"time_zone": "Rome"}, ""},               // 422
			{"POST", "/v1/tickets/" + contact + "/resolve", nil, ""},                                    // 404
			{"POST", "/v1/tickets/" + ticket + "/assign", map[string]any{"agent": contact}, ""},         // 422
			{"POST", "/v1/contacts", map[string]any{"name": mark, "emails": []string{mark + "@x"}}, ""}, // 422
		}[i%12])
	}
	return all
}

func inquiry(who, subject string) map[string]any {
	return map[string]any{"channel": "email", "from": map[string]any{"email": who + "@customers.example"}, "subject": subject, "body": "Help"}
}

// tookOnce looks in the log for the mark of each request.
func tookOnce(t *testing.T, c client, requests []request) {
	t.Helper()
	c.caughtUp(t)
	found := map[string]int{}
	for _, e := range c.all(t, "/v1/events") {
		for value := range maps.Values(e["data"].(map[string]any)) {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "mark-") {
				found[text]++
			}
		}
	}
	for _, r := range requests {
		if r.took == "" {
			continue
		}
		if found[r.took] != 1 {
			t.Errorf("%s %s (%s) took effect %d times", r.method, r.path, r.took, found[r.took])
		}
		delete(found, r.took)
	}
	if len(found) > 0 {
		t.Errorf("these took effect and should not have: %v", slices.Sorted(maps.Keys(found)))
	}
}

// TestConcurrentRepeats sends one request many times at once with one key: one takes effect, and all get its answer.
func TestConcurrentRepeats(t *testing.T) {
	t.Parallel()
	c := mustServe(t, t.TempDir())
	answers := make([]answer, 32)
	var senders sync.WaitGroup
	for i := range answers {
		senders.Go(func() {
			var err error
			answers[i], err = c.try(t.Context(), "POST", "/v1/inquiries", inquiry("one", "mark-one."), header("Idempotency-Key", "same"))
			if err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	for _, a := range answers {
		if a.status != http.StatusCreated || string(a.body) != string(answers[0].body) {
			t.Errorf("%s, want %s", a, answers[0])
		}
	}
	tookOnce(t, c, []request{{"POST", "/v1/inquiries", nil, "mark-one."}})
}
