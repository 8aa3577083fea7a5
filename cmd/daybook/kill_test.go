package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daybook/domain/desk"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdesk"
)

// kills is how often a killed import is killed.
func kills() int {
	if testdesk.Soak() {
		return 10
	}
	return 3
}

// moments returns random positions of a log, in order. There is a kill when the log reaches each of them.
func moments(random *rand.Rand, head eventstore.Position) []eventstore.Position {
	all := make([]eventstore.Position, kills())
	for i := range all {
		all[i] = eventstore.Position(random.Int64N(int64(head)) + 1)
	}
	slices.Sort(all)
	return all
}

// TestKillImport kills imports at random moments. The journal is many times as long as the shipped one.
func TestKillImport(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "enlarged.ndjson")
	times := 12
	if testdesk.Soak() {
		times = 120
	}
	if err := os.WriteFile(journal, enlarged(t, times), 0o600); err != nil {
		t.Fatal(err)
	}
	survivesKills(t, reexec, journal)
}

// TestKillServer kills a server while it imports and projects a journal.
func TestKillServer(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "enlarged.ndjson")
	if err := os.WriteFile(journal, enlarged(t, 6), 0o600); err != nil {
		t.Fatal(err)
	}
	clean, want := cleanRun(t, reexec, journal)
	random, folder := testdesk.Chance(t), sameNames(t)
	for _, at := range moments(random, clean.head) {
		c, server := reexec.StartServer(t, folder)
		importer := reexec.Start(t, io.Discard, "import", "--data", folder, "--url", c.URL, journal)
		log := readLog(t, folder)
		testdesk.Eventually(t, "the log reaches a random position, or the import is over", func() bool { return head(t, log) >= at || importer.Over() })
		server.Kill()
		<-importer.Ended()
		log.Close()
	}
	c, stop := reexec.Serve(t, folder)
	if out, talk, exit := reexec.Run(t, "import", "--data", folder, "--url", c.URL, journal); exit != someRejected {
		t.Fatalf("exit %d\n%s%s", exit, out, talk)
	}
	c.CaughtUp(t)
	if got := outcomes(t, c); !maps.Equal(got, clean.outcomes) {
		t.Errorf("the outcomes differ: %d lines, want %d", len(got), len(clean.outcomes))
	}
	stop()
	mustBeSame(t, "after kills", state(t, newest(t, folder)), want)
	if v := verified(t, reexec, folder, 0); !v.Same {
		t.Errorf("verify: %+v", v)
	}
}

// enlarged repeats the shipped journal many times, each time with different names and addresses.
func enlarged(t *testing.T, times int) []byte {
	t.Helper()
	data := testdesk.Journal(t)
	var all bytes.Buffer
	for i := range times {
		own := func(s string) string { return fmt.Sprintf("%s-%d", s, i) }
		for line := range strings.Lines(string(data)) {
			var l map[string]any
			if json.Unmarshal([]byte(line), &l) != nil || l["id"] == nil {
				continue
			}
			for _, field := range []string{"id", "ticket", "contact", "company", "agent", "department", "tag", "group", "note"} {
				if s, ok := l[field].(string); ok {
					l[field] = own(s)
				}
			}
			if kind, ref, ok := strings.Cut(l["by"].(string), ":"); ok {
				l["by"] = kind + ":" + own(ref)
			}
			text, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			person := strings.NewReplacer("@customers", fmt.Sprintf(".%d@customers", i), "@CUSTOMERS", fmt.Sprintf(".%d@customers", i), "@Customers", fmt.Sprintf(".%d@customers", i), "@desk", fmt.Sprintf(".%d@desk", i),
				"6982 0101", fmt.Sprintf("6982 %04d", 1000+i), "6982 0102", fmt.Sprintf("6982 %04d", 2000+i), `"v-1"`, fmt.Sprintf(`"v-%d"`, i+1))
			all.WriteString(person.Replace(string(text)) + "\n")
		}
	}
	return all.Bytes()
}

// A cleanImport is an import without kills.
type cleanImport struct {
	counts   desk.Counts
	outcomes map[string]string
	head     eventstore.Position
}

// cleanRun imports a journal without kills and returns its results.
func cleanRun(t *testing.T, p testdesk.Program, journal string) (cleanImport, rows) {
	t.Helper()
	folder := sameNames(t)
	clean := cleanImport{counts: imports(t, p, folder, copied(t, journal))}
	c, stop := p.Serve(t, folder)
	c.CaughtUp(t)
	clean.outcomes = outcomes(t, c)
	stop()
	log := readLog(t, folder)
	clean.head = head(t, log)
	log.Close()
	return clean, state(t, newest(t, folder))
}

// outcomes returns the result of each line, as the log records it.
func outcomes(t *testing.T, c testdesk.Client) map[string]string {
	t.Helper()
	var made struct {
		Data []struct{ Correlation string }
	}
	c.Get(t, "/v1/events?type=department-created&limit=1").Into(t, &made)
	source := made.Data[0].Correlation // what was imported is correlated by the source
	came := map[string]string{}
	for batch := 0; ; batch++ {
		a := c.Do(t, http.MethodGet, fmt.Sprintf("/v1/events/import-%s/%d", source, batch), nil)
		if a.Status == http.StatusNotFound && batch > 0 {
			return came
		}
		if a.Status != http.StatusOK {
			t.Fatalf("batch %d: %s", batch, a)
		}
		for result, ids := range a.Object(t)["data"].(map[string]any) {
			list, _ := ids.([]any)
			for _, id := range list {
				if before, twice := came[id.(string)]; twice {
					t.Errorf("line %s was played twice: %s, then %s", id, before, result)
				}
				came[id.(string)] = result
			}
		}
	}
}

func readLog(t *testing.T, folder string) *sqlite.Store {
	t.Helper()
	var store *sqlite.Store
	testdesk.Eventually(t, "there is a log", func() bool {
		var err error
		store, err = sqlite.OpenReadOnly(filepath.Join(folder, "events.db"))
		return err == nil
	})
	return store
}

func head(t *testing.T, s *sqlite.Store) eventstore.Position {
	t.Helper()
	p, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// survivesKills kills an import at random moments and restarts it each time. The rows of every table and the result of each
// line must be the same as without kills.
func survivesKills(t *testing.T, p testdesk.Program, journal string) {
	t.Helper()
	began := time.Now()
	clean, want := cleanRun(t, p, journal)
	random, folder, again := testdesk.Chance(t), sameNames(t), copied(t, journal)
	for _, at := range moments(random, clean.head) {
		importer := p.Start(t, io.Discard, "import", "--data", folder, again)
		log := readLog(t, folder)
		testdesk.Eventually(t, "the log reaches a random position, or the import is over", func() bool { return head(t, log) >= at || importer.Over() })
		importer.Kill()
		t.Logf("soak: killed after position %s of %s", head(t, log), clean.head)
		log.Close()
	}
	last := imports(t, p, folder, again)
	if last.Lines != clean.counts.Lines {
		t.Errorf("%d lines, want %d", last.Lines, clean.counts.Lines)
	}
	c, stop := p.Serve(t, folder)
	c.CaughtUp(t)
	if got := outcomes(t, c); !maps.Equal(got, clean.outcomes) {
		t.Errorf("the outcomes differ: %d lines, want %d", len(got), len(clean.outcomes))
		for id, want := range clean.outcomes {
			if got[id] != want {
				t.Errorf("line %s is %q, want %s", id, got[id], want)
				break
			}
		}
	}
	stop()
	mustBeSame(t, "after kills", state(t, newest(t, folder)), want)
	if v := verified(t, p, folder, 0); !v.Same {
		t.Errorf("verify: %+v", v)
	}
	t.Logf("soak: %d kills in %s, %d rows the same", kills(), time.Since(began).Round(time.Millisecond), count(want))
}

func count(r rows) (n int) {
	for _, list := range r {
		n += len(list)
	}
	return n
}
