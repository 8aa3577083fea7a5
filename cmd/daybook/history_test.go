package main

import (
	"os"
	"path/filepath"
	"testing"

	"daybook/domain/desk"
	"daybook/internal/testdesk"
)

// real returns the path of a file of real data beside the project, or skips the test if there is none. Other tests check
// the same on shipped data.
func real(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: this test needs the folder shared/data beside the project", name)
	}
	return path
}

// TestHistoryItalianHelpdesk imports four years of a real help desk, and compares every figure with those that another
// program computed.
func TestHistoryItalianHelpdesk(t *testing.T) {
	t.Parallel()
	want := testdesk.ReadExpected(t, real(t, "italian-helpdesk.expected.json"))
	p, journal, folder := testdesk.Shipped(t), copied(t, real(t, "italian-helpdesk.journal.ndjson.gz")), sameNames(t)
	if got := imports(t, p, folder, journal); got != want.Counts() {
		t.Errorf("got %+v, want %+v", got, want.Counts())
	}
	refusedAsExpected(t, journal, want)
	c, stop := p.Serve(t, folder)
	c.CaughtUp(t)
	want.Holds(t, c)
	stop()
	f := folderOf(folder)
	everyEventSays(t, f, f.log(t))

	again := imports(t, p, folder, journal)
	refused := want.Rejected + want.Malformed // case 6.24
	if want := (desk.Counts{Lines: want.Lines, Duplicate: want.Lines - refused, Rejected: want.Rejected, Malformed: want.Malformed}); again != want {
		t.Errorf("played again: %+v, want %+v", again, want)
	}
	comparesFiles(t, p, folder)
	replays(t, p, folder, journal, "2012-01-01T00:00:00+01:00")
}

// TestHistoryLifecycle imports a journal that covers every cell of the table of ticket statuses and commands.
func TestHistoryLifecycle(t *testing.T) {
	t.Parallel()
	want := testdesk.ReadExpected(t, real(t, "lifecycle.expected.json"))
	journal, folder := copied(t, real(t, "lifecycle.journal.ndjson")), t.TempDir()
	if got := imports(t, inProcess, folder, journal); got != want.Counts() {
		t.Errorf("got %+v, want %+v", got, want.Counts())
	}
	refusedAsExpected(t, journal, want)
	c, stop := inProcess.Serve(t, folder)
	c.CaughtUp(t)
	want.Holds(t, c)
	stop()
	f := folderOf(folder)
	everyEventSays(t, f, f.log(t))
}

// TestHistoryKillItalian kills the import of the real history at random moments.
func TestHistoryKillItalian(t *testing.T) {
	t.Parallel()
	survivesKills(t, testdesk.Shipped(t), real(t, "italian-helpdesk.journal.ndjson.gz"))
}
