package sqlite_test

import (
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdisk"
)

func TestFailingDisk(t *testing.T) {
	for _, failing := range testdisk.Failures {
		t.Run("C51 a failed "+failing.Name+" fails its callers alone, and a retry settles it", func(t *testing.T) {
			path := newPath(t)
			store := open(t, path, sqlite.Options{})
			appends(t, store, "a", eventstore.NoStream, events(3, 10))
			repair := failing.Break(t, path+"-wal")
			failed := events(2, 10)
			for range 3 {
				if _, err := eventstore.AppendTo(t.Context(), store, "a", 2, failed); err == nil || !strings.Contains(err.Error(), "I/O error") {
					t.Errorf("Append: %v", err)
				}
			}
			repair()
			revisions(t, store, "a", 3)
			for range 2 {
				if got := appends(t, store, "a", 2, failed); got.Revision != 4 || got.Position != 5 {
					t.Errorf("the retry gave %+v", got)
				}
			}
			shut(t, store)
			store = open(t, path, sqlite.Options{})
			defer shut(t, store)
			if got := rest(t, store, eventstore.Start); len(got) != 5 {
				t.Errorf("the log holds %d events, want 5", len(got))
			}
			revisions(t, store, "a", 5)
		})
	}
}
