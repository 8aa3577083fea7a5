package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/internal/testdb"
	"daybook/readmodels/table"
)

// A running engine, stopped at the end of the test.
type running struct {
	*Engine
	live *table.Live
	end  func() error // stops it and returns why it ended
}

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// newHome returns the home of a test's read models.
var newHome = inFiles

func inFiles(t testing.TB) table.Home { return table.Folder(t.TempDir()) }

// TestInPostgreSQL runs the engine's tests again, with their read models in PostgreSQL.
func TestInPostgreSQL(t *testing.T) {
	newHome = func(t testing.TB) table.Home { return inSchemas(t, testdb.URL(t), 0) }
	defer func() { newHome = inFiles }()
	for name, test := range map[string]func(*testing.T){
		"projecting is a fold":        TestProjectingIsAFold,
		"the engine catches up":       TestEngineCatchesUp,
		"the last to claim can write": TestTheLastToClaimCanWrite,
		"poison parks its thing":      TestPoisonParksItsThing,
		"unknown events":              TestNothingIsProjectedPastAnUnknownEvent,
		"verify names what is wrong":  TestVerifyNamesWhatIsWrong,
		"rebuild at work":             TestRebuildWhileTheDeskIsAtWork,
		"a cancelled rebuild":         TestACancelledRebuildLeavesNoTrace,
		"another schema":              TestAnotherSchemaIsBuiltAnew,
		"another log":                 TestAnotherLogIsRefused,
		"a follower of another log":   TestAFollowerSeesThatTheLogIsAnother,
		"trespassing":                 TestTrespassing,
		"facts that come late":        TestFactsThatComeLate,
		"verify names facts":          TestVerifyNamesFacts,
		"a derived row is of one row": TestADerivedRowIsOfOneRow,
	} {
		t.Run(name, test)
	}
}

// newDB creates an empty database.
func newDB(t testing.TB) *table.DB {
	t.Helper()
	db, _, err := newHome(t).Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (b *bench) start(t testing.TB, home table.Home) *running {
	t.Helper()
	return begin(t, b.Source, home, func(ctx context.Context, e *Engine) error { return e.Run(ctx, RunOptions{}) })
}

// follows runs an engine that only follows.
func follows(ctx context.Context, e *Engine) error { return e.Follow(ctx) }

// begin starts an engine.
func begin(t testing.TB, s Source, home table.Home, work func(context.Context, *Engine) error) *running {
	t.Helper()
	live := &table.Live{}
	e, err := New(s, home, live)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var why error
	go func() {
		defer close(ended)
		why = work(ctx, e)
	}()
	r := &running{e, live, func() error { stop(); <-ended; return why }}
	t.Cleanup(func() {
		r.end()
		live.Close()
	})
	return r
}

func (r *running) wait(t testing.TB, p eventstore.Position) {
	t.Helper()
	if err := r.live.Wait(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// parked returns the parked streams.
func (r *running) parked(t testing.TB) (all []table.Parked) {
	t.Helper()
	err := r.live.Read(func(db *table.DB) (err error) {
		all, err = table.ReadParked(t.Context(), db.Readers)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (r *running) contents(t testing.TB) (c contents) {
	t.Helper()
	if err := r.live.Read(func(db *table.DB) error { c = contentsOf(t, db); return nil }); err != nil {
		t.Fatal(err)
	}
	return c
}

// verify returns the differences from the log, as text.
func (r *running) verify(t testing.TB, s Source) (said []string) {
	t.Helper()
	err := r.live.Read(func(db *table.DB) error {
		_, err := s.Verify(t.Context(), db, VerifyOptions{Report: func(d Difference) error {
			said = append(said, d.String())
			return nil
		}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func (b *bench) appendSome(t testing.TB, n int) (p eventstore.Position) {
	for range n {
		p = b.append(t, rand.IntN(10), toy{deeds[rand.IntN(len(deeds))], rand.IntN(3), rand.Int64N(4), rand.Int64N(9)})
	}
	return p
}

func TestEngineCatchesUp(t *testing.T) {
	b, home := newBench(t), newHome(t)
	p := b.appendSome(t, 50)
	r := b.start(t, home)
	r.wait(t, p)
	for range 20 {
		p = b.appendSome(t, 3)
	}
	r.wait(t, p)
	if d := diff(reference(b.entries(t)), r.contents(t)); d != "" {
		t.Fatal(d)
	}
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p = b.appendSome(t, 5)
	again := b.start(t, home)
	again.wait(t, p)
	if d := diff(reference(b.entries(t)), again.contents(t)); d != "" {
		t.Fatal(d)
	}
	all, err := again.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.State != UpToDate || s.Applied != int64(p) || s.Lag != 0 || s.Position != p {
			t.Errorf("the status is %+v", s)
		}
	}
	if said := again.verify(t, b.Source); said != nil {
		t.Error(said)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	r := b.start(t, newHome(t))
	r.wait(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := r.live.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() { r.wait(t, 1) })
	}
	b.append(t, 1, toy{Do: "insert"})
	waiting.Wait()
}

func TestAZombieIsFenced(t *testing.T) {
	b, home := newBench(t), newHome(t)
	zombie := b.start(t, home)
	zombie.wait(t, b.appendSome(t, 10))
	other := b.start(t, home)
	other.wait(t, b.appendSome(t, 10))
	why := func() error { // the next event at the latest tells
		for {
			all, err := zombie.Status(t.Context())
			if err != nil {
				return err
			}
			if all[0].State == Fenced {
				return zombie.end()
			}
			b.appendSome(t, 1)
		}
	}()
	var fenced *FencedError
	if !errors.As(why, &fenced) {
		t.Fatal(why)
	}
	other.wait(t, b.appendSome(t, 10))
	if d := diff(reference(b.entries(t)), other.contents(t)); d != "" {
		t.Fatal(d)
	}
	if said := other.verify(t, b.Source); said != nil {
		t.Error(said)
	}
}

// However often a fenced projector tries, and however many claim at once, exactly one can write.
func TestTheLastToClaimCanWrite(t *testing.T) {
	b := newBench(t)
	db := newDB(t)
	first, err := b.lay(t.Context(), db, table.Generation{})
	if err != nil {
		t.Fatal(err)
	}
	projectors := make([]*projector, 8)
	var claims sync.WaitGroup
	for i := range projectors {
		claims.Go(func() {
			l, err := b.ledger()
			if err == nil {
				projectors[i], err = claim(t.Context(), db, table.Alone{}, l)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	claims.Wait()
	slices.SortFunc(projectors, func(p, q *projector) int { return int(p.epoch - q.epoch) })
	last := projectors[len(projectors)-1]
	b.appendSome(t, 1)
	for _, p := range append(projectors, first) {
		p.strict, p.patient, p.failing = false, true, func(err error) { t.Error(err) }
		for range 2 {
			if p == last {
				continue
			}
			var fenced *FencedError
			if err := p.apply(t.Context(), b.entries(t)); !errors.As(err, &fenced) {
				t.Errorf("epoch %d: %v", p.epoch, err)
			}
		}
	}
	if err := last.apply(t.Context(), b.entries(t)); err != nil || last.epoch != 9 {
		t.Errorf("epoch %d: %v", last.epoch, err)
	}
}

func TestPoisonParksItsThing(t *testing.T) {
	for _, deed := range []string{"poison", "late poison", "unreadable"} {
		t.Run(deed, func(t *testing.T) {
			b := newBench(t)
			b.poison.Store(true)
			readable := atomic.Bool{}
			b.Decode = func(r eventstore.Recorded) (Recorded, error) {
				if string(r.Data) == "unreadable" && readable.Load() {
					r.Data = []byte(`{"Do":"upsert","N":1}`)
				}
				return decodeToy(r)
			}
			r := b.start(t, newHome(t))
			r.wait(t, b.appendSome(t, 20))
			var bad eventstore.Position
			if deed == "unreadable" {
				bad = b.appendRaw(t, 3, "toy", []byte(deed))
			} else {
				bad = b.append(t, 3, toy{Do: deed, N: 1})
			}
			b.append(t, 3, toy{Do: "upsert", N: 100})
			r.wait(t, b.append(t, 4, toy{Do: "insert", N: 100}))

			parked := r.parked(t)
			both := deed == "unreadable"
			if want := map[bool]int{false: 1, true: 2}[both]; len(parked) != want {
				t.Fatalf("%d things are parked, not %d: %v", len(parked), want, parked)
			}
			k := parked[len(parked)-1]
			if k.Projection != "things" || k.Position != bad || k.Waiting != 2 || k.Stream != "thing-"+thingID(3).String() || k.Error == "" {
				t.Fatalf("parked is %+v", k)
			}
			got := r.contents(t)
			if _, projected := got.Marks[bad]; projected == both {
				t.Errorf("the other projection has projected it: %v", projected)
			}
			if row, ok := got.Things[thingID(4)]; !ok || row.Name != "new" {
				t.Error("another stream was not projected")
			}
			if said := r.verify(t, b.Source); said != nil {
				t.Error("parked alike, and yet:", said)
			}

			retry := func() {
				for _, projection := range []string{"things", "buckets"} {
					if err := r.Retry(t.Context(), projection); err != nil {
						t.Fatal(err)
					}
				}
			}
			retry()
			if all, _ := r.Status(t.Context()); all[0].Parked != 1 {
				t.Errorf("what fails again is parked no more: %+v", all[0])
			}
			b.poison.Store(false)
			readable.Store(true)
			retry()
			if all, _ := r.Status(t.Context()); all[0].Parked != 0 || all[1].Parked != 0 {
				t.Errorf("still parked: %+v", all)
			}
			if d := diff(reference(b.entries(t)), r.contents(t)); d != "" {
				t.Error(d)
			}
			if said := r.verify(t, b.Source); said != nil {
				t.Error(said)
			}
		})
	}
}

// TestNothingIsProjectedPastAnUnknownEvent runs an older program on a log to which a newer one writes, with read models and without. It
// waits for what the program says, and never for a time: the test that was here before failed 1 time in 60. Case 6.18.
func TestNothingIsProjectedPastAnUnknownEvent(t *testing.T) {
	for name, built := range map[string]bool{"read models": true, "no read models yet": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			newer := &bench{Source: b.Source, store: b.store, last: b.last}
			newer.Decode = func(r eventstore.Recorded) (Recorded, error) {
				if r.Type == "sung" {
					r.Type = "toy"
				}
				return decodeToy(r)
			}
			home := newHome(t)
			_, alone := home.(table.Folder) // which only one process can use
			var said []error
			told := make(chan error, 100)
			begins := func() *running {
				return begin(t, b.Source, home, func(ctx context.Context, e *Engine) error {
					return e.Run(ctx, RunOptions{Patient: true, Failing: func(err error) { told <- err }})
				})
			}
			stops := func(older *running, at eventstore.Position) {
				t.Helper()
				said = append(said, <-told)
				mustBeBefore(t, older, b.Source, said[len(said)-1], at, built)
			}

			b.append(t, 1, toy{Do: "insert"})
			at := b.append(t, 2, toy{Do: "insert"})
			var older *running
			if built {
				older = begins()
				older.wait(t, at)
			}
			b.appendRaw(t, 1, "sung", []byte(`{"Do":"upsert","N":1}`))
			b.append(t, 2, toy{Do: "upsert", N: 2})
			if !built {
				older, at = begins(), 0
			}
			stops(older, at)
			if again := b.append(t, 3, toy{Do: "insert"}); older.live.Position() >= again {
				t.Error("it went on")
			}
			mustBeBefore(t, older, b.Source, said[0], at, built)

			if alone {
				older.end()
			}
			successor := newer.start(t, home)
			last := b.append(t, 4, toy{Do: "insert"})
			successor.wait(t, last)
			if d := diff(reference(newer.entries(t)), successor.contents(t)); d != "" {
				t.Error(d)
			}
			if said := successor.verify(t, newer.Source); said != nil {
				t.Error(said)
			}
			if !alone {
				older.wait(t, last)
			}
			successor.end()
			if alone {
				older = begins()
			}
			older.wait(t, b.append(t, 4, toy{Do: "upsert", N: 3})) // the next in turn
			at = older.live.Position()
			b.appendRaw(t, 5, "sung", []byte(`{"Do":"insert"}`))
			built = true
			stops(older, at)
			if err := older.end(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if len(said)+len(told) != 2 {
				t.Errorf("it said it more than once: %v", said)
			}
		})
	}
}

// mustBeBefore checks that an engine has stopped before an unknown event, and says so everywhere.
func mustBeBefore(t *testing.T, r *running, s Source, said error, at eventstore.Position, built bool) {
	t.Helper()
	newer := (*NewerError)(nil)
	if !errors.As(said, &newer) || !errors.Is(said, event.ErrUnknown) || !strings.Contains(said.Error(), `unknown event type "sung"`) {
		t.Fatalf("it said: %v", said)
	}
	all, err := r.Status(t.Context())
	if err != nil || all[0].State != Stopped || !errors.As(all[0].Err, &newer) || all[0].Position != at || all[0].Parked != 0 {
		t.Errorf("the status is %+v, %v", all[0], err)
	}
	if err := r.Rebuild(t.Context(), RebuildOptions{}); !errors.As(err, &newer) {
		t.Errorf("a rebuild says %v", err)
	}
	if err := r.Retry(t.Context(), "things"); !errors.As(err, &newer) {
		t.Errorf("a retry says %v", err)
	}
	if err := s.Replay(t.Context(), Cut{}, filepath.Join(t.TempDir(), "all.db")); !errors.As(err, &newer) {
		t.Errorf("a replay says %v", err)
	}
	if !built {
		return
	}
	err = r.live.Read(func(db *table.DB) error {
		v, err := s.Verify(t.Context(), db, VerifyOptions{Report: func(d Difference) error { return errors.New(d.String()) }})
		if errors.As(err, &newer) && newer.Position < at { // another program has projected it
			return nil
		}
		if v.Newer == nil || v.Position != at {
			t.Errorf("verified %+v", v)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A hiding store hides one event from subscriptions.
type hiding struct {
	eventstore.Store
	hidden eventstore.Position
}

func (h hiding) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for batch, err := range h.Store.Follow(ctx, after, most...) {
			var rest []eventstore.Recorded
			for _, e := range batch {
				if e.Position != h.hidden {
					rest = append(rest, e)
				}
			}
			if !yield(rest, err) {
				return
			}
		}
	}
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	b := newBench(t)
	for n := range 5 {
		b.append(t, n, toy{Do: "insert", N: 1})
	}
	hidden := b.append(t, 2, toy{Do: "update", N: 7, Agent: 1, Hour: 1})
	last := b.append(t, 3, toy{Do: "update", N: 2})
	lossy := &bench{Source: b.Source, store: b.store}
	lossy.Store = hiding{b.store, hidden}
	r := lossy.start(t, newHome(t))
	r.wait(t, last)
	write := func(statement string, args ...driver.Value) {
		t.Helper()
		err := r.live.Read(func(db *table.DB) error {
			return db.Write(t.Context(), func(tx table.Tx) error {
				n, err := tx.Exec(statement, args...)
				if n != 1 {
					t.Errorf("%s changes %d rows", statement, n)
				}
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("DELETE FROM things WHERE thing_id = ?", thingID(0).String())
	write("UPDATE things SET name = 'old' WHERE thing_id = ?", thingID(1).String())
	write("INSERT INTO marks (position, stream) VALUES (?, 'nothing')", int64(99))
	write("UPDATE labels SET times = 9 WHERE thing_id = ?", thingID(3).String())
	write("UPDATE totals SET took = took + 1 WHERE day = ?", "1970-01-01")

	said := strings.Join(r.verify(t, b.Source), "\n")
	for _, want := range []string{
		"things " + thingID(0).String() + ": the row is missing",
		"things " + thingID(1).String() + ": name differs",
		"things " + thingID(2).String() + ": n is 0 and should be 7",
		"labels 1," + thingID(2).String() + ": the row is missing",
		"labels 0," + thingID(3).String() + ": times is 9 and should be 1",
		"totals 00000000-0000-0000-0000-000000000000,1970-01-01: took is ",
		"marks 6: the row is missing",
		"marks 99: the row should not be there",
		"notes 6,0: the row is missing",
		"notes 6,1: the row is missing",
		"checkpoints things: applied is 6 and should be 7",
		"checkpoints buckets: applied is 6 and should be 7",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say: %s", want)
		}
	}
	// Beside these: four more cells of thing 2, and the bucket, the pack and the total of agent 1 and hour 1.
	if n := strings.Count(said, "\n") + 1; n != 12+4+3 {
		t.Errorf("it says %d things:\n%s", n, said)
	}
}

func TestRebuildWhileTheDeskIsAtWork(t *testing.T) {
	b, home := newBench(t), newHome(t)
	b.appendSome(t, 300)
	r := b.start(t, home)
	r.wait(t, 300)
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() { // a reader reads all the time
		var known, seen eventstore.Position
		for {
			select {
			case <-done:
				return
			default:
			}
			before := known
			if known = r.live.Position(); known < before {
				t.Errorf("the position went back from %s to %s", before, known)
			}
			err := r.live.Read(func(db *table.DB) error {
				all, err := table.ReadCheckpoints(t.Context(), db.Readers)
				for _, c := range all {
					if c.Position < known || c.Position < seen {
						t.Errorf("%s is at %s after %s was known and %s was seen", c.Projection, c.Position, known, seen)
					}
					seen = c.Position
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	work.Go(func() { // a writer writes no faster than the engine projects
		for {
			select {
			case <-done:
				return
			default:
				r.wait(t, b.appendSome(t, 1))
			}
		}
	})
	steps := map[Step]bool{}
	for range 3 {
		var differences []Difference
		err := r.Rebuild(t.Context(), RebuildOptions{
			Progress: func(p Progress) { steps[p.Step] = true },
			Compare:  func(d Difference) error { differences = append(differences, d); return nil },
		})
		if err != nil || differences != nil {
			t.Fatal(err, differences)
		}
	}
	close(done)
	work.Wait()
	for _, s := range []Step{Folding, Indexing, Comparing, Switching} {
		if !steps[s] {
			t.Errorf("nobody was told of %s", s)
		}
	}
	r.wait(t, b.appendSome(t, 1))
	if d := diff(reference(b.entries(t)), r.contents(t)); d != "" {
		t.Error(d)
	}
	if _, files := home.(table.Folder); files {
		var integrity string
		err := r.live.Read(func(db *table.DB) error { return db.Readers.Get(&integrity, "PRAGMA integrity_check") })
		if err != nil || integrity != "ok" {
			t.Error("the indexes are", integrity, err)
		}
	}
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.live.Close()
	if got := generations(t, home); got != "2 up to 4" {
		t.Error("there are", got)
	}
	if err := r.Retry(t.Context(), "things"); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
}

func generations(t *testing.T, home table.Home) string {
	t.Helper()
	all, err := home.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(all), " up to ", all[len(all)-1].Number)
}

func TestACancelledRebuildLeavesNoTrace(t *testing.T) {
	b, home := newBench(t), newHome(t)
	p := b.appendSome(t, 100)
	r := b.start(t, home)
	r.wait(t, p)
	before := generations(t, home)
	for _, step := range []Step{Folding, Indexing, Switching} {
		ctx, stop := context.WithCancel(t.Context())
		err := r.Rebuild(ctx, RebuildOptions{Progress: func(p Progress) {
			if p.Step == step {
				stop()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(step, err)
		}
		if after := generations(t, home); after != before {
			t.Fatalf("%s: there are %s", step, after)
		}
	}
	r.wait(t, b.appendSome(t, 1)) // and it continues
	if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherSchemaIsBuiltAnew(t *testing.T) {
	b, home := newBench(t), newHome(t)
	p := b.appendSome(t, 30)
	r := b.start(t, home)
	r.wait(t, p)
	r.end()
	r.live.Close()
	if broken, _, err := home.Create(t.Context()); err != nil { // an interrupted rebuild
		t.Fatal(err)
	} else if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	newer := &bench{Source: b.Source}
	newer.Version = "newer"
	again := newer.start(t, home)
	again.wait(t, p)
	if d := diff(reference(b.entries(t)), again.contents(t)); d != "" {
		t.Error(d)
	}
	again.end()
	again.live.Close()
	if got := generations(t, home); !strings.HasPrefix(got, "2 up to ") {
		t.Error("there are", got)
	}
	older := b.start(t, home) // continues where it was
	older.wait(t, b.appendSome(t, 5))
	if d := diff(reference(b.entries(t)), older.contents(t)); d != "" {
		t.Error(d)
	}
	if got := generations(t, home); !strings.HasPrefix(got, "2 up to ") {
		t.Error("there are", got)
	}
}

func TestAnotherLogIsRefused(t *testing.T) {
	a, b, home := newBench(t), newBench(t), newHome(t)
	r := a.start(t, home)
	r.wait(t, a.appendSome(t, 5))
	r.end()
	r.live.Close()
	e, err := New(b.Source, home, &table.Live{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context(), RunOptions{}); err == nil || !strings.Contains(err.Error(), "to have it rebuilt") {
		t.Errorf("another log: %v", err)
	}
	shorter := a.Source
	shorter.Store = short{a.store}
	if e, err = New(shorter, home, &table.Live{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context(), RunOptions{}); !errors.Is(err, eventstore.ErrAhead) || !strings.Contains(err.Error(), "to have it rebuilt") {
		t.Errorf("a shorter log: %v", err)
	}
	// A log that was restored and has grown since has other events there.
	grown := newBench(t)
	grown.appendSome(t, 9)
	regrown := a.Source
	regrown.Store = posing{grown.store, a.store.ID()}
	if e, err = New(regrown, home, &table.Live{}); err != nil {
		t.Fatal(err)
	}
	unfit := (*UnfitError)(nil)
	if err := e.Run(t.Context(), RunOptions{}); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "to have it rebuilt") {
		t.Errorf("a restored log: %v", err)
	}
	db, err := shorter.OpenLive(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = shorter.Verify(t.Context(), db, VerifyOptions{})
	if !errors.Is(err, eventstore.ErrAhead) || !strings.Contains(err.Error(), "to have it rebuilt") {
		t.Errorf("a shorter log, verified: %v", err)
	}
	all, err := e.Status(t.Context())
	if err != nil || all[0].State != Stopped || all[0].Err == nil {
		t.Errorf("the status is %+v, %v", all, err)
	}
}

// TestAFollowerSeesThatTheLogIsAnother follows read models that contain events that the log no longer has.
func TestAFollowerSeesThatTheLogIsAnother(t *testing.T) {
	a, grown, home := newBench(t), newBench(t), newHome(t)
	r := a.start(t, home)
	r.wait(t, a.appendSome(t, 5))
	r.end()
	grown.appendSome(t, 9)
	regrown := a.Source
	regrown.Store = posing{grown.store, a.store.ID()}
	follower := begin(t, regrown, home, follows)
	var seen error
	for unfit := (*UnfitError)(nil); !errors.As(seen, &unfit); {
		all, err := follower.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen = all[0].Err
	}
}

// posing is a log with another's identity, like a restored one.
type posing struct {
	eventstore.Store
	id uuid.UUID
}

func (p posing) ID() uuid.UUID { return p.id }

type short struct{ eventstore.Store }

func (short) Head(context.Context) (eventstore.Position, error) { return 3, nil }

// When the database fails, the engine retries, and nothing is parked.
func TestAFullDiskIsWaitedFor(t *testing.T) {
	b := newBench(t)
	db, err := table.OpenTemporary("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := b.lay(t.Context(), db, table.Generation{})
	if err != nil {
		t.Fatal(err)
	}
	b.appendSome(t, 1000)
	log := b.entries(t)
	limit := func(pages string) {
		err := db.Write(t.Context(), func(tx table.Tx) error {
			_, err := tx.Exec("PRAGMA max_page_count = " + pages)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	p.strict, p.patient = false, true
	p.failing = func(error) {
		failed++
		limit("1000000")
	}
	limit("20")
	for len(log) > 0 {
		if err := p.apply(t.Context(), log[:500]); err != nil {
			t.Fatal(err)
		}
		log = log[500:]
	}
	if failed != 1 || len(p.parked) != 0 {
		t.Errorf("it failed %d times, and %d things are parked", failed, len(p.parked))
	}
	if d := diff(reference(b.entries(t)), contentsOf(t, db)); d != "" {
		t.Error(d)
	}
}

func TestReplayAsOfThen(t *testing.T) {
	b := newBench(t)
	b.appendSome(t, 200)
	log := b.entries(t)
	early := func(until table.Instant) (some []entry) {
		for _, e := range log {
			if e.At <= until {
				some = append(some, e)
			}
		}
		return some
	}
	for _, c := range []struct {
		cut  Cut
		want []entry
	}{
		{Cut{}, log},
		{Cut{Position: 77}, log[:77]},
		{Cut{At: 1300}, early(1300)},
	} {
		path := filepath.Join(t.TempDir(), uuid.NewString())
		if err := b.Replay(t.Context(), c.cut, path); err != nil {
			t.Fatal(err)
		}
		db, err := table.OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(reference(c.want), contentsOf(t, db)); d != "" {
			t.Errorf("%+v: %s", c.cut, d)
		}
		db.Close()
		if err := b.Replay(t.Context(), c.cut, path); err == nil {
			t.Error("it was written over")
		}
	}
	path := filepath.Join(t.TempDir(), "bad.db")
	b.appendRaw(t, 1, "toy", []byte("unreadable"))
	if err := b.Replay(t.Context(), Cut{}, path); !errors.Is(err, errUnreadable) {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Error("there are", left, err)
	}
}
