package api_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdesk"
)

// forgets are the ways in which an administrator of EventStoreDB has it forget events of a stream.
var forgets = map[string]func(*testing.T, *esdb.Client, string){
	"tombstone": func(t *testing.T, c *esdb.Client, stream string) {
		if _, err := c.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			t.Fatal(err)
		}
	},
	"soft deletion": func(t *testing.T, c *esdb.Client, stream string) {
		if _, err := c.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			t.Fatal(err)
		}
	},
	"max count":       limits(func(m *esdb.StreamMetadata) { m.SetMaxCount(1) }),
	"max age":         limits(func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Second) }),
	"truncate before": limits(func(m *esdb.StreamMetadata) { m.SetTruncateBefore(1) }),
	"deleted by its metadata": limits(func(m *esdb.StreamMetadata) {
		m.SetTruncateBefore(math.MaxInt64)
	}),
}

// limits sets metadata of a stream.
func limits(set func(*esdb.StreamMetadata)) func(*testing.T, *esdb.Client, string) {
	return func(t *testing.T, c *esdb.Client, stream string) {
		var m esdb.StreamMetadata
		set(&m)
		if _, err := c.SetStreamMetadata(t.Context(), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgottenByEventStoreDB serves a desk whose log is in EventStoreDB. An administrator there has the server forget a ticket, and
// the reservation of an address. Nothing is decided about either; all else goes on, before the server scavenges and after.
func TestForgottenByEventStoreDB(t *testing.T) {
	t.Parallel()
	for name, forget := range forgets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			admin := esdbtest.Admin(t, server.ConnectionString())
			folder, where := t.TempDir(), []string{"--events", server.ConnectionString()}
			c, stop := testdesk.Built(t).Serve(t, folder, where...)
			lost := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
			quiet := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("otto", "Help")).ID(t)
			c.Must(t, 200, "POST", "/v1/tickets/"+lost+"/resolve", nil)
			c.CaughtUp(t)
			before := c.Get(t, "/v1/tickets/"+lost)
			for _, stream := range append(claims(t, admin), "daybook.ticket-"+lost) {
				forget(t, admin, stream)
			}
			isDamaged := func(when string) {
				t.Helper()
				const code = "log-damaged"
				c.Refused(t, 503, code, "POST", "/v1/tickets/"+lost+"/notes", map[string]any{"body": "Hello"})
				c.Refused(t, 503, code, "POST", "/v1/tickets/"+lost+"/reopen", nil)
				c.Refused(t, 503, code, "GET", "/v1/tickets/"+lost+"?as_of="+before.Position(), nil)
				for _, who := range []string{"nora", "otto"} {
					c.Refused(t, 503, code, "POST", "/v1/contacts", map[string]any{"name": "Another", "emails": []string{who + "@customers.example"}})
				}
				c.Must(t, 200, "POST", "/v1/tickets/"+quiet+"/priority", map[string]any{"priority": map[string]string{"before": "high", "after": "low"}[when]})
				c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Paul"})
				testdesk.Eventually(t, "the projections have parked it", func() bool { return slices.Contains(parked(t, c), "ticket-"+lost) })
				if streams := parked(t, c); slices.Contains(streams, "ticket-"+quiet) {
					t.Errorf("%s: parked: %v", when, streams)
				}
				if ready := c.Do(t, "GET", "/readyz", nil); ready.Status != 503 || !strings.Contains(string(ready.Body), "parked (") || !strings.Contains(string(ready.Body), "ticket-"+lost) {
					t.Errorf("%s: ready: %s", when, ready)
				}
			}
			isDamaged("before")
			if now := c.Get(t, "/v1/tickets/"+lost); string(now.Body) != string(before.Body) {
				t.Errorf("%s, and before %s", now, before)
			}
			server.Scavenge()
			stop()
			c, _ = testdesk.Built(t).Serve(t, folder, where...)
			isDamaged("after")
		})
	}
}

// TestForgottenLast has the stream forgotten that was written to last, while nobody serves the desk, which is then served twice: from a
// checkpoint whose event is gone, and from the notice of that.
func TestForgottenLast(t *testing.T) {
	t.Parallel()
	for name, forget := range forgets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			folder, where := t.TempDir(), []string{"--events", server.ConnectionString()}
			c, stop := testdesk.Built(t).Serve(t, folder, where...)
			lost := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
			c.Must(t, 200, "POST", "/v1/tickets/"+lost+"/notes", map[string]any{"body": "Hello"})
			c.CaughtUp(t)
			stop()
			forget(t, esdbtest.Admin(t, server.ConnectionString()), "daybook.ticket-"+lost)
			for range 2 {
				c, stop = testdesk.Built(t).Serve(t, folder, where...)
				testdesk.Eventually(t, "the projections have parked it", func() bool { return slices.Contains(parked(t, c), "ticket-"+lost) })
				c.Refused(t, 503, "log-damaged", "POST", "/v1/tickets/"+lost+"/notes", map[string]any{"body": "Hello"})
				if ready := string(c.Do(t, "GET", "/readyz", nil).Body); strings.Contains(ready, "restored") {
					t.Errorf("ready: %s", ready)
				}
				stop()
				if said := testdesk.Built(t).Must(t, 5, append([]string{"verify", "--data", folder}, where...)...); !strings.Contains(said, "(stream ticket-"+lost+")") {
					t.Errorf("verify: %s", said)
				}
				server.Scavenge()
			}
			testdesk.Built(t).Must(t, 0, append([]string{"rebuild", "--data", folder}, where...)...)
			c, _ = testdesk.Built(t).Serve(t, folder, where...)
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Paul"})
			c.CaughtUp(t)
			if streams := parked(t, c); !slices.Contains(streams, "ticket-"+lost) {
				t.Errorf("rebuilt, parked: %v", streams)
			}
		})
	}
}

// claims returns the streams of all reserved addresses of contacts.
func claims(t *testing.T, c *esdb.Client) (streams []string) {
	t.Helper()
	read, err := c.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for e, err := read.Recv(); err == nil; e, err = read.Recv() {
		if strings.Contains(string(e.Event.Data), `"contact"`) && strings.HasPrefix(e.Event.StreamID, "daybook.reservation-") {
			streams = append(streams, e.Event.StreamID)
		}
	}
	if len(streams) != 2 {
		t.Fatalf("the claims are %v", streams)
	}
	return streams
}

func parked(t *testing.T, c testdesk.Client) (streams []string) {
	t.Helper()
	for _, p := range c.Get(t, "/v1/projections").Object(t)["data"].([]any) {
		for _, stream := range p.(map[string]any)["parked"].([]any) {
			streams = append(streams, fmt.Sprint(stream))
		}
	}
	return streams
}
