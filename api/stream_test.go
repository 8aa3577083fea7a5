package api_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestStream follows the log over connections that drop. Each event comes once, in order, from the first on.
func TestStream(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.Play(t, testdesk.Journal(t))
	head, err := strconv.Atoi(c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Last"}).Position())
	if err != nil {
		t.Fatal(err)
	}
	var all []testdesk.Sent
	for random, last := testdesk.Chance(t), ""; len(all) < head; {
		change := []testdesk.With{}
		if last != "" {
			change = append(change, testdesk.Header("Last-Event-ID", last))
		}
		all = append(all, c.Follow(t, "/v1/events/stream?after=0", min(1+random.IntN(20), head-len(all)), change...)...)
		last = all[len(all)-1].ID
	}
	for i, e := range all {
		var shown struct{ Position, Type string }
		if err := json.Unmarshal([]byte(e.Data), &shown); err != nil {
			t.Fatal(err)
		}
		if e.ID != strconv.Itoa(i+1) || shown.Position != e.ID || shown.Type != e.Kind {
			t.Fatalf("event %d is %+v", i+1, e)
		}
	}
	// A stream also sends new events, and only those that match its filter.
	heard := make(chan []testdesk.Sent, 1)
	go func() { heard <- c.Follow(t, "/v1/events/stream?type=ticket-noted&after="+strconv.Itoa(head), 2) }()
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "S")).ID(t)
	for _, text := range []string{"one", "two"} {
		c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": text})
	}
	if got := <-heard; len(got) != 2 || !strings.Contains(got[0].Data, `"one"`) || !strings.Contains(got[1].Data, `"two"`) {
		t.Errorf("heard %+v", got)
	}
}
