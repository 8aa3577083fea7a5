package projections_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/internal/testlog"
	"daybook/journal"
)

// TestJournal plays a journal that visits every rule of the projections that a journal can, and compares the result with
// testdata/desk.digest. If you add a rule, add lines that visit it. To see which are visited:
//
//	go test ./projections -run Journal -coverpkg daybook/projections -coverprofile cover.out
func TestJournal(t *testing.T) {
	lines, err := os.ReadFile("testdata/desk.journal.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	log := newScene(t)
	player := &journal.Player{
		Desk: testlog.Desk(log.store), Source: "journal", Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(),
		Now: func() time.Time { return clock(24 * 60) },
		Report: func(outcomes []journal.Outcome) {
			for _, o := range outcomes {
				if o.Result != desk.Accepted {
					t.Errorf("line %d of projections/testdata/desk.journal.ndjson is %s, so that it visits nothing: %s\n%s", o.Line, o.Result, o.Reason, o.Text)
				}
			}
		},
	}
	if _, err := player.Play(t.Context(), bytes.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	expect(t, "desk.digest", digest(fold(t, log.source)))
}

// digest is all rows, one per line, sorted. It leaves out positions, and so the order of what was written at once, because they
// can differ the next time. Entities are shown by their names in the journal.
func digest(rows []row) string {
	var lines, names []string
	for _, r := range rows {
		line := r.table
		if id, err := uuid.Parse(r.key); err == nil {
			line += " " + id.String()
			if ref := strings.Trim(r.columns.get("ref"), `"`); ref != "" {
				names = append(names, id.String(), ref)
			}
		}
		for _, c := range r.columns {
			if !c.empty() && c.name != "recorded_at" {
				line += fmt.Sprintf(" %s: %s;", c.name, c.value)
			}
		}
		lines = append(lines, strings.TrimSuffix(line, ";"))
	}
	byName := strings.NewReplacer(names...)
	for i, line := range lines {
		lines[i] = byName.Replace(line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
