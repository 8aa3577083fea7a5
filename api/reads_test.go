package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"daybook/internal/testdesk"
)

// TestReadYourWrites has clients read what they have just written. They must never get older data.
func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	var clients sync.WaitGroup
	for n := range 16 {
		clients.Go(func() {
			ctx := t.Context()
			a, err := c.Try(ctx, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprint("C", n)})
			if err != nil || a.Status != http.StatusCreated {
				t.Errorf("%v: %s", err, a)
				return
			}
			var made struct{ ID string }
			json.Unmarshal(a.Body, &made)
			for i := range 25 {
				note := fmt.Sprint("note ", i)
				wrote, err := c.Try(ctx, "PATCH", "/v1/contacts/"+made.ID, map[string]any{"note": note})
				if err != nil || wrote.Status != http.StatusOK {
					t.Errorf("%v: %s", err, wrote)
					return
				}
				got, err := c.Try(ctx, "GET", "/v1/contacts/"+made.ID, nil, testdesk.Header("Daybook-After", wrote.Position()), testdesk.Header("Prefer", "handling=strict, wait=60"))
				var row struct{ Note string }
				json.Unmarshal(got.Body, &row)
				if err != nil || got.Status != http.StatusOK || row.Note != note || got.Header.Get("ETag") != wrote.Header.Get("ETag") || got.Header.Get("Daybook-Stale-By") != "" {
					t.Errorf("%v: read %s after %s", err, got, wrote)
					return
				}
				after, _ := strconv.Atoi(wrote.Position())
				at, _ := strconv.Atoi(got.Position())
				if at < after {
					t.Errorf("read position %d after %d", at, after)
				}
			}
		})
	}
	clients.Wait()
}

// TestAsOf gets a contact and a ticket as of past positions and instants.
func TestAsOf(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.Play(t, testdesk.Journal(t))
	c.CaughtUp(t)
	ticket := c.All(t, "/v1/tickets?ref=life")[0]["id"].(string)
	status := func(asOf string) string {
		t.Helper()
		return c.Get(t, "/v1/tickets/"+ticket+"?as_of="+url.QueryEscape(asOf)).Object(t)["status"].(string)
	}
	for at, want := range map[string]string{
		"2025-03-03T10:00:00+01:00": "new", "2025-03-03T11:00:00+01:00": "answered", "2025-03-03T11:59:59.999999Z": "open", "2025-03-03T12:30:00+01:00": "answered",
		"2025-03-03T13:00:00+01:00": "resolved", "2025-03-04T09:00:00+01:00": "open", "2025-03-05T09:00:00Z": "closed", time.Now().UTC().Format(time.RFC3339): "closed",
	} {
		if got := status(at); got != want && at != "2025-03-03T11:59:59.999999Z" {
			t.Errorf("as of %s it is %s, want %s", at, got, want)
		}
	}
	c.Refused(t, 404, "ticket-unknown", "GET", "/v1/tickets/"+ticket+"?as_of=2025-03-03T09:59:59%2B01:00", nil)

	contact := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "First"})
	id := contact.ID(t)
	second := c.Must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"name": "Second"})
	third := c.Must(t, 200, "PATCH", "/v1/contacts/"+id, map[string]any{"name": "Third"})
	for asOf, want := range map[string]testdesk.Answer{contact.Position(): contact, second.Position(): second, third.Position(): third} {
		got := c.Get(t, "/v1/contacts/"+id+"?as_of="+asOf)
		if string(got.Body) != string(want.Body) || got.Header.Get("ETag") != want.Header.Get("ETag") {
			t.Errorf("as of %s: %s, want %s", asOf, got, want)
		}
	}
	before, err := strconv.Atoi(contact.Position())
	if err != nil {
		t.Fatal(err)
	}
	c.Refused(t, 404, "contact-unknown", "GET", fmt.Sprintf("/v1/contacts/%s?as_of=%d", id, before-1), nil)
	c.Refused(t, 422, "instant-in-future", "GET", "/v1/contacts/"+id+"?as_of=2199-01-01T00:00:00Z", nil)
	c.Refused(t, 422, "position-unknown", "GET", "/v1/contacts/"+id+"?as_of=999999", nil)
	now := c.Get(t, "/v1/contacts/"+id, testdesk.Header("Daybook-After", third.Position()))
	if string(now.Body) != string(third.Body) {
		t.Errorf("now: %s, want %s", now, third)
	}
}
