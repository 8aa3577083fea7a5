package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestMemoryOfLargeTexts is case 8.1: a log of large texts, of characters that JSON and PostgreSQL double, is imported, rebuilt and
// verified in little memory. DAYBOOK_SOAK=1 takes a log of 900 MB, for which the same holds.
func TestMemoryOfLargeTexts(t *testing.T) {
	t.Parallel()
	const most = 256 << 10 // KiB
	p, path, notes := testdesk.Shipped(t), filepath.Join(t.TempDir(), "large.ndjson"), 1000
	if testdesk.Soak() {
		notes = 13_200
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewEncoder(file)
	type line map[string]any
	all := []line{
		{"by": "system", "do": "contact.register", "contact": "nora", "name": "Nora"},
		{"by": "contact", "do": "ticket.open", "ticket": "long", "contact": "nora", "channel": "email", "subject": "Long", "body": "x"},
	}
	note := line{"by": "system", "do": "ticket.note", "ticket": "long", "body": strings.Repeat(`"`, 50_000)}
	for i := range len(all) + notes {
		l := note
		if i < len(all) {
			l = all[i]
		}
		l["id"], l["at"] = fmt.Sprint(i), "2026-01-01T00:00:00Z"
		if err := lines.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	database := testdb.URL(t)
	for name, where := range map[string][]string{"SQLite": nil, "PostgreSQL": inOne(database)} {
		folder := t.TempDir()
		for _, command := range [][]string{{"import", path}, {"rebuild"}, {"verify"}} {
			said := bytes.Buffer{}
			cmd := exec.CommandContext(t.Context(), p.Path(t), append(append(command, "--data", folder), where...)...)
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			took, looks := 0, time.NewTicker(5*time.Millisecond)
			for err, over := error(nil), false; !over; {
				select {
				case err = <-ended:
					over = true
				case <-looks.C:
					took = max(took, residentAtMost(cmd.Process.Pid))
				}
				if err != nil {
					t.Fatalf("%s: %s: %v\n%s", name, command[0], err, &said)
				}
			}
			looks.Stop()
			if took == 0 || took > most {
				t.Errorf("%s: %s took %d MiB", name, command[0], took>>10)
			}
		}
	}
}

// residentAtMost returns the most memory that a process had so far, in KiB; 0: it has ended.
func residentAtMost(pid int) (most int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(after, &most)
	return most
}
