package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"daybook/api"
	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdb"
)

// TestLogAheadOfTheClock serves a desk whose clock was two hours ahead for a while: it is ready, and says so.
func TestLogAheadOfTheClock(t *testing.T) {
	t.Parallel()
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	for name, on := range map[string]func(t *testing.T, data string) (where []string, open func() (eventstore.Store, error)){
		"SQLite": func(_ *testing.T, data string) ([]string, func() (eventstore.Store, error)) {
			return nil, func() (eventstore.Store, error) {
				return sqlite.Open(filepath.Join(data, "events.db"), sqlite.Options{Now: later})
			}
		},
		"PostgreSQL": func(t *testing.T, _ string) ([]string, func() (eventstore.Store, error)) {
			url := testdb.URL(t)
			return []string{"--events", url, "--read-models", url}, func() (eventstore.Store, error) {
				return postgres.Open(t.Context(), url, postgres.Options{Now: later})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			where, open := on(t, data)
			c, stop := inProcess.Serve(t, data, where...)
			c.CaughtUp(t)
			if a := c.Get(t, "/readyz"); strings.Contains(string(a.Body), "warnings") {
				t.Errorf("in time: %s", a)
			}
			stop()
			store, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Settle(t.Context(), later()); err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			c, _ = inProcess.Serve(t, data, where...)
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
			c.CaughtUp(t)
			var health api.Health
			c.Get(t, "/readyz").Into(t, &health)
			if len(health.Warnings) != 1 || !regexp.MustCompile(`^The log is \d{4} seconds ahead of the clock`).MatchString(health.Warnings[0]) {
				t.Errorf("%+v", health)
			}
			a := c.Do(t, "GET", "/metrics", nil)
			found := regexp.MustCompile(`(?m)^daybook_recorded_ahead_seconds (\S+)$`).FindStringSubmatch(string(a.Body))
			if found == nil {
				t.Fatal(a)
			}
			if ahead, err := strconv.ParseFloat(found[1], 64); err != nil || ahead < 3600 || ahead > 7200 {
				t.Errorf("ahead by %s seconds", found[1])
			}
		})
	}
}
