package api_test

import (
	"strings"
	"testing"

	"daybook/internal/testdesk"
	"daybook/readmodels/table"
)

// TestPagesEndAtTheirSize is case 5.3: a page of several rows has at most 256 KiB of text, and says where it goes on.
func TestPagesEndAtTheirSize(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	contact := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	ticket := c.Must(t, 201, "POST", "/v1/tickets", map[string]any{"contact_id": contact, "channel": "email", "subject": "Long", "body": "x"}).ID(t)
	const notes = 12
	long := strings.Repeat("山", 85_000) // 255 kB
	for range notes {
		c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": long})
	}
	c.CaughtUp(t)
	for _, path := range []string{"/v1/tickets/" + ticket + "/thread?limit=200", "/v1/events?limit=200", "/v1/events?type=ticket-noted&limit=200", "/v1/events?stream=ticket-" + ticket + "&limit=200"} {
		seen, pages := 0, 0
		for next := path; next != "" && pages < 20; pages++ {
			a := c.Must(t, 200, "GET", next, nil)
			if len(a.Body) > table.MaxPageBytes+32<<10 {
				t.Errorf("%s: a page of %d bytes", path, len(a.Body))
			}
			var page struct {
				Data []struct{ Type string }
				Next *string
			}
			a.Into(t, &page)
			for _, e := range page.Data {
				if e.Type == "ticket-noted" {
					seen++
				}
			}
			if next = ""; page.Next != nil {
				next = path + "&cursor=" + *page.Next
			}
		}
		if seen != notes || pages < 2 {
			t.Errorf("%s: %d notes on %d pages", path, seen, pages)
		}
	}
}

// rows lists page by page.
func rows(t *testing.T, c testdesk.Client, path string) (all []map[string]any) {
	t.Helper()
	for next := path; next != ""; {
		var page struct {
			Data []map[string]any
			Next *string
		}
		c.Get(t, next).Into(t, &page)
		all = append(all, page.Data...)
		if next = ""; page.Next != nil {
			next = path + "&cursor=" + *page.Next
		}
	}
	return all
}

// TestOrderOfTheLog: what happened at one instant is listed in the log's order (case 6.13), and what was told late does not go back in
// changed_at, but comes last by position, which is how one syncs (case 6.21).
func TestOrderOfTheLog(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.Play(t, []byte(`{"id":"1","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.register","contact":"nora","name":"Nora"}
{"id":"2","at":"2026-03-02T09:00:00Z","by":"contact","do":"ticket.open","ticket":"a","contact":"nora","channel":"email","subject":"A","body":"a"}
{"id":"3","at":"2026-03-02T09:00:00Z","by":"contact","do":"ticket.open","ticket":"b","contact":"nora","channel":"email","subject":"B","body":"b"}
{"id":"4","at":"2026-03-02T09:00:00Z","by":"contact","do":"ticket.open","ticket":"c","contact":"nora","channel":"email","subject":"C","body":"c"}
`))
	c.Play(t, []byte(`{"id":"5","at":"2026-03-02T12:00:00Z","by":"system","do":"ticket.resolve","ticket":"a"}
{"id":"6","at":"2026-03-02T10:00:00Z","by":"system","do":"ticket.note","ticket":"a","body":"late"}
`))
	c.CaughtUp(t)
	subjects := func(path string) (all string) {
		for _, row := range rows(t, c, path) {
			all += row["subject"].(string)
		}
		return all
	}
	contact := c.All(t, "/v1/contacts")[0]["id"].(string)
	for path, want := range map[string]string{
		"/v1/tickets?sort=opened_at&limit=1":                  "ABC",
		"/v1/tickets?limit=2":                                 "CBA",
		"/v1/contacts/" + contact + "/tickets?limit=1":        "CBA",
		"/v1/tickets?sort=position&limit=1":                   "BCA",
		"/v1/contacts/" + contact + "/tickets?sort=-position": "ACB",
	} {
		if got := subjects(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	last := c.All(t, "/v1/tickets?sort=-position")[0]
	events := c.All(t, "/v1/events?stream=ticket-"+last["id"].(string))
	if last["changed_at"] != "2026-03-02T12:00:00Z" || last["position"] != events[len(events)-1]["position"] {
		t.Errorf("%v", last)
	}
}

// TestTheEpoch is case 3.6: 1970 began at an instant like others.
func TestTheEpoch(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.Play(t, []byte(`{"id":"1","at":"1970-01-01T00:00:00Z","by":"system","do":"contact.register","contact":"nora","name":"Nora"}
{"id":"2","at":"1969-12-31T23:59:59.999999Z","by":"contact","do":"ticket.open","ticket":"a","contact":"nora","channel":"email","subject":"A","body":"a"}
{"id":"3","at":"1970-01-01T00:00:00Z","by":"contact","do":"ticket.open","ticket":"b","contact":"nora","channel":"email","subject":"B","body":"b"}
{"id":"4","at":"1970-01-01T00:00:00Z","by":"system","do":"agent.create","agent":"ann","name":"Ann","email":"ann@desk.example","role":"agent"}
{"id":"5","at":"1970-01-01T00:00:00.000001Z","by":"agent:ann","do":"ticket.reply","ticket":"b","body":"b"}
`))
	c.CaughtUp(t)
	subjects := func(path string) (all string) {
		for _, row := range rows(t, c, path) {
			all += row["subject"].(string) + " " + row["opened_at"].(string) + ";"
		}
		return all
	}
	for path, want := range map[string]string{
		"/v1/tickets?to=1970-01-01T00:00:00Z":   "A 1969-12-31T23:59:59.999999Z;",
		"/v1/tickets?from=1970-01-01T00:00:00Z": "B 1970-01-01T00:00:00Z;",
		"/v1/tickets?limit=1":                   "B 1970-01-01T00:00:00Z;A 1969-12-31T23:59:59.999999Z;",
	} {
		if got := subjects(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for day, want := range map[string]float64{"from=1969-12-31&to=1970-01-01": 0, "from=1970-01-01&to=1970-01-02": 1} {
		created, answers := 0.0, 0.0
		for _, row := range c.Report(t, day+"&by=day") {
			created += row["created_tickets"].(float64)
			answers += row["answers"].(float64)
		}
		if created != 1 || answers != want {
			t.Errorf("%s: %v tickets, %v answers", day, created, answers)
		}
	}
}
