package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/api"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
	"daybook/vault"
)

// TestOlderProgram serves a desk on which a newer program has written events that this one does not know, of a ticket and of an
// agent. It shows that they happened, decides nothing about what they are about, and does everything else. Case 6.10.
func TestOlderProgram(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(t *testing.T) []string{
		"SQLite": func(*testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string {
			url := testdb.URL(t)
			return []string{"--events", url, "--read-models", url}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, where := t.TempDir(), where(t)
			c, stop := inProcess.Serve(t, data, where...)
			sung := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
			quiet := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("otto", "Help")).ID(t)
			ada := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
			ben := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ben", "email": "ben@desk.example", "role": "agent"}).ID(t)
			sales := c.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
			c.Must(t, 200, "POST", "/v1/tickets/"+sung+"/transfer", map[string]any{"department_id": sales}) // Ben does not see it
			bug := c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "Bug"}).ID(t)
			c.Must(t, 200, "PUT", "/v1/tickets/"+quiet+"/tags/bug", nil)
			c.CaughtUp(t)
			before := c.Get(t, "/v1/tickets/"+sung)
			stop()
			f, remote := folder{Data: data}, []string(nil)
			if where != nil {
				f.Events, f.ReadModels, remote = where[1], where[3], where[:2]
			}
			key := strings.TrimSpace(inProcess.Must(t, 0, append([]string{"key", "create", "--data", data, "--name", "ben", "--role", "agent", "--agent", ben}, remote...)...))
			at := sing(t, f, "ticket-sung", "ticket-"+sung)
			sing(t, f, "agent-sung", "agent-"+ada)
			sing(t, f, "tag-sung", "tag-"+bug)
			c, _ = inProcess.Serve(t, data, where...)

			testdesk.Eventually(t, "it has met the event", func() bool {
				return strings.Contains(string(c.Do(t, "GET", "/readyz", nil).Body), "newer version")
			})
			t.Run("it is shown", func(t *testing.T) { isShown(t, c, sung, at) })
			t.Run("nothing is decided about it", func(t *testing.T) {
				const code = "newer-program"
				c.Refused(t, 503, code, "POST", "/v1/tickets/"+sung+"/replies", map[string]any{"body": "Hello"})
				c.Refused(t, 503, code, "POST", "/v1/tickets/"+sung+"/resolve", nil)
				c.Refused(t, 503, code, "POST", "/v1/tickets/"+quiet+"/assign", map[string]any{"agent_id": ada})
				c.Refused(t, 503, code, "PUT", "/v1/tickets/"+quiet+"/tags/bug", nil)
				c.Refused(t, 503, code, "GET", "/v1/tickets/"+sung+"?as_of="+at.String(), nil)
				c.Get(t, "/v1/tickets/"+sung+"?as_of="+(at-1).String())
				c.Refused(t, 404, "ticket-unknown", "POST", "/v1/tickets/"+sung+"/resolve", nil, as(key))
				c.Refused(t, 503, code, "POST", "/v1/projections/rebuild", nil)
			})
			t.Run("everything else goes on", func(t *testing.T) {
				c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Paul"})
				c.Must(t, 200, "POST", "/v1/tickets/"+quiet+"/resolve", nil)
				if rows := c.All(t, "/v1/tickets?tag=bug"); len(rows) != 1 || rows[0]["id"] != quiet {
					t.Errorf("tickets by the tag: %v", rows)
				}
				if now := c.Get(t, "/v1/tickets/"+sung); string(now.Body) != string(before.Body) {
					t.Errorf("%s, and before %s", now, before)
				}
			})
			t.Run("operators are told", func(t *testing.T) { operatorsAreTold(t, c, at) })
			inProcess.Must(t, notAsItIs, append([]string{"verify", "--data", data, "--url", c.URL}, where...)...)
		})
	}
}

func as(key string) testdesk.With { return testdesk.Header("Authorization", "Bearer "+key) }

// sing appends an event of a type that this program does not know, as a newer one would.
func sing(t *testing.T, f folder, kind, stream string) eventstore.Position {
	t.Helper()
	store, err := f.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	v, err := vault.Open(filepath.Join(f.Data, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	last := eventstore.NoStream
	for e, err := range store.Read(t.Context(), stream, eventstore.Last, eventstore.Backwards, 1) {
		if err != nil {
			t.Fatal(err)
		}
		last = e.Revision
	}
	id, subject := uuid.New(), uuid.New()
	if err := v.Make(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
	meta, err := event.EncodeMetadata(event.Metadata{At: time.Now().UTC(), Actor: event.TheSystem, Principal: event.TheCommandLine, Through: "api", Reason: personal.New("for joy"), Request: uuid.New()},
		personal.Place{Stream: stream, Type: kind, Event: id}, subject, v)
	if err != nil {
		t.Fatal(err)
	}
	done, err := eventstore.AppendTo(context.WithoutCancel(t.Context()), store, stream, last, []eventstore.Event{{ID: id, Type: kind, Data: []byte(`{"song":"secret"}`), Meta: meta}})
	if err != nil {
		t.Fatal(err)
	}
	return done.Position
}

// isShown checks everything that shows events.
func isShown(t *testing.T, c testdesk.Client, ticket string, at eventstore.Position) {
	is := func(what string, e map[string]any) {
		t.Helper()
		if e["type"] != "ticket-sung" || e["unknown"] != true || len(e["data"].(map[string]any)) > 0 || e["reason"] != "for joy" || e["actor"] != "system" || e["at"] == "" {
			t.Errorf("%s: %v", what, e)
		}
	}
	unknown := 0
	for _, e := range c.All(t, "/v1/events") {
		if e["unknown"] == true {
			unknown++
		}
		if e["position"] == at.String() {
			is("the list", e)
		} else if e["unknown"] == true && e["type"] != "agent-sung" && e["type"] != "tag-sung" {
			t.Errorf("unknown: %v", e)
		}
	}
	if unknown != 3 {
		t.Errorf("%d events are unknown", unknown)
	}
	var thread struct{ Data []map[string]any }
	c.Get(t, "/v1/tickets/"+ticket+"/thread").Into(t, &thread)
	last := thread.Data[len(thread.Data)-1]
	is("the thread", last)
	revision := int(last["revision"].(float64))
	is("one event", c.Get(t, "/v1/events/ticket-"+ticket+"/"+strconv.Itoa(revision)).Object(t))
	sent := c.Follow(t, "/v1/events/stream?after=0&stream=ticket-"+ticket, revision+1)
	if e := sent[revision]; e.Kind != "ticket-sung" || !strings.Contains(e.Data, `"unknown":true`) || strings.Contains(e.Data, "secret") {
		t.Errorf("the stream: %v", e)
	}
	if rows := c.All(t, "/v1/events?stream=ticket-"+ticket); len(rows) != revision { // up to where the read models are
		t.Errorf("the list of the stream: %v", rows)
	}
}

// operatorsAreTold checks that the read models are before an unknown event, and everything that says so.
func operatorsAreTold(t *testing.T, c testdesk.Client, at eventstore.Position) {
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(text, "newer version of Daybook wrote the event at position "+at.String()) || !strings.Contains(text, "start the newer version") {
			t.Errorf("%s: %s", what, text)
		}
	}
	p := c.Refused(t, 503, "not-ready", "GET", "/readyz", nil)
	says("/readyz", p.Detail)
	var list struct{ Data []api.ProjectionStatus }
	c.Get(t, "/v1/projections").Into(t, &list)
	for _, s := range list.Data {
		if s.State != "stopped" || s.Position != (at-1).String() || s.LagEvents == 0 || len(s.Parked) > 0 {
			t.Errorf("%+v", s)
		}
		says("/v1/projections", s.Failure)
	}
	var v api.Verification
	c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
	if !v.Same || v.Position != (at-1).String() {
		t.Errorf("verified: %+v", v)
	}
	says("verify", v.Stopped)
}
