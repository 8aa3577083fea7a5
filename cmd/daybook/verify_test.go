package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/api"
	"daybook/internal/testdesk"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	journal, folder := testdesk.JournalFile(t), sameNames(t)
	imports(t, inProcess, folder, journal)
	comparesFiles(t, inProcess, folder)
}

func TestReplay(t *testing.T) {
	t.Parallel()
	journal, folder := testdesk.JournalFile(t), sameNames(t)
	imports(t, inProcess, folder, journal)
	for _, at := range []string{"2025-03-04T09:00:00+01:00", "2025-04-01T09:00:00Z", "2025-04-02T12:10:00+02:00", "2026-01-01T00:00:00Z"} {
		replays(t, inProcess, folder, journal, at)
	}
}

// comparesFiles verifies and rebuilds an imported desk. At first there are no differences. Then a row is deleted, a cell
// altered and an event skipped without the program, and verify must list these and nothing else. A rebuild must repair
// them, and a second rebuild must give the same tables.
func comparesFiles(t *testing.T, p testdesk.Program, folder string) {
	t.Helper()
	projected(t, p, folder)
	if v := verified(t, p, folder, 0); !v.Same || v.Rows == 0 || v.Events == 0 {
		t.Errorf("verify: %+v", v)
	}
	live := newest(t, folder)
	db := openSQL(t, live)
	var deleted, altered, counted, agent, department string
	var week int
	var pack []byte
	ask := func(into any, query string, args ...any) {
		t.Helper()
		if err := db.QueryRow(query, args...).Scan(into); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	ask(&deleted, "SELECT contact_id FROM contacts ORDER BY contact_id LIMIT 1")
	ask(&altered, "SELECT ticket_id FROM tickets ORDER BY ticket_id LIMIT 1")
	ask(&counted, "SELECT ticket_id FROM tickets WHERE ticket_id > ? AND resolved_at IS NOT NULL ORDER BY ticket_id LIMIT 1", altered)
	const packed = " FROM agent_activity WHERE part = 0 AND length(facts) > 60 ORDER BY agent_id, week, department_id LIMIT 1"
	ask(&agent, "SELECT agent_id"+packed)
	ask(&week, "SELECT week"+packed)
	ask(&department, "SELECT department_id"+packed)
	ask(&pack, "SELECT facts"+packed)
	db.Close()
	facts, earlier, err := table.Unpack[report.Activity](pack, nil)
	if err != nil || len(facts) < 2 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	hidden := fmt.Sprintf("agent_activity %s,%d,%s,0, fact %d of position %d: the row is missing", agent, week, department, facts[0].Seq, facts[0].Position)
	alter(t, live, "DELETE FROM contacts WHERE contact_id = ?", deleted)
	alter(t, live, "UPDATE tickets SET priority = 'altered' WHERE ticket_id = ?", altered)
	// A projection that skipped one event lacks its changes, and its count of events is one too low.
	alter(t, live, "UPDATE checkpoints SET applied = applied - 1 WHERE projection = 'agent_reports'")
	alter(t, live, "UPDATE agent_activity SET facts = ? WHERE agent_id = ? AND week = ? AND department_id = ? AND part = 0", table.Pack(earlier, facts[1:]), agent, week, department)
	alter(t, live, "UPDATE tickets SET resolved_at = NULL, revision = revision - 1 WHERE ticket_id = ?", counted)

	v := verified(t, p, folder, notAsItIs)
	for _, want := range []string{
		"contacts " + deleted + ": the row is missing",
		"tickets " + altered + ": priority differs",
		"tickets " + counted + ": resolved_at is ",
		"tickets " + counted + ": revision is ",
		hidden,
		"checkpoints agent_reports: applied is ",
	} {
		found := slices.IndexFunc(v.Differences, func(d string) bool { return strings.HasPrefix(d, want) })
		if found < 0 {
			t.Errorf("verify does not name %q", want)
			continue
		}
		v.Differences = slices.Delete(v.Differences, found, found+1)
	}
	if v.Same || len(v.Differences) > 0 {
		t.Errorf("verify names what was not touched: %q", v.Differences)
	}

	out := p.Must(t, 0, "rebuild", "--data", folder)
	if !strings.Contains(out, ", with 6 differences from the previous read models") || !strings.Contains(out, "contacts "+deleted+": the row is missing") {
		t.Errorf("rebuild says: %s", out)
	}
	first := everything(t, newest(t, folder))
	if v := verified(t, p, folder, 0); !v.Same {
		t.Errorf("after a rebuild: %+v", v)
	}
	if out := p.Must(t, 0, "rebuild", "--data", folder); !strings.Contains(out, ", with 0 differences") {
		t.Errorf("rebuilt again: %s", out)
	}
	mustBeSame(t, "two rebuilds", everything(t, newest(t, folder)), first)
}

func verified(t *testing.T, p testdesk.Program, folder string, exit int) (v api.Verification) {
	t.Helper()
	out := p.Must(t, exit, "verify", "--data", folder, "-o", "json")
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// replays compares the read models as of an instant with those of a desk that imported only the lines up to it.
func replays(t *testing.T, p testdesk.Program, folder, journal, asOf string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, asOf)
	if err != nil {
		t.Fatal(err)
	}
	then := filepath.Join(t.TempDir(), "then.db")
	p.Must(t, 0, "replay", "--data", folder, "--as-of", asOf, "--to", then)
	other := sameNames(t)
	imports(t, p, other, linesUntil(t, journal, at))
	mustBeSame(t, "as of "+asOf, state(t, then), projected(t, p, other))
	if _, talk, exit := p.Run(t, "replay", "--data", folder, "--as-of", asOf, "--to", then); exit != failed || !strings.Contains(talk, "exists already") {
		t.Errorf("a replay over a file: exit %d, %s", exit, talk)
	}
}

// linesUntil writes the lines of a journal that happened up to an instant.
func linesUntil(t *testing.T, journal string, until time.Time) string {
	t.Helper()
	file, err := os.Open(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	if strings.HasSuffix(journal, ".gz") {
		plain, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = bufio.NewScanner(plain)
	}
	var kept strings.Builder
	for lines.Scan() {
		var l struct{ At time.Time }
		if json.Unmarshal(lines.Bytes(), &l) == nil && !l.At.After(until) {
			kept.Write(append(lines.Bytes(), '\n'))
		}
	}
	path := filepath.Join(t.TempDir(), "until.ndjson")
	if err := os.WriteFile(path, []byte(kept.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
