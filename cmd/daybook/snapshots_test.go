package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daybook/api"
)

// TestSnapshots serves a desk with a long ticket, again and again. verify finds a snapshot that was changed, nobody uses it, and a
// rebuild makes an end of it.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	lines := []string{`"do":"contact.register","contact":"cy","name":"Cy"`, `"do":"ticket.open","ticket":"long","contact":"cy","channel":"email","subject":"Help"`}
	for i := range 1200 {
		lines = append(lines, fmt.Sprintf(`"do":"ticket.note","ticket":"long","body":"Note %d"`, i))
	}
	var text strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&text, `{"id":"%d","at":"2026-01-05T10:00:00Z","by":"system",%s}`+"\n", i, line)
	}
	folder, journal := t.TempDir(), filepath.Join(t.TempDir(), "desk.ndjson")
	if err := os.WriteFile(journal, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	inProcess.Must(t, 0, "import", "--data", folder, journal)
	revision := 1200
	notes := func() {
		t.Helper()
		c, stop := inProcess.Serve(t, folder)
		defer stop()
		ticket := c.All(t, "/v1/tickets")[0]["id"].(string)
		for range 2 {
			revision++
			a := c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "Hello"})
			if want := fmt.Sprintf(`"%d"`, revision); a.Header.Get("ETag") != want {
				t.Errorf("ETag %s, want %s", a.Header.Get("ETag"), want)
			}
		}
		c.CaughtUp(t) // or the rows that are counted below lack the last event
	}
	notes()
	notes()
	well := verified(t, inProcess, folder, 0)
	alter(t, filepath.Join(folder, "snapshots.db"), "UPDATE snapshots SET box = CAST(zeroblob(length(box)) AS BLOB) WHERE part = 'row'")
	if v := verified(t, inProcess, folder, notAsItIs); v.Verdict != api.ReadModelsDiffer || len(v.Differences) != 1 || !strings.HasSuffix(v.Differences[0], ": the row differs") || v.Rows != well.Rows {
		t.Errorf("%+v, before %+v", v, well)
	}
	notes() // and the snapshot is replaced
	well = verified(t, inProcess, folder, 0)
	alter(t, filepath.Join(folder, "snapshots.db"), "UPDATE snapshots SET box = CAST(zeroblob(length(box)) AS BLOB)")
	verified(t, inProcess, folder, notAsItIs)
	inProcess.Must(t, 0, "rebuild", "--data", folder)
	if v := verified(t, inProcess, folder, 0); v.Rows != well.Rows-2 {
		t.Errorf("%+v, before %+v", v, well)
	}
	notes()
}
