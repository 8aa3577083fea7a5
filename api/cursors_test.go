package api_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestCursors pages through a list while rows are added. Each row that was there at the start comes exactly once.
func TestCursors(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	add := func(n int) string {
		return c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("Contact %d", n)}).Position()
	}
	last := ""
	for i := range 25 {
		last = add(i)
	}
	for _, sort := range []string{"", "&sort=name", "&sort=-name"} {
		there := map[string]bool{}
		for _, row := range func() []map[string]any {
			c.Get(t, "/v1/contacts", testdesk.Header("Daybook-After", last))
			return c.All(t, "/v1/contacts")
		}() {
			there[row["id"].(string)] = false
		}
		pages := 0
		for next := "/v1/contacts?limit=7" + sort; next != ""; pages++ {
			a := c.Get(t, next, testdesk.Header("Daybook-After", last))
			var page struct {
				Data []struct{ ID string }
				Next *string
			}
			a.Into(t, &page)
			for _, row := range page.Data {
				if seen, known := there[row.ID]; known && seen {
					t.Errorf("sort %q: %s comes twice", sort, row.ID)
				}
				there[row.ID] = true
			}
			next = ""
			if page.Next != nil {
				next = "/v1/contacts?limit=7" + sort + "&cursor=" + *page.Next
				if link := a.Header.Get("Link"); !strings.Contains(link, "cursor="+*page.Next) || !strings.HasSuffix(link, `rel="next"`) {
					t.Errorf("Link: %s", link)
				}
			}
			last = add(100 + pages)
		}
		for id, seen := range there {
			if !seen {
				t.Errorf("sort %q: %s never came", sort, id)
			}
		}
		if pages < 4 {
			t.Errorf("sort %q: only %d pages", sort, pages)
		}
	}
	var page struct{ Next *string }
	c.Get(t, "/v1/contacts?limit=1").Into(t, &page)
	c.Refused(t, 422, "cursor-malformed", "GET", "/v1/contacts?limit=1&sort=name&cursor="+*page.Next, nil)
	c.Refused(t, 422, "cursor-malformed", "GET", "/v1/events?cursor="+*page.Next, nil)
	for _, list := range []string{"/v1/contacts?limit=1&sort=name", "/v1/events?limit=1", "/v1/events?limit=1&type=contact-registered"} {
		c.Get(t, list).Into(t, &page)
		sealed, err := base64.RawURLEncoding.DecodeString(*page.Next)
		if err != nil || bytes.Contains(sealed, []byte("Contact")) || len(sealed) < 20 {
			t.Errorf("%s: the cursor can be read: %q", list, sealed)
		}
		for i := range sealed {
			sealed[i]++
			c.Refused(t, 422, "cursor-malformed", "GET", list+"&cursor="+base64.RawURLEncoding.EncodeToString(sealed), nil)
			sealed[i]--
		}
		if again := c.Get(t, list+"&cursor="+*page.Next).Object(t)["data"].([]any); len(again) != 1 {
			t.Errorf("%s goes on with %v", list, again)
		}
	}
	// The log and each thread have their own.
	threads := []string{"/v1/events?limit=1"}
	for _, subject := range []string{"A", "B"} {
		threads = append(threads, "/v1/tickets/"+c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", subject)).ID(t)+"/thread?limit=1")
		c.Must(t, 200, "POST", strings.TrimSuffix(threads[len(threads)-1], "thread?limit=1")+"notes", map[string]any{"body": subject})
	}
	for _, list := range threads {
		c.Get(t, list).Into(t, &page)
		for _, other := range append(threads, "/v1/events?type=ticket-noted&limit=1") {
			if other == list {
				c.Must(t, 200, "GET", other+"&cursor="+*page.Next, nil)
			} else {
				c.Refused(t, 422, "cursor-malformed", "GET", other+"&cursor="+*page.Next, nil)
			}
		}
	}
	link := c.Get(t, "/v1/contacts?limit=1&q=Contact").Header.Get("Link")
	path := strings.TrimPrefix(link[:strings.Index(link, ">")], "<")
	c.Get(t, path) // a link can be followed as it stands
}
