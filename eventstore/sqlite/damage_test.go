package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdisk"
)

// mends has a log checked by its writer, which makes a wrong index anew.
func mends(t testing.TB, store *sqlite.Store) {
	t.Helper()
	if _, err := store.Check(t.Context(), func(error) {}, nil); err != nil {
		t.Errorf("Check: %v", err)
	}
}

// A truth is what a log holds.
type truth struct {
	all     []eventstore.Recorded
	streams map[string][]eventstore.Recorded
}

// aLog makes a log of some streams in a folder, and returns its path and what it holds.
func aLog(t testing.TB, streams, rounds int) (string, truth) {
	t.Helper()
	path := newPath(t)
	store := open(t, path, sqlite.Options{})
	for round := range rounds {
		for s := range streams {
			if n := 1 + s%3; round%n == 0 { // of different lengths
				appends(t, store, fmt.Sprintf("thing-%d", s), eventstore.Revision(round/n)-1, events(1, 20+s))
			}
		}
	}
	holds := truth{all: rest(t, store, eventstore.Start), streams: map[string][]eventstore.Recorded{}}
	for _, e := range holds.all {
		holds.streams[e.Stream] = append(holds.streams[e.Stream], e)
	}
	shut(t, store)
	return path, holds
}

// copied copies a log and its index into a folder of its own.
func copied(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "log.db")
	for _, suffix := range []string{"", ".index"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// checked returns what Check tells of a log.
func checked(t testing.TB, path string) (found []error) {
	t.Helper()
	store, err := sqlite.OpenReadOnly(path)
	if err != nil {
		return []error{err}
	}
	defer shut(t, store)
	if _, err := store.Check(t.Context(), func(e error) { found = append(found, e) }, nil); err != nil {
		t.Errorf("Check: %v", err)
	}
	return found
}

// answers asks a log everything, and changes it. Each answer is true, or is an error, which it returns.
func (holds truth) answers(t testing.TB, store *sqlite.Store) (refused []error) {
	t.Helper()
	fails := func(err error) bool {
		if err != nil {
			refused = append(refused, err)
		}
		return err != nil
	}
	var all []eventstore.Recorded
	for batch, err := range store.Follow(t.Context(), eventstore.Start) {
		if fails(err) || len(batch) == 0 {
			break
		}
		all = append(all, batch...)
	}
	if !same(all, holds.all[:min(len(all), len(holds.all))]) || len(refused) == 0 && len(all) != len(holds.all) {
		t.Errorf("it follows %d events, not the %d", len(all), len(holds.all))
	}
	for stream, want := range holds.streams {
		for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
			from := eventstore.Revision(0)
			if want = slices.Clone(want); way == eventstore.Backwards {
				from = eventstore.Last
				slices.Reverse(want)
			}
			var got []eventstore.Recorded
			failed := false
			for e, err := range store.Read(t.Context(), stream, from, way, 0) {
				if errors.Is(err, eventstore.ErrNotFound) {
					t.Errorf("%s is not found", stream)
				}
				if failed = fails(err); failed {
					break
				}
				got = append(got, e)
			}
			if !same(got, want[:min(len(got), len(want))]) || !failed && len(got) != len(want) {
				t.Errorf("%s is read as %d events, not %d", stream, len(got), len(want))
			}
		}
	}
	for stream, has := range holds.streams {
		last := eventstore.Revision(len(has)) - 1
		for _, wrong := range []eventstore.Revision{eventstore.NoStream, last - 1, last + 1} {
			if wrong < eventstore.NoStream || wrong == last {
				continue
			}
			got, err := eventstore.AppendTo(t.Context(), store, stream, wrong, events(1, 5))
			var conflict *eventstore.ConflictError
			if err == nil || errors.As(err, &conflict) && conflict.Actual != last {
				t.Fatalf("%s at %d: an append at %d gave %+v, %v", stream, last, wrong, got, err)
			}
			if !errors.As(err, &conflict) {
				fails(err)
			}
		}
		if again, err := eventstore.AppendTo(t.Context(), store, stream, last-1, []eventstore.Event{{ID: has[last].ID, Type: "happened"}}); !fails(err) && again.Position != has[last].Position {
			t.Errorf("the retry of an append gave %+v", again)
		}
		if got, err := eventstore.AppendTo(t.Context(), store, stream, last, events(1, 5)); !fails(err) && got.Revision != last+1 {
			t.Errorf("%s at %d: an append gave %+v", stream, last, got)
		}
	}
	for i := range 5 {
		stream := fmt.Sprint("absent-", i)
		for _, err := range store.Read(t.Context(), stream, 0, eventstore.Forwards, 0) {
			if !errors.Is(err, eventstore.ErrNotFound) {
				fails(err)
			}
		}
		_, err := eventstore.AppendTo(t.Context(), store, stream, eventstore.NoStream, events(1, 5))
		fails(err)
	}
	return refused
}

func same(got, want []eventstore.Recorded) bool {
	return cmp.Equal(got, want) || len(got)+len(want) == 0
}

// TestFlippedBits flips one bit after another in the log and in its index. A flip in the log is noticed by what reads it and by
// Check, or nothing comes of it. A flip in the index does not show at all, but for Check.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	path, holds := aLog(t, 24, 12)
	for _, suffix := range []string{"", ".index"} {
		noticed := 0
		for n := range testdisk.Flips() {
			bit := testdisk.Bit(t, path+suffix, n)
			t.Run(fmt.Sprint("log.db", suffix, "/", bit), func(t *testing.T) {
				to := copied(t, path)
				testdisk.Flip(t, to+suffix, bit)
				found := checked(t, to)
				var refused []error
				store, err := sqlite.Open(to, sqlite.Options{})
				if err != nil {
					refused = []error{err}
				} else {
					refused = holds.answers(t, store)
					mends(t, store)
					shut(t, store)
				}
				if len(refused)+len(found) > 0 {
					noticed++
				}
				var damage *eventstore.DamageError
				switch {
				case suffix != "" && len(refused) > 0:
					t.Errorf("a flip in the index shows: %v", refused[0])
				case suffix != "" && len(found) > 0 && errors.As(found[0], &damage):
					t.Errorf("Check tells a flip in the index as %v", found[0])
				case len(refused) > 0 && len(found) == 0:
					t.Errorf("%v, which Check does not find", refused[0])
				}
				if later := checked(t, to); len(later) > 0 && suffix != "" {
					t.Errorf("it was not made anew: %v", later)
				}
			})
		}
		if noticed < testdisk.Flips()/10 {
			t.Errorf("of %d flips in log.db%s %d were noticed", testdisk.Flips(), suffix, noticed)
		}
	}
}

// TestFlippedWhileOpen flips bits under an open log.
func TestFlippedWhileOpen(t *testing.T) {
	path, _ := aLog(t, 24, 12)
	for range testdisk.Flips() / 3 {
		for _, suffix := range []string{"", ".index"} {
			to := copied(t, path)
			store := open(t, to, sqlite.Options{})
			for i := range 3 {
				appends(t, store, fmt.Sprint("new-", i), eventstore.NoStream, events(3, 10))
			}
			holds := truth{all: rest(t, store, eventstore.Start), streams: map[string][]eventstore.Recorded{}}
			for _, e := range holds.all {
				holds.streams[e.Stream] = append(holds.streams[e.Stream], e)
			}
			info, err := os.Stat(to + suffix)
			if err != nil {
				t.Fatal(err)
			}
			bit := rand.Int64N(info.Size() * 8)
			testdisk.Flip(t, to+suffix, bit)
			found := checked(t, to)
			if refused := holds.answers(t, store); len(refused) > 0 && (suffix != "" || len(found) == 0) {
				t.Errorf("bit %d of log.db%s: %v; Check tells %v", bit, suffix, refused[0], found)
			}
			store.Close()
		}
	}
}

// TestDamagedIndex changes the index in each way in which it can be wrong and well-formed.
func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	path, holds := aLog(t, 24, 12)
	other, _ := aLog(t, 24, 12)
	for name, script := range map[string]string{
		"a last revision is gone":             "DELETE FROM revisions WHERE stream = 1 AND revision = 11",
		"a revision is gone":                  "DELETE FROM revisions WHERE stream = 1 AND revision = 4",
		"all revisions are gone":              "DELETE FROM revisions",
		"a stream's end is gone":              "DELETE FROM ends WHERE stream = 2",
		"a stream's end is an older one":      "UPDATE ends SET revision = revision - 1 WHERE stream = 1",
		"the ends of two streams are changed": "UPDATE ends SET stream = -stream WHERE stream IN (1, 2); UPDATE ends SET stream = stream + 3 WHERE stream < 0",
		"a name is gone":                      "DELETE FROM names WHERE stream = 3",
		"all names are gone":                  "DELETE FROM names",
		"a name is another stream's":          "UPDATE names SET stream = 1 WHERE stream = 2",
		"a revision is elsewhere":             "UPDATE revisions SET position = position + 60 WHERE stream = 1 AND revision = 2",
		"a revision is added":                 "INSERT INTO revisions VALUES (1, 12, 3)",
		"streams are exchanged":               "UPDATE revisions SET stream = -stream WHERE stream IN (1, 2); UPDATE revisions SET stream = stream + 3 WHERE stream < 0",
		"it covers less than it says":         "UPDATE covered SET position = position - 1",
		"it covers nothing":                   "DELETE FROM covered",
		"a table is gone":                     "DROP TABLE ends",
		"a table is another":                  "ALTER TABLE ends RENAME COLUMN revision TO last",
		"it is empty":                         "DELETE FROM revisions; DELETE FROM ends; DELETE FROM names WHERE stream <> 0",
	} {
		t.Run(name, func(t *testing.T) {
			to := copied(t, path)
			execute(t, to+".index", script)
			found := checked(t, to)
			var wrong *eventstore.IndexError
			if len(found) != 1 || !errors.As(found[0], &wrong) {
				t.Errorf("Check tells %v", found)
			}
			store := open(t, to, sqlite.Options{})
			if refused := holds.answers(t, store); len(refused) > 0 {
				t.Error(refused[0])
			}
			mends(t, store)
			shut(t, store)
			if found := checked(t, to); len(found) > 0 {
				t.Errorf("it was not made anew: %v", found)
			}
		})
	}
	t.Run("another log's", func(t *testing.T) {
		to := copied(t, path)
		copyFile(t, other+".index", to+".index")
		store := open(t, to, sqlite.Options{})
		defer shut(t, store)
		if refused := holds.answers(t, store); len(refused) > 0 {
			t.Error(refused[0])
		}
	})
	t.Run("of what the log was before a restore, and grew since", func(t *testing.T) {
		to := copied(t, path)
		backup, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		store := open(t, to, sqlite.Options{})
		appends(t, store, "lost", eventstore.NoStream, events(5, 10))
		shut(t, store)
		index, err := os.ReadFile(to + ".index")
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, backup)
		store = open(t, to, sqlite.Options{})
		appends(t, store, "found", eventstore.NoStream, events(9, 10))
		shut(t, store)
		write(t, to+".index", index)
		store = open(t, to, sqlite.Options{})
		defer shut(t, store)
		revisions(t, store, "found", 9)
		for _, err := range store.Read(t.Context(), "lost", 0, eventstore.Forwards, 0) {
			if !errors.Is(err, eventstore.ErrNotFound) {
				t.Errorf("what was lost: %v", err)
			}
		}
	})
}

// TestDamagedLog takes out of the log, and adds to it, what no flipped bit would.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	path, holds := aLog(t, 24, 12)
	for name, script := range map[string]string{
		"a pack is gone":            "DELETE FROM log WHERE last = 40",
		"the first pack is gone":    "DELETE FROM log WHERE last = (SELECT min(last) FROM log)",
		"a pack is moved":           "UPDATE log SET last = 100000 WHERE last = 40",
		"a pack is there twice":     "INSERT INTO log SELECT last + 100000, recorded_at, heads, bodies, checksum FROM log WHERE last = 40",
		"two packs are exchanged":   "UPDATE log SET last = -last WHERE last IN (40, 41); UPDATE log SET last = last + 81 WHERE last < 0",
		"a time is changed":         "UPDATE log SET recorded_at = recorded_at + 1 WHERE last = 40",
		"the time reached is gone":  "DELETE FROM settled",
		"the time reached is other": "UPDATE settled SET at = 17",
	} {
		t.Run(name, func(t *testing.T) {
			to := copied(t, path)
			execute(t, to, script)
			var damage *eventstore.DamageError
			if found := checked(t, to); len(found) == 0 || !errors.As(found[0], &damage) {
				t.Errorf("Check tells %v", found)
			}
			store, err := sqlite.Open(to, sqlite.Options{})
			refused := []error{err}
			if err == nil {
				refused = holds.answers(t, store)
				shut(t, store)
			}
			if len(refused) == 0 || !errors.As(refused[0], &damage) {
				t.Errorf("it is refused as %v", refused)
			}
		})
	}
}

// TestTwoWriters deletes the lock of a log that is in use. The second writer makes the first one stop, and no position has two
// events.
func TestTwoWriters(t *testing.T) {
	path := newPath(t)
	first := open(t, path, sqlite.Options{})
	appends(t, first, "a", eventstore.NoStream, events(3, 10))
	remove(t, path+".lock")
	second := open(t, path, sqlite.Options{})
	appends(t, second, "b", eventstore.NoStream, events(3, 10))
	_, err := eventstore.AppendTo(t.Context(), first, "c", eventstore.NoStream, events(1, 10))
	if err == nil || !strings.Contains(err.Error(), "another process wrote to it") {
		t.Errorf("the first writer's append: %v", err)
	}
	appends(t, second, "b", 2, events(1, 10))
	shut(t, second)
	first.Close()
	last := open(t, path, sqlite.Options{})
	if got := rest(t, last, eventstore.Start); len(got) != 7 {
		t.Errorf("the log has %d events", len(got))
	}
	shut(t, last)
	if found := checked(t, path); len(found) > 0 {
		t.Errorf("Check tells %v", found)
	}
}

// TestIndexCannotBeMade has no room for the index when it must be made anew. Nothing is answered, and all is well again when there is.
func TestIndexCannotBeMade(t *testing.T) {
	t.Cleanup(sqlite.MendAtOnce())
	path, holds := aLog(t, 24, 12)
	store := open(t, path, sqlite.Options{})
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(path + ".index" + suffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(path+".index/something", 0o700); err != nil { // in its place
		t.Fatal(err)
	}
	for range 3 {
		mendsNot := func(err error) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), "making the index of the log anew") {
				t.Errorf("without room: %v", err)
			}
		}
		_, err := store.Check(t.Context(), func(error) {}, nil)
		mendsNot(err)
		_, err = eventstore.AppendTo(t.Context(), store, "thing-1", 0, events(1, 5))
		mendsNot(err)
	}
	if err := os.RemoveAll(path + ".index"); err != nil {
		t.Fatal(err)
	}
	if refused := holds.answers(t, store); len(refused) > 0 {
		t.Error(refused[0])
	}
	shut(t, store)
	if found := checked(t, path); len(found) > 0 {
		t.Errorf("Check tells %v", found)
	}
}

// TestClosedDuringCheck closes a log while it is checked, and opens it again: the check leaves the new index alone.
func TestClosedDuringCheck(t *testing.T) {
	path, _ := aLog(t, 24, 12)
	store := open(t, path, sqlite.Options{})
	execute(t, path+".index", "DELETE FROM revisions WHERE stream = 1")
	var again *sqlite.Store
	_, err := store.Check(t.Context(), func(error) {
		if again == nil {
			shut(t, store)
			again = open(t, path, sqlite.Options{})
			appends(t, again, "new", eventstore.NoStream, events(3, 10))
		}
	}, nil)
	if !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Check of a closed log: %v", err)
	}
	revisions(t, again, "new", 3)
	shut(t, again)
}

// TestFollowedIsRead reads a stream from each event that was just followed: it is there.
func TestFollowedIsRead(t *testing.T) {
	store := open(t, newPath(t), sqlite.Options{})
	defer shut(t, store)
	const n = 300
	go func() {
		for i := range eventstore.Revision(n) {
			if _, err := eventstore.AppendTo(t.Context(), store, "a", i-1, events(1, 5)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	seen := 0
	for batch, err := range store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			read := 0
			for got, err := range store.Read(t.Context(), e.Stream, e.Revision, eventstore.Forwards, 1) {
				if err != nil || got.ID != e.ID {
					t.Fatalf("read %v, %v", got.Revision, err)
				}
				read++
			}
			if read != 1 {
				t.Fatalf("revision %d was followed, and is not read", e.Revision)
			}
		}
		if seen += len(batch); seen == n {
			break
		}
	}
}

// TestCheckBesideWriter checks a log again and again while it is written and indexed.
func TestCheckBesideWriter(t *testing.T) {
	t.Cleanup(sqlite.Remember(7, 50))
	path := newPath(t)
	store := open(t, path, sqlite.Options{})
	defer shut(t, store)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 400 {
			if _, err := eventstore.AppendTo(t.Context(), store, fmt.Sprint("thing-", i%40), eventstore.Revision(i/40)-1, events(1, 10)); err != nil {
				t.Error(err)
			}
		}
	}()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		if found := checked(t, path); len(found) > 0 {
			t.Fatalf("Check tells %v", found)
		}
	}
}

// TestSettledIsKept: the time before which no further event is recorded outlives the process.
func TestSettledIsKept(t *testing.T) {
	path := newPath(t)
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	store := open(t, path, sqlite.Options{Now: func() time.Time { return at }})
	if _, err := store.Settle(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	shut(t, store)
	store = open(t, path, sqlite.Options{Now: func() time.Time { return at.Add(-time.Hour) }})
	defer shut(t, store)
	if ahead, err := store.Ahead(t.Context()); err != nil || ahead <= time.Hour {
		t.Errorf("ahead by %v, %v", ahead, err)
	}
}
