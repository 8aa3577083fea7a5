package postgres_test

import (
	"errors"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// TestDamagedLog changes each column of an event, and takes events away, past the writer. What reads there notices, and so does
// Check.
func TestDamagedLog(t *testing.T) {
	for name, script := range map[string]string{
		"data":              "UPDATE eventlog.events SET data = 'x' WHERE position = 5",
		"metadata":          "UPDATE eventlog.events SET meta = 'x' WHERE position = 5",
		"type":              "UPDATE eventlog.events SET type = 'x' WHERE position = 5",
		"id":                "UPDATE eventlog.events SET id = gen_random_uuid() WHERE position = 5",
		"time":              "UPDATE eventlog.events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 5",
		"checksum":          "UPDATE eventlog.events SET checksum = checksum # 1 WHERE position = 5",
		"revision":          "UPDATE eventlog.events SET revision = 17 WHERE position = 5",
		"stream":            "UPDATE eventlog.events SET stream = 'b' WHERE position = 5",
		"gone":              "DELETE FROM eventlog.events WHERE position = 5",
		"the first is gone": "DELETE FROM eventlog.events WHERE position = 1",
		"two are exchanged": "UPDATE eventlog.events SET position = -position WHERE position IN (5, 6); UPDATE eventlog.events SET position = position + 11 WHERE position < 0",
	} {
		t.Run(name, func(t *testing.T) {
			url := testdb.URL(t)
			store := open(t, url, postgres.Options{})
			defer shut(t, store)
			for i := range eventstore.Revision(10) {
				if _, err := eventstore.AppendTo(t.Context(), store, "a", i-1, event()); err != nil {
					t.Fatal(err)
				}
			}
			if events, err := store.Check(t.Context(), func(err error) { t.Error(err) }, nil); events != 10 || err != nil {
				t.Fatalf("Check of a log that is whole: %d events, %v", events, err)
			}
			execute(t, url, script)
			var damage *eventstore.DamageError
			var found []error
			if _, err := store.Check(t.Context(), func(err error) { found = append(found, err) }, nil); err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 || !errors.As(found[0], &damage) {
				t.Errorf("Check tells %v", found)
			}
			var err error
			for _, err = range store.Follow(t.Context(), eventstore.Start) {
				break
			}
			if !errors.As(err, &damage) {
				t.Errorf("following ends with %v", err)
			}
			for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
				from := map[eventstore.Direction]eventstore.Revision{eventstore.Forwards: 0, eventstore.Backwards: eventstore.Last}[way]
				var last error
				for _, err := range store.Read(t.Context(), "a", from, way, 0) {
					last = err
				}
				if !errors.As(last, &damage) {
					t.Errorf("reading ends with %v", last)
				}
			}
		})
	}
}
