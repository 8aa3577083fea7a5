package journal

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestEveryVerbIsPlayed checks that the journal of the projections' tests uses every verb.
func TestEveryVerbIsPlayed(t *testing.T) {
	const path = "projections/testdata/desk.journal.ndjson"
	lines, err := os.ReadFile("../" + path)
	if err != nil {
		t.Fatal(err)
	}
	played := make(map[string]bool)
	for i, data := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		l := parse(raw{number: i + 1, bytes: []byte(data)}, time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC))
		if l.malformed != nil {
			t.Errorf("%s, line %d: %v", path, i+1, l.malformed)
		}
		played[l.Do] = true
	}
	for name := range verbs {
		if !played[name] {
			t.Errorf("no line of %s does %s. Add one, and run go test ./projections -run Journal -write.", path, name)
		}
	}
}
