package main

import (
	"encoding/json"
	"fmt"
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
	if want := (desk.Counts{Lines: want.Lines, Duplicate: want.Lines - want.Rejected - want.Malformed, Rejected: want.Rejected, Malformed: want.Malformed}); again != want { // case 6.24
		t.Errorf("played again: %+v, want %+v", again, want)
	}
	refusedAsExpected(t, journal, want)
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

// TestRefusedLinesAreListedAnew is case 6.24: a journal with refused lines is imported again, mended in part, and mended at last, by
// this process and by a server. The exit status and the file of refused lines say what is refused now.
func TestRefusedLinesAreListedAnew(t *testing.T) {
	t.Parallel()
	for name, served := range map[string]bool{"in this process": false, "by a server": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			journal := filepath.Join(t.TempDir(), "desk.ndjson")
			args := []string{"import", "--data", folder, "-o", "json", journal}
			if served {
				c, stop := inProcess.Serve(t, folder)
				defer stop()
				args = append(args, "--url", c.URL)
			}
			open := func(id, contact string) string {
				return fmt.Sprintf(`{"id":%q,"at":"2026-01-05T10:00:00Z","by":"system","do":"ticket.open","ticket":%q,"channel":"email","subject":"S","contact":%q}`+"\n", id, id, contact)
			}
			eve := `{"id":"eve","at":"2026-01-05T10:00:00Z","by":"system","do":"contact.register","contact":"eve","name":"Eve"}` + "\n"
			for i, step := range []struct {
				lines string
				exit  int
				want  desk.Counts
				named string // the lines in the file
			}{
				{eve + open("a", "ev") + open("b", "ev"), someRejected, desk.Counts{Lines: 3, Accepted: 1, Rejected: 2}, "a2 b3"},
				{eve + open("a", "ev") + open("b", "ev"), someRejected, desk.Counts{Lines: 3, Duplicate: 1, Rejected: 2}, "a2 b3"},
				{eve + open("b", "ev") + open("a", "eve"), someRejected, desk.Counts{Lines: 3, Accepted: 1, Duplicate: 1, Rejected: 1}, "b2"},
				{eve + open("b", "eve") + open("a", "eve"), 0, desk.Counts{Lines: 3, Accepted: 1, Duplicate: 2}, ""},
				{eve + open("b", "eve") + open("a", "eve"), 0, desk.Counts{Lines: 3, Duplicate: 3}, ""},
			} {
				if err := os.WriteFile(journal, []byte(step.lines), 0o600); err != nil {
					t.Fatal(err)
				}
				out, talk, exit := inProcess.Run(t, args...)
				var got desk.Counts
				if err := json.Unmarshal([]byte(out), &got); err != nil || got != step.want || exit != step.exit {
					t.Errorf("run %d: exit %d, %+v, want %d, %+v: %s", i, exit, got, step.exit, step.want, talk)
				}
				var named []string
				data, err := os.ReadFile(journal + rejectedEnding)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(data)) {
					var o struct {
						Line                   int
						ID, Code, Reason, Text string
					}
					if err := json.Unmarshal([]byte(line), &o); err != nil || o.Code != "contact-unknown" || o.Reason == "" || !strings.Contains(o.Text, o.ID) {
						t.Errorf("run %d: %s", i, line)
					}
					named = append(named, fmt.Sprint(o.ID, o.Line))
				}
				if got := strings.Join(named, " "); got != step.named {
					t.Errorf("run %d: the file names %q, want %q", i, got, step.named)
				}
			}
		})
	}
}
