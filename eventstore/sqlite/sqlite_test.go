package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/eventstore/storetest"
)

func TestFile(t *testing.T) {
	storetest.Run(t, func(t testing.TB) eventstore.Store { return open(t, newPath(t), sqlite.Options{}) }, storetest.Dense, storetest.Atomic)
}

// TestForgetful runs all cases with so little memory that reads use the index and the file, which they seldom do otherwise.
func TestForgetful(t *testing.T) {
	t.Cleanup(sqlite.Remember(3, 50))
	storetest.Run(t, func(t testing.TB) eventstore.Store { return open(t, newPath(t), sqlite.Options{}) }, storetest.Dense, storetest.Atomic)
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t testing.TB) eventstore.Store {
		store, err := sqlite.OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, storetest.Dense, storetest.Atomic)
}

func TestClock(t *testing.T) {
	t.Run("C60 the clock is set back and forth", func(t *testing.T) {
		storetest.Clock(t, func(t testing.TB) func(func() time.Time) eventstore.Store {
			path := newPath(t)
			return func(now func() time.Time) eventstore.Store { return open(t, path, sqlite.Options{Now: now}) }
		})
	})
}

// With this environment the test binary is the process that TestKilled kills.
const (
	childFile    = "DAYBOOK_TEST_CHILD_FILE"
	childIndexes = "DAYBOOK_TEST_CHILD_INDEXES_EVERY"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		every, _ := strconv.Atoi(os.Getenv(childIndexes))
		sqlite.Remember(every, every)
		appendUntilKilled(path)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "log.db") }

func open(t testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func shut(t testing.TB, store *sqlite.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func events(n, size int) []eventstore.Event {
	made := make([]eventstore.Event, n)
	for i := range made {
		made[i] = eventstore.Event{ID: uuid.New(), Type: "happened", Data: bytes.Repeat([]byte{'x'}, size), Meta: []byte("{}")}
	}
	return made
}

func appends(t testing.TB, store *sqlite.Store, stream string, expected eventstore.Revision, given []eventstore.Event) eventstore.Appended {
	t.Helper()
	got, err := eventstore.AppendTo(t.Context(), store, stream, expected, given)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// rest follows until it has caught up.
func rest(t testing.TB, store *sqlite.Store, after eventstore.Position) []eventstore.Recorded {
	t.Helper()
	var got []eventstore.Recorded
	for batch, err := range store.Follow(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		got = append(got, batch...)
	}
	return got
}

func TestReopen(t *testing.T) {
	t.Run("C43 after a restart a follower continues where it was", func(t *testing.T) {
		path := newPath(t)
		store := open(t, path, sqlite.Options{})
		appends(t, store, "a", eventstore.NoStream, events(2, 10))
		seen := rest(t, store, eventstore.Start)
		appends(t, store, "b", eventstore.NoStream, events(3, 10))
		shut(t, store)

		store = open(t, path, sqlite.Options{})
		defer shut(t, store)
		appends(t, store, "a", 1, events(1, 10))
		seen = append(seen, rest(t, store, 2)...)
		var got []string
		for _, e := range seen {
			got = append(got, fmt.Sprint(e.Position, e.Stream, e.Revision))
		}
		if s := strings.Join(got, " "); s != "1a0 2a1 3b0 4b1 5b2 6a2" {
			t.Errorf("followed %s", s)
		}
	})
	t.Run("C48 a log keeps its identity, and no other has it", func(t *testing.T) {
		path := newPath(t)
		store := open(t, path, sqlite.Options{})
		id := store.ID()
		shut(t, store)
		store = open(t, path, sqlite.Options{})
		if store.ID() != id {
			t.Errorf("the log was %v and is %v", id, store.ID())
		}
		shut(t, store)
		other := open(t, newPath(t), sqlite.Options{})
		if other.ID() == id {
			t.Error("two logs have one identity")
		}
		shut(t, other)
	})
}

const (
	childWriters = 8
	childBatch   = 3
)

// appendUntilKilled prints what was acknowledged, one line per append: writer and revision.
func appendUntilKilled(path string) {
	store, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	var all sync.WaitGroup
	for w := range childWriters {
		all.Go(func() {
			revision := eventstore.NoStream
			for e, err := range store.Read(context.Background(), fmt.Sprint(w), eventstore.Last, eventstore.Backwards, 1) {
				if err == nil {
					revision = e.Revision
				}
			}
			for {
				got, err := eventstore.AppendTo(context.Background(), store, fmt.Sprint(w), revision, events(childBatch, 300))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				revision = got.Revision
				fmt.Printf("%d %d\n", w, revision)
			}
		})
	}
	all.Wait()
}

func TestKilled(t *testing.T) {
	t.Run("C19 a process killed while appending leaves every acknowledged batch, and each whole", func(t *testing.T) {
		path := newPath(t)
		for range 6 {
			acknowledged := killAfter(t, path, 1+rand.IntN(400))
			reader, err := sqlite.OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			before := lengths(t, reader)
			shut(t, reader)
			store := open(t, path, sqlite.Options{})
			if after := lengths(t, store); !maps.Equal(before, after) {
				t.Errorf("the streams' lengths were read as %v, and are %v", before, after)
			}
			revisions := map[string]eventstore.Revision{}
			for i, e := range rest(t, store, eventstore.Start) {
				if e.Position != eventstore.Position(i+1) {
					t.Fatalf("event %d has position %d", i+1, e.Position)
				}
				if last, ok := revisions[e.Stream]; (ok && e.Revision != last+1) || (!ok && e.Revision != 0) {
					t.Fatalf("stream %s goes from revision %d to %d", e.Stream, last, e.Revision)
				}
				revisions[e.Stream] = e.Revision
			}
			for stream, last := range revisions {
				if before[stream] != int(last)+1 {
					t.Errorf("%d events of stream %s are read, and %d followed", before[stream], stream, last+1)
				}
				if (last+1)%childBatch != 0 {
					t.Errorf("stream %s ends in a torn batch at revision %d", stream, last)
				}
			}
			for stream, last := range acknowledged {
				if revisions[stream] < last {
					t.Errorf("stream %s ends at revision %d, and %d was acknowledged", stream, revisions[stream], last)
				}
			}
			shut(t, store)
		}
	})
}

// lengths reads how many events each of the children's streams has.
func lengths(t *testing.T, store *sqlite.Store) map[string]int {
	t.Helper()
	found := map[string]int{}
	for w := range childWriters {
		stream := fmt.Sprint(w)
		for e, err := range store.Read(t.Context(), stream, 0, eventstore.Forwards, 0) {
			if errors.Is(err, eventstore.ErrNotFound) {
				break
			}
			if err != nil || e.Revision != eventstore.Revision(found[stream]) {
				t.Fatalf("stream %s: %v at revision %d", stream, err, e.Revision)
			}
			found[stream]++
		}
	}
	return found
}

// killAfter lets a child append to the file and kills it after so many acknowledged appends.
func killAfter(t *testing.T, path string, lines int) map[string]eventstore.Revision {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+path, fmt.Sprintf("%s=%d", childIndexes, rand.IntN(2000)))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]eventstore.Revision{}
	for line := bufio.NewScanner(out); line.Scan(); lines-- {
		var stream string
		var revision eventstore.Revision
		if _, err := fmt.Sscan(line.Text(), &stream, &revision); err != nil {
			break // killed in the middle of a line
		}
		acknowledged[stream] = revision
		if lines == 1 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	child.Wait()
	if lines > 0 {
		t.Fatalf("the child ended by itself: %v", child.ProcessState)
	}
	return acknowledged
}

func TestFullDisk(t *testing.T) {
	t.Run("C51 a failed commit fails its callers alone, and a retry settles it", failsAlone)
	t.Run("C51 the same where a commit completes the index", func(t *testing.T) {
		t.Cleanup(sqlite.Remember(6, 50))
		failsAlone(t)
	})
}

func failsAlone(t *testing.T) {
	path := newPath(t)
	store := open(t, path, sqlite.Options{MaxPages: 100})
	defer func() { shut(t, store) }()
	stored := eventstore.NoStream
	var failed []eventstore.Event
	for failed == nil {
		given := events(4, 2000)
		got, err := eventstore.AppendTo(t.Context(), store, "a", stored, given)
		if err != nil {
			if !strings.Contains(err.Error(), "full") {
				t.Errorf("the error does not say that the disk is full: %v", err)
			}
			failed = given
			break
		}
		stored = got.Revision
	}
	if _, err := eventstore.AppendTo(t.Context(), store, "new", eventstore.NoStream, events(4, 200_000)); err == nil {
		t.Error("a large append found room")
	}
	if got := rest(t, store, eventstore.Start); len(got) != int(stored)+1 {
		t.Errorf("the log holds %d events, and %d were acknowledged", len(got), stored+1)
	}
	if err := store.SetMaxPages(10_000); err != nil {
		t.Fatal(err)
	}
	want := eventstore.Appended{Revision: stored + 4, Position: eventstore.Position(stored + 5)}
	for range 2 {
		got := appends(t, store, "a", stored, failed)
		if got.New = false; got != want { // the first retry writes what failed
			t.Errorf("the retry gave %+v, want %+v", got, want)
		}
	}
	appends(t, store, "new", eventstore.NoStream, events(4, 200_000))
	shut(t, store)
	store = open(t, path, sqlite.Options{})
	if got := rest(t, store, eventstore.Start); len(got) != int(stored)+9 {
		t.Errorf("the log holds %d events, want %d", len(got), stored+9)
	}
	for stream, want := range map[string]int{"a": int(stored) + 5, "new": 4} {
		var got int
		for e, err := range store.Read(t.Context(), stream, 0, eventstore.Forwards, 0) {
			if err != nil || int(e.Revision) != got {
				t.Fatalf("event %d of %s is number %d, %v", got, stream, e.Revision, err)
			}
			got++
		}
		if got != want {
			t.Errorf("stream %s has %d events, want %d", stream, got, want)
		}
	}
}

// TestIndex damages the file of the index, which can be rebuilt from the log.
func TestIndex(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) { remove(t, path+".index") },
		"damaged": func(t *testing.T, path string) { write(t, path+".index", bytes.Repeat([]byte("no database"), 1000)) },
		"empty":   func(t *testing.T, path string) { write(t, path+".index", nil) },
		"another log's": func(t *testing.T, path string) {
			other := newPath(t)
			store := open(t, other, sqlite.Options{})
			appends(t, store, "a", eventstore.NoStream, events(1, 10))
			shut(t, store)
			copyFile(t, other+".index", path+".index")
		},
		"of the log before a restore": func(t *testing.T, path string) {
			copyFile(t, path, path+".backup")
			store := open(t, path, sqlite.Options{})
			appends(t, store, "b", 2, events(5, 10))
			shut(t, store)
			copyFile(t, path+".backup", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			store := open(t, path, sqlite.Options{})
			for _, stream := range []string{"a", "b", "c"} {
				appends(t, store, stream, eventstore.NoStream, events(3, 10))
			}
			shut(t, store)
			spoil(t, path)

			reader, err := sqlite.OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			revisions(t, reader, "b", 3)
			shut(t, reader)
			store = open(t, path, sqlite.Options{})
			revisions(t, store, "b", 3)
			appends(t, store, "b", 2, events(2, 10))
			shut(t, store)
			reader, err = sqlite.OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			revisions(t, reader, "b", 5)
			shut(t, reader)
		})
	}
}

// TestIndexWithoutRoom has an index that cannot grow: appends continue while memory holds what it lacks, and again when there is
// room.
func TestIndexWithoutRoom(t *testing.T) {
	t.Cleanup(sqlite.Remember(10, 50))
	path := newPath(t)
	store := open(t, path, sqlite.Options{})
	defer func() { shut(t, store) }()
	if err := store.SetMaxIndexPages(1); err != nil {
		t.Fatal(err)
	}
	last := eventstore.NoStream
	for {
		got, err := eventstore.AppendTo(t.Context(), store, "a", last, events(1, 10))
		if err != nil {
			if !strings.Contains(err.Error(), "writing the index") {
				t.Errorf("the error does not say what failed: %v", err)
			}
			break
		}
		last = got.Revision
	}
	if last < 20 {
		t.Errorf("appends failed after revision %d already", last)
	}
	revisions(t, store, "a", int(last)+1)
	if err := store.SetMaxIndexPages(1000); err != nil {
		t.Fatal(err)
	}
	for range 50 { // the first may still learn of the failure
		if got, err := eventstore.AppendTo(t.Context(), store, "a", last, events(1, 10)); err == nil {
			last = got.Revision
		}
	}
	if last < 60 {
		t.Errorf("with room again, appends came to revision %d only", last)
	}
	revisions(t, store, "a", int(last)+1)
}

// revisions reads a stream both ways.
func revisions(t *testing.T, store *sqlite.Store, stream string, want int) {
	t.Helper()
	for way, from := range map[eventstore.Direction]eventstore.Revision{eventstore.Forwards: 0, eventstore.Backwards: eventstore.Last} {
		var got []eventstore.Revision
		for e, err := range store.Read(t.Context(), stream, from, way, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Revision)
		}
		if way == eventstore.Backwards {
			slices.Reverse(got)
		}
		for i, r := range got {
			if r != eventstore.Revision(i) {
				t.Fatalf("stream %s has revisions %v", stream, got)
			}
		}
		if len(got) != want {
			t.Errorf("stream %s has %d events, want %d", stream, len(got), want)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, content)
}

func TestInUse(t *testing.T) {
	path := newPath(t)
	store := open(t, path, sqlite.Options{})
	if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("a second opening: %v", err)
	}
	shut(t, store)
	shut(t, open(t, path, sqlite.Options{}))
}

func TestReadOnly(t *testing.T) {
	path := newPath(t)
	if _, err := sqlite.OpenReadOnly(path); err == nil {
		t.Error("a file that is not there was opened")
	}
	writer := open(t, path, sqlite.Options{})
	appends(t, writer, "a", eventstore.NoStream, events(2, 10))
	reader, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	if reader.ID() != writer.ID() {
		t.Error("the reader reads another log")
	}
	if _, err := eventstore.AppendTo(t.Context(), reader, "a", 1, events(1, 10)); !errors.Is(err, sqlite.ErrReadOnly) {
		t.Errorf("Append: %v", err)
	}
	if got := rest(t, reader, eventstore.Start); len(got) != 2 {
		t.Errorf("the reader sees %d events", len(got))
	}
	seen := 0
	for batch, err := range reader.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			appends(t, writer, "a", 1, events(1, 10))
		}
		if seen += len(batch); seen == 3 {
			break
		}
	}
	if head, err := reader.Head(t.Context()); head != 3 || err != nil {
		t.Errorf("Head: %d, %v", head, err)
	}
	shut(t, reader)
	shut(t, writer)

	alone, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := rest(t, alone, 1); len(got) != 2 {
		t.Errorf("without a writer, the reader sees %d events", len(got))
	}
	shut(t, alone)
}

func TestRefusesOtherFiles(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"not a database": {func(t *testing.T, path string) {
			write(t, path, bytes.Repeat([]byte("no database"), 1000))
		}, "not an event log"},
		"another database": {func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
		}, "not an event log"},
		"an older format": {func(t *testing.T, path string) {
			shut(t, open(t, path, sqlite.Options{}))
			execute(t, path, "UPDATE identity SET format = 1")
		}, "before the first release"},
		"a newer format": {func(t *testing.T, path string) {
			shut(t, open(t, path, sqlite.Options{}))
			execute(t, path, "UPDATE identity SET format = format + 1")
		}, "a newer version wrote it"},
		"a damaged log": {func(t *testing.T, path string) {
			shut(t, open(t, path, sqlite.Options{}))
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(whole[100:], bytes.Repeat([]byte{0xff}, 1000))
			write(t, path, whole)
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			test.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.Open(path, sqlite.Options{})
			_, errReading := sqlite.OpenReadOnly(path)
			for _, err := range []error{err, errReading} {
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("got %v, want it to say %q", err, test.says)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAnyToolReadsTheLog(t *testing.T) {
	path := newPath(t)
	store := open(t, path, sqlite.Options{})
	given := events(1, 0)
	given[0].Data = []byte(`{"größe":1}`)
	appends(t, store, "ticket-1", eventstore.NoStream, given)
	recorded := rest(t, store, eventstore.Start)[0]
	shut(t, store)

	var row struct {
		Position, Revision           int
		Stream, ID, Type, Data, Meta string
		RecordedAt                   string `db:"recorded_at"`
	}
	db := sqlx.MustOpen("sqlite", path)
	defer db.Close()
	if err := db.Get(&row, "SELECT * FROM events"); err != nil {
		t.Fatal(err)
	}
	if row.Position != 1 || row.Revision != 0 || row.Stream != "ticket-1" || row.Type != "happened" || row.Data != string(given[0].Data) ||
		row.ID != strings.ReplaceAll(given[0].ID.String(), "-", "") || row.RecordedAt != recorded.RecordedAt.Format("2006-01-02T15:04:05.000000Z") {
		t.Errorf("got %+v of %+v", row, recorded)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}
