package testdesk

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A Sent is one event of a stream of server-sent events.
type Sent struct{ ID, Kind, Data string }

// Follow reads events from a stream until it has enough, and disconnects.
func (c Client) Follow(t *testing.T, path string, enough int, change ...With) []Sent {
	t.Helper()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.Key)
	for _, f := range change {
		f(request)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %v", response.Status, response.Header)
	}
	return ReadSent(response.Body, enough)
}

// ReadSent reads events from a body until it has enough, or the body ends.
func ReadSent(body io.Reader, enough int) (events []Sent) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 4<<20)
	var e Sent
	for len(events) < enough && lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Kind = value
		case "data":
			e.Data = value
		case "":
			if e.Data != "" { // without data, it only tells where the stream is
				events = append(events, e)
			}
			e = Sent{}
		}
	}
	return events
}
