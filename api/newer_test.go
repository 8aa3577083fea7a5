package api_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/company"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdesk"
)

// A newer log is read by the projections of a newer program, which knows the event that the API's program does not.
type newer struct{ eventstore.Store }

func (n newer) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for batch, err := range n.Store.Follow(ctx, after, most...) {
			for i := range batch {
				if batch[i].Type == "company-sung" {
					batch[i].Type = company.Deleted{}.EventType()
				}
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}

// TestProjectedByANewerProgram asks for lists that a newer program projected, with an event that this one does not know.
func TestProjectedByANewerProgram(t *testing.T) {
	t.Parallel()
	log, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := wiredTo(t, log, newer{log}, time.Now, time.Minute)
	id := c.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Acme"}).ID(t)
	meta, err := json.Marshal(event.Metadata{At: time.Now().UTC(), Actor: event.TheSystem, Principal: event.TheCommandLine, Through: "api", Request: uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	done, err := eventstore.AppendTo(t.Context(), log, "company-"+id, 0, []eventstore.Event{{ID: uuid.New(), Type: "company-sung", Data: []byte(`{"song":"secret"}`), Meta: meta}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/v1/companies/" + id + "/timeline", "/v1/events?stream=company-" + id, "/v1/events?actor=system", "/v1/events",
	} {
		var list struct{ Data []map[string]any }
		c.Get(t, path, testdesk.Header("Daybook-After", done.Position.String())).Into(t, &list)
		found := 0
		for _, e := range list.Data {
			if e["unknown"] != true {
				continue
			}
			if found++; e["type"] != "company-sung" || e["through"] != "api" || len(e["data"].(map[string]any)) > 0 {
				t.Errorf("%s: %v", path, e)
			}
		}
		if found != 1 {
			t.Errorf("%s: %v", path, list.Data)
		}
	}
}
