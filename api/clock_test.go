package api_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestClockIsSet sets the clock back and forth between commands. A report with one known_at must always have the same bytes. Case 6.9.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, func() time.Time) (eventstore.Store, error){
		"SQLite": func(t *testing.T, now func() time.Time) (eventstore.Store, error) {
			return sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{Now: now})
		},
		"PostgreSQL": func(t *testing.T, now func() time.Time) (eventstore.Store, error) {
			return postgres.Open(t.Context(), testdb.URL(t), postgres.Options{Now: now})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			clock := newClock(start)
			store, err := open(t, clock.now)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := wiredTo(t, store, store, clock.now, time.Minute)
			known := map[time.Time]string{}
			var last time.Time // the clock has been there
			for i, step := range []struct{ years, hours int }{{0, 0}, {0, 1}, {0, -1}, {-10, 0}, {0, 2}, {10, 0}, {0, 3}, {10, 1}} {
				// The clock is asked about before anything is recorded by it, and after.
				clock.set(start.AddDate(step.years, 0, 0).Add(time.Duration(step.hours) * time.Hour))
				instants := []time.Time{clock.now()}
				if last.After(clock.now()) {
					instants = append(instants, last)
				} else {
					last = clock.now()
				}
				for range 2 {
					for _, at := range instants {
						a := c.Do(t, "GET", knownAt(at), nil)
						if a.Status != 200 {
							t.Fatalf("step %d, known at %v with the clock at %v: %s", i, at, clock.now(), a)
						}
						if before, asked := known[at]; asked && before != string(a.Body) {
							t.Errorf("step %d, known at %v: %s, and before %s", i, at, a.Body, before)
						}
						known[at] = string(a.Body)
					}
					c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry(fmt.Sprintf("nora%d", i), "Help"))
				}
				for at, before := range known {
					if a := c.Do(t, "GET", knownAt(at), nil); string(a.Body) != before {
						t.Errorf("step %d, known at %v: %s, and before %s", i, at, a, before)
					}
				}
				c.Refused(t, 422, "instant-in-future", "GET", "/v1/reports/agents?from=2000-01-01&to=2050-01-01&known_at="+last.Add(time.Hour).Format(time.RFC3339), nil)
			}
			different := map[string]bool{}
			for _, body := range known {
				different[body] = true
			}
			if len(different) < 4 {
				t.Errorf("only %d of %d reports differ", len(different), len(known))
			}
		})
	}
}

// TestKnownWhileTheClockGoesBack sets the clock of a server with EventStoreDB back. What was known at an instant ends before the first
// event that was recorded after it, whatever is recorded later.
func TestKnownWhileTheClockGoesBack(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := newClock(noon)
	server := esdbtest.NewServer(esdbtest.Options{Now: clock.now})
	t.Cleanup(server.Close)
	store, err := esdb.Open(t.Context(), server.ConnectionString(), esdb.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := wiredTo(t, store, store, clock.now, time.Minute)
	after := ""
	inquires := func(who string) {
		after = c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry(who, "Help")).Position()
	}
	known := func(at time.Time) string {
		return string(c.Get(t, knownAt(at), testdesk.Header("Daybook-After", after), testdesk.Header("Prefer", "handling=strict, wait=60")).Body)
	}
	inquires("nora")
	clock.set(noon.Add(2 * time.Hour))
	inquires("otto")
	early, late := known(noon.Add(-time.Minute)), known(noon.Add(time.Hour))
	clock.set(noon.Add(-time.Hour))
	inquires("paul")
	for at, before := range map[time.Time]string{noon.Add(-time.Minute): early, noon.Add(time.Hour): late} {
		if again := known(at); again != before {
			t.Errorf("known at %v: %s, and before %s", at, again, before)
		}
	}
	if early == late {
		t.Error("both reports are the same")
	}
	c.Refused(t, 422, "instant-in-future", "GET", knownAt(noon.Add(3*time.Hour)), nil)
}

// knownAt is the path of a report.
func knownAt(at time.Time) string {
	return "/v1/reports/agents?from=2000-01-01&to=2050-01-01&by=month&known_at=" + url.QueryEscape(at.Format(time.RFC3339Nano))
}

// A clock is set by a test and read by a desk.
type clock struct{ micros atomic.Int64 }

func newClock(at time.Time) *clock {
	c := new(clock)
	c.set(at)
	return c
}

func (c *clock) set(at time.Time) { c.micros.Store(at.UnixMicro()) }

func (c *clock) now() time.Time { return time.UnixMicro(c.micros.Load()).UTC() }
