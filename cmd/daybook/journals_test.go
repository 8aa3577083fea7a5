package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daybook/domain/desk"
	"daybook/internal/testdesk"
)

// copied copies a journal to a folder in which its file of refused lines may be written.
func copied(t *testing.T, journal string) string {
	t.Helper()
	data, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(journal))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// imports imports a journal into a folder and returns its counts.
func imports(t *testing.T, p testdesk.Program, folder, journal string) desk.Counts {
	t.Helper()
	out, talk, exit := p.Run(t, "import", "--data", folder, "-o", "json", journal)
	var c desk.Counts
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &c); err != nil {
		t.Fatalf("%v: %s%s", err, out, talk)
	}
	if want := 0; c.Rejected+c.Malformed > 0 {
		want = someRejected
		if exit != want {
			t.Errorf("exit %d, want %d", exit, want)
		}
	} else if exit != want {
		t.Errorf("exit %d, want %d: %s", exit, want, talk)
	}
	return c
}

// TestJournal imports the shipped journal and compares everything with results that were worked out by hand.
func TestJournal(t *testing.T) {
	t.Parallel()
	want := testdesk.ExpectedOfJournal(t)
	journal, folder := testdesk.JournalFile(t), t.TempDir()
	if got := imports(t, inProcess, folder, journal); got != want.Counts() {
		t.Errorf("got %+v, want %+v", got, want.Counts())
	}
	refusedAsExpected(t, journal, want)
	c, stop := inProcess.Serve(t, folder)
	c.CaughtUp(t)
	want.Holds(t, c)
	stop()
	before := state(t, newest(t, folder))

	again := imports(t, inProcess, folder, journal)
	if want := (desk.Counts{Lines: want.Lines, Duplicate: want.Lines - 3, Malformed: 3}); again != want { // lines without an id cannot be recognised as duplicates
		t.Errorf("played again: %+v, want %+v", again, want)
	}
	mustBeSame(t, "after playing it again", projected(t, inProcess, folder), before)
}

// refusedAsExpected checks the file of refused lines.
func refusedAsExpected(t *testing.T, journal string, want testdesk.Expected) {
	t.Helper()
	data, err := os.ReadFile(journal + rejectedEnding)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[int]string)
	var ids []string
	for line := range strings.Lines(string(data)) {
		var o struct {
			Line                int
			ID, Outcome, Reason string
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		if o.Reason == "" {
			t.Errorf("line %d was refused without a reason", o.Line)
		}
		got[o.Line] = o.Outcome
		ids = append(ids, o.ID)
	}
	if len(got) != want.Rejected+want.Malformed {
		t.Errorf("%d refused lines are named, want %d", len(got), want.Rejected+want.Malformed)
	}
	for _, o := range want.Outcomes {
		if refused := o.Outcome == "rejected" || o.Outcome == "malformed"; refused != (got[o.Line] != "") || refused && got[o.Line] != o.Outcome {
			t.Errorf("line %d: %q, want %s", o.Line, got[o.Line], o.Outcome)
		}
	}
	for _, r := range want.RejectedLines {
		if !slices.Contains(ids, r.ID) {
			t.Errorf("line %s is not named", r.ID)
		}
	}
}
