package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// childURL in the environment makes the test binary a process that appends to the log there.
const childURL = "DAYBOOK_TEST_CHILD_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		fmt.Fprintln(os.Stderr, appendUntilKilled(url))
		os.Exit(1)
	}
	os.Exit(testdb.Run(m))
}

const (
	childWriters = 8
	childBatch   = 3
)

func batch() []eventstore.Event {
	var made []eventstore.Event
	for range childBatch {
		made = append(made, event()...)
	}
	return made
}

// appendUntilKilled prints what was acknowledged, one line per append.
func appendUntilKilled(url string) error {
	store, err := postgres.Open(context.Background(), url, postgres.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range childWriters {
		go func() {
			stream, revision := uuid.NewString(), eventstore.NoStream
			for {
				got, err := eventstore.AppendTo(context.Background(), store, stream, revision, batch())
				if err != nil {
					failed <- err
					return
				}
				revision = got.Revision
				fmt.Println(stream, got.Revision, int64(got.Position))
			}
		}()
	}
	return <-failed
}

// A child is a process that appends to the log of this one.
type child struct {
	*exec.Cmd
	said         *bufio.Scanner
	acknowledged map[eventstore.Position]string // the last event of each append: its stream and revision
}

func newChild(t *testing.T, url string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0]), acknowledged: map[eventstore.Position]string{}}
	c.Env = append(os.Environ(), childURL+"="+url)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.said = bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// listen records the child's output until there is enough.
func (c *child) listen(t *testing.T, enough func(eventstore.Position) bool) {
	t.Helper()
	for c.said.Scan() {
		if position := c.note(c.said.Text()); enough(position) {
			return
		}
	}
	t.Fatalf("the child ended by itself: %v", c.Wait())
}

func (c *child) note(line string) eventstore.Position {
	var stream string
	var revision eventstore.Revision
	var position int64
	if _, err := fmt.Sscan(line, &stream, &revision, &position); err != nil {
		return eventstore.Start // killed in the middle of a line
	}
	c.acknowledged[eventstore.Position(position)] = fmt.Sprint(stream, revision)
	return eventstore.Position(position)
}

// kill kills the child and records its last output.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.said.Scan() {
		c.note(c.said.Text())
	}
	c.Wait()
}

// appends appends a batch to a stream of its own. What others had begun to write is then there.
func appends(t *testing.T, store *postgres.Store) eventstore.Position {
	t.Helper()
	got, err := eventstore.AppendTo(t.Context(), store, uuid.NewString(), eventstore.NoStream, batch())
	if err != nil {
		t.Fatal(err)
	}
	return got.Position
}

// rest follows until it has caught up.
func rest(t *testing.T, store *postgres.Store, after eventstore.Position) []eventstore.Recorded {
	t.Helper()
	var got []eventstore.Recorded
	for page, err := range store.Follow(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	return got
}

// mustHold checks that the log has what a child was told, in its place, all batches whole, no gap and nothing twice.
func (c *child) mustHold(t *testing.T, log []eventstore.Recorded) {
	t.Helper()
	lengths, seen := map[string]int{}, map[uuid.UUID]bool{}
	for i, e := range log {
		if e.Position != eventstore.Position(i+1) || e.Revision != eventstore.Revision(lengths[e.Stream]) || seen[e.ID] {
			t.Fatalf("event %d has position %d and is number %d of %d before it in %s; twice: %v", i+1, e.Position, e.Revision, lengths[e.Stream], e.Stream, seen[e.ID])
		}
		lengths[e.Stream]++
		seen[e.ID] = true
	}
	for stream, n := range lengths {
		if n%childBatch != 0 {
			t.Errorf("stream %s ends in a torn batch after %d events", stream, n)
		}
	}
	for position, want := range c.acknowledged {
		if int(position) > len(log) {
			t.Fatalf("position %d was acknowledged, and the log ends at %d", position, len(log))
		}
		if e := log[position-1]; fmt.Sprint(e.Stream, e.Revision) != want {
			t.Errorf("position %d was acknowledged for %s, and is revision %d of %s", position, want, e.Revision, e.Stream)
		}
	}
}

func TestKilled(t *testing.T) {
	t.Run("C19 a process killed while appending leaves every acknowledged batch, and each whole", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		defer shut(t, store)
		for range scripted(6, 60) {
			c := newChild(t, url)
			left := 1 + rand.IntN(200)
			c.listen(t, func(eventstore.Position) bool { left--; return left == 0 })
			c.kill(t)
			appends(t, store)
			c.mustHold(t, rest(t, store, eventstore.Start))
		}
	})
}

func TestTurns(t *testing.T) {
	t.Run("C34 two stores append to one stream by turns, each where the other left it", func(t *testing.T) {
		url := testdb.URL(t)
		one, two := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
		defer shut(t, one)
		defer shut(t, two)
		stream, last, given := uuid.NewString(), eventstore.NoStream, event()
		for i := range 10 {
			given = event()
			got, err := eventstore.AppendTo(t.Context(), []*postgres.Store{one, two}[i%2], stream, last, given)
			if last++; err != nil || got.Revision != last {
				t.Fatalf("append %d: %+v, %v", i, got, err)
			}
		}
		// The first does not know what the second wrote last.
		conflict := (*eventstore.ConflictError)(nil)
		if _, err := eventstore.AppendTo(t.Context(), one, stream, eventstore.NoStream, event()); !errors.As(err, &conflict) || conflict.Actual != last {
			t.Errorf("an append at the beginning: %v, and the stream is at %d", err, last)
		}
		appends(t, two)
		if got, err := eventstore.AppendTo(t.Context(), one, stream, last-1, given); err != nil || got.Revision != last {
			t.Errorf("the last append again: %+v, %v", got, err)
		}
	})
}

func TestReopen(t *testing.T) {
	t.Run("C43 after a restart a follower continues where it was", func(t *testing.T) {
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		appends(t, store)
		seen := rest(t, store, eventstore.Start)
		appends(t, store)
		shut(t, store)

		store = open(t, url, postgres.Options{})
		defer shut(t, store)
		appends(t, store)
		seen = append(seen, rest(t, store, childBatch)...)
		for i, e := range seen {
			if e.Position != eventstore.Position(i+1) || e.Revision != eventstore.Revision(i%childBatch) {
				t.Errorf("event %d has position %d and revision %d", i+1, e.Position, e.Revision)
			}
		}
		if len(seen) != 3*childBatch {
			t.Errorf("followed %d events", len(seen))
		}
	})
	t.Run("C48 a log keeps its identity, and no other has it", func(t *testing.T) {
		url := testdb.URL(t)
		ids := map[uuid.UUID]bool{}
		for range 2 {
			for _, where := range []struct{ url, schema string }{{url, ""}, {url, "other"}, {testdb.URL(t), ""}} {
				store := open(t, where.url, postgres.Options{Schema: where.schema})
				ids[store.ID()] = true
				shut(t, store)
			}
		}
		if len(ids) != 4 { // two in the first database, and a new one each time
			t.Errorf("there are %d identities", len(ids))
		}
	})
}
