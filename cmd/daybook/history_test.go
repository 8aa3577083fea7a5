package main

import (
	"os"
	"path/filepath"
	"testing"
)

// real returns the path of a file of real data that may lie beside the project, and passes over the test if it does not.
// What these tests show on real data, others show on the data that is shipped.
func real(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: this test needs the folder shared/data beside the project", name)
	}
	return path
}

// TestItalianHelpdesk imports four years of a real help desk, and holds every figure against those that another program
// worked out.
func TestItalianHelpdesk(t *testing.T) {
	want := readExpected(t, real(t, "italian-helpdesk.expected.json"))
	journal, folder := copied(t, real(t, "italian-helpdesk.journal.ndjson.gz")), t.TempDir()
	if got := imports(t, folder, journal); got != want.counts() {
		t.Errorf("got %+v, want %+v", got, want.counts())
	}
	refusedAsExpected(t, journal, want)
	c, stop := serve(t, folder)
	c.caughtUp(t)
	holds(t, c, want)
	stop()

	again := imports(t, folder, journal)
	if want := (counts{Lines: want.Lines, Duplicate: want.Lines}); again != want {
		t.Errorf("played again: %+v, want %+v", again, want)
	}
	comparesFiles(t, folder)
	replays(t, folder, journal, "2012-01-01T00:00:00+01:00")
}

// TestLifecycle imports a journal that visits every cell of the table of what may follow what.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	want := readExpected(t, real(t, "lifecycle.expected.json"))
	journal, folder := copied(t, real(t, "lifecycle.journal.ndjson")), t.TempDir()
	if got := imports(t, folder, journal); got != want.counts() {
		t.Errorf("got %+v, want %+v", got, want.counts())
	}
	refusedAsExpected(t, journal, want)
	c := mustServe(t, folder)
	c.caughtUp(t)
	holds(t, c, want)
}
