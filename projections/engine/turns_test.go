package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/internal/testdb"
	"daybook/readmodels/table"
)

// inSchemas is a home in a database.
func inSchemas(t testing.TB, database string, lease time.Duration) table.Home {
	t.Helper()
	home, err := table.NewSchemas(database, table.SchemasOptions{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	return home
}

func (r *running) isProjecting(t *testing.T) bool {
	t.Helper()
	all, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Posting
}

// TestInTurns runs three engines on one home. One projects, the others see all that it projects, and take over: when it ends,
// and when it loses its term without knowing.
func TestInTurns(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, time.Hour)
	a := b.start(t, home)
	a.wait(t, b.appendSome(t, 10))
	c, d := b.start(t, home), b.start(t, home)
	all := []*running{a, c, d}
	everybodySees := func() {
		t.Helper()
		p := b.appendSome(t, 10)
		want := reference(b.entries(t))
		for _, r := range all {
			r.wait(t, p)
			if d := diff(want, r.contents(t)); d != "" {
				t.Error(d)
			}
			status, err := r.Status(t.Context())
			if err != nil || status[0].State != UpToDate || status[0].Position != p || status[0].Applied != int64(p) || status[0].Parked != 0 {
				t.Errorf("%+v, %v", status[0], err)
			}
		}
	}
	everybodySees()
	for _, r := range []*running{c, d} {
		if err := r.Rebuild(t.Context(), RebuildOptions{}); !errors.Is(err, ErrElsewhere) {
			t.Errorf("a rebuild by a follower: %v", err)
		}
		if err := r.Retry(t.Context(), "things"); !errors.Is(err, ErrElsewhere) {
			t.Errorf("a retry by a follower: %v", err)
		}
	}
	if err := a.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	everybodySees()

	// Another process holds the term, and for a moment nobody can project: the previous holder notices when it writes.
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("UPDATE readmodels_2.checkpoints SET epoch = epoch + 1; UPDATE readmodels.terms SET holder = 'another', until = clock_timestamp()")
	b.appendSome(t, 1)
	for holder := "another"; holder == "another"; { // a may be the next again
		if err := db.Get(&holder, "SELECT coalesce(max(holder), 'another') FROM readmodels.terms"); err != nil {
			t.Fatal(err)
		}
	}
	everybodySees()

	for len(all) > 1 { // whichever projects
		i := slices.IndexFunc(all, func(r *running) bool { return r.isProjecting(t) })
		if err := all[i].end(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		all = slices.Delete(all, i, i+1)
		everybodySees()
		for !slices.ContainsFunc(all, func(r *running) bool { return r.isProjecting(t) }) {
		}
	}
	if said := all[0].verify(t, b.Source); said != nil {
		t.Error(said)
	}
}

// TestARogueStopsTheProjector: a writer without a term stops the projector.
func TestARogueStopsTheProjector(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, 0)
	r := b.start(t, home)
	r.wait(t, b.appendSome(t, 10))
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("UPDATE readmodels_1.checkpoints SET epoch = epoch + 1")
	b.appendSome(t, 1)
	<-r.ended
	if fenced := (*FencedError)(nil); !errors.As(r.end(), &fenced) {
		t.Error(r.end())
	}
}

// TestVersionsSideBySide runs two programs with different projections on one desk: each projects what it understands.
func TestVersionsSideBySide(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, time.Hour)
	newer := &bench{Source: b.Source}
	newer.Version = "newer"
	b.appendSome(t, 30)
	v1, v2 := b.start(t, home), newer.start(t, home)
	bothPost := func() {
		t.Helper()
		p := b.appendSome(t, 10)
		for _, r := range []*running{v1, v2} {
			r.wait(t, p)
			if d := diff(reference(b.entries(t)), r.contents(t)); d != "" || !r.isProjecting(t) {
				t.Error(d)
			}
		}
	}
	bothPost()
	for range 3 {
		if err := v1.Rebuild(t.Context(), RebuildOptions{}); err != nil {
			t.Fatal(err)
		}
		bothPost()
	}
	if err := v2.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	bothPost()
	if got := generations(t, home); got != "3 up to 6" { // one of v1, and one before it; two of v2 would be one too many
		t.Error("there are", got)
	}
}

// TestPatience starts while the database accepts no connections. It waits for states, and never for a time: it failed 1 time in 7.
// Case 6.18.
func TestPatience(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, 0)
	where, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	admin := sqlx.MustConnect("postgres", where.ResolveReference(&url.URL{Path: "/postgres", RawQuery: where.RawQuery}).String())
	defer admin.Close()
	open := func(yes bool) {
		admin.MustExec(fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %v", strings.TrimPrefix(where.Path, "/"), yes))
	}
	open(false)
	impatient := b.start(t, home)
	<-impatient.ended
	if impatient.end() == nil {
		t.Error("it projects into nothing")
	}
	projector := begin(t, b.Source, home, func(ctx context.Context, e *Engine) error { return e.Run(ctx, RunOptions{Patient: true}) })
	follower := begin(t, b.Source, home, follows)
	for _, e := range []*running{projector, follower} {
		for {
			all, err := e.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if all[0].State == Retrying && all[0].Err != nil {
				break
			}
		}
	}
	open(true)
	p := b.appendSome(t, 10)
	projector.wait(t, p)
	follower.wait(t, p)
	for _, e := range []*running{projector, follower} {
		if err := e.end(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestWhatADatabaseForgets restores the read models to an earlier state while an engine projects, as a failover to a standby that
// lacks the last commits does: what was lost is projected again.
func TestWhatADatabaseForgets(t *testing.T) {
	for name, forget := range map[string]string{
		"batches":            "",
		"batches and claims": "UPDATE readmodels_1.checkpoints SET epoch = epoch - 1",
		"everything":         "DROP SCHEMA readmodels_1 CASCADE",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			database := testdb.URL(t)
			r := b.start(t, inSchemas(t, database, time.Hour))
			r.wait(t, b.appendSome(t, 20))
			db := sqlx.MustConnect("postgres", database)
			defer db.Close()
			putBack := kept(t, db)
			r.wait(t, b.appendSome(t, 10))
			db.MustExec(putBack + forget)
			r.comesToAll(t, b)
		})
	}
}

// TestWhatIsDroppedWhileNothingHappens drops the read models of a desk on which nothing happens: they are built anew all the same.
func TestWhatIsDroppedWhileNothingHappens(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, time.Hour)
	r := b.start(t, home)
	p := b.appendSome(t, 20)
	r.wait(t, p)
	follower := begin(t, b.Source, home, follows)
	follower.wait(t, p)
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("DROP SCHEMA readmodels_1 CASCADE")
	for _, e := range []*running{r, follower} {
		for err := table.ErrGone; err != nil; {
			err = e.live.Read(func(db *table.DB) error {
				_, err := table.ReadGeneration(t.Context(), db.Readers)
				return err
			})
		}
	}
	if d := diff(reference(b.entries(t)), r.contents(t)); d != "" {
		t.Error(d)
	}
}

// kept saves the rows of the first generation, and returns SQL that restores them.
func kept(t *testing.T, db *sqlx.DB) (putBack string) {
	t.Helper()
	var tables []string
	if err := db.Select(&tables, "SELECT tablename FROM pg_tables WHERE schemaname = 'readmodels_1'"); err != nil {
		t.Fatal(err)
	}
	keep := "CREATE SCHEMA kept;"
	for _, name := range tables {
		keep += fmt.Sprintf("CREATE TABLE kept.%s AS TABLE readmodels_1.%[1]s;", name)
		putBack += fmt.Sprintf("TRUNCATE readmodels_1.%s; INSERT INTO readmodels_1.%[1]s TABLE kept.%[1]s;", name)
	}
	db.MustExec(keep)
	return putBack
}

// comesToAll waits until everything is projected, and nothing else.
func (r *running) comesToAll(t *testing.T, b *bench) {
	t.Helper()
	p := b.appendSome(t, 5)
	for { // they may be at another position for a moment
		r.wait(t, p)
		if d := diff(reference(b.entries(t)), r.contents(t)); d == "" {
			break
		}
	}
	status, err := r.Status(t.Context())
	if err != nil || status[0].State != UpToDate || status[0].Applied != int64(p) || !status[0].Posting {
		t.Errorf("%+v, %v", status[0], err)
	}
	if said := r.verify(t, b.Source); said != nil {
		t.Error(said)
	}
}

// TestRetryingWhatWasForgotten retries what is parked after the database was restored to an earlier state.
func TestRetryingWhatWasForgotten(t *testing.T) {
	for name, parkedBefore := range map[string]bool{"the parking too": false, "what came after it": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.poison.Store(true)
			database := testdb.URL(t)
			r := b.start(t, inSchemas(t, database, time.Hour))
			r.wait(t, b.appendSome(t, 20))
			db := sqlx.MustConnect("postgres", database)
			defer db.Close()
			poison := func() { r.wait(t, b.append(t, 77, toy{"poison", 0, 0, 1})) }
			if parkedBefore {
				poison()
			}
			putBack := kept(t, db)
			if !parkedBefore {
				poison()
			}
			r.wait(t, b.appendSome(t, 10))
			b.poison.Store(false)
			db.MustExec(putBack)
			if err := r.Retry(t.Context(), "things"); !errors.Is(err, errAnew) {
				t.Error(err)
			}
			r.comesToProject(t)
			if err := r.Retry(t.Context(), "things"); err != nil {
				t.Error(err)
			}
			r.comesToAll(t, b)
		})
	}
}

// comesToProject waits until the engine projects again.
func (r *running) comesToProject(t *testing.T) {
	t.Helper()
	for {
		all, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if all[0].Posting && all[0].State == UpToDate {
			return
		}
	}
}

// TestWhoSleptClaimsNothing takes over a generation after the term has gone to another process.
func TestWhoSleptClaimsNothing(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, time.Hour)
	r := b.start(t, home)
	r.wait(t, b.appendSome(t, 10))
	r.wait(t, b.appendSome(t, 10)) // by then dashboards see them
	r.end()
	term, err := home.Hold(t.Context(), r.schema, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer term.End(t.Context())
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("UPDATE readmodels.terms SET holder = 'another'")
	generation, err := home.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer generation.Close()
	l, err := b.ledger()
	if err != nil {
		t.Fatal(err)
	}
	var before, after int64
	const epoch = "SELECT max(epoch) FROM readmodels_1.checkpoints"
	if err := db.Get(&before, epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := claim(t.Context(), generation, term, l); !errors.Is(err, table.ErrTermOver) {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"publish": generation.Publish(t.Context(), term, l.relations()), "mark ready": generation.MarkReady(t.Context(), term),
	} {
		if !errors.Is(err, table.ErrTermOver) {
			t.Errorf("%s: %v", what, err)
		}
	}
	db.MustExec("COMMENT ON SCHEMA reporting IS 'of another generation'")
	if err := home.Remove(t.Context(), term, 1); !errors.Is(err, table.ErrTermOver) {
		t.Error(err)
	}
	if err := db.Get(&after, epoch); err != nil || after != before {
		t.Errorf("epoch %d, before it was %d: %v", after, before, err)
	}
}

// TestARebuildWhoseTermEnds says so, and leaves nothing behind.
func TestARebuildWhoseTermEnds(t *testing.T) {
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, 3*time.Second)
	r := b.start(t, home)
	r.wait(t, b.appendSome(t, 10))
	tenure, err := r.mine()
	if err != nil {
		t.Fatal(err)
	}
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	err = r.Rebuild(t.Context(), RebuildOptions{Compare: func(Difference) error { return nil }, Progress: func(p Progress) {
		if p.Step != Comparing {
			return
		}
		db.MustExec("UPDATE readmodels.terms SET holder = 'another'")
		<-tenure.ctx.Done()
	}})
	if !errors.Is(err, table.ErrTermOver) {
		t.Error(err)
	}
	if got := generations(t, home); got != "1 up to 1" {
		t.Error("there are", got)
	}
}

// TestDashboardsHoldNobodyUp has a dashboard read for long, while read models are rebuilt and created.
func TestDashboardsHoldNobodyUp(t *testing.T) {
	publishSoon(t)
	b := newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, 0)
	r := b.start(t, home)
	r.wait(t, b.appendSome(t, 10))
	r.wait(t, b.appendSome(t, 10)) // by then dashboards see them
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	reading := db.MustBegin()
	var rows int
	if err := reading.Get(&rows, "SELECT count(*) FROM reporting.things"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
			t.Fatal(err)
		}
		r.wait(t, b.appendSome(t, 10))
	}
	if err := reading.Get(&rows, "SELECT count(*) FROM reporting.things"); err != nil {
		t.Error(err)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	for seen := 0; seen != len(r.contents(t).Things); {
		if err := db.Get(&seen, "SELECT count(*) FROM reporting.things"); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Get(&rows, "SELECT count(*) FROM pg_views WHERE schemaname = 'reporting' AND definition LIKE '%readmodels_4%'"); err != nil || rows == 0 {
		t.Error("dashboards see an older generation", err)
	}
}

// publishSoon retries publishing at once.
func publishSoon(t *testing.T) {
	before := publishAgain
	publishAgain = time.Millisecond
	t.Cleanup(func() { publishAgain = before })
}

// TestWhatDashboardsNeverSaw drops a generation before it is shown to dashboards, and gives them a schema without the desk's views.
func TestWhatDashboardsNeverSaw(t *testing.T) {
	publishSoon(t)
	b := newBench(t)
	database := testdb.URL(t)
	r := b.start(t, inSchemas(t, database, time.Hour))
	r.wait(t, b.appendSome(t, 10))
	r.wait(t, b.appendSome(t, 10)) // by then dashboards see them
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	reading := db.MustBegin()
	reading.MustExec("SELECT FROM reporting.things")
	if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	db.MustExec("DROP SCHEMA readmodels_2 CASCADE")
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	for err := table.ErrGone; err != nil; { // though nothing happens
		err = r.live.Read(func(db *table.DB) error {
			_, err := table.ReadGeneration(t.Context(), db.Readers)
			return err
		})
	}
	r.comesToAll(t, b)

	db.MustExec("DROP SCHEMA reporting CASCADE; CREATE SCHEMA reporting; CREATE TABLE reporting.things ()") // no view
	if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	r.comesToAll(t, b)
}

// TestAFollowerGoesOnWithWhatIsBuiltAnew follows read models of a log that is restored and shorter, until they are dropped and
// rebuilt.
func TestAFollowerGoesOnWithWhatIsBuiltAnew(t *testing.T) {
	a, shorter := newBench(t), newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, time.Hour)
	log := &exchanged{posing: posing{a.store, a.store.ID()}}
	source := a.Source
	source.Store = log
	r := a.start(t, home)
	r.wait(t, a.appendSome(t, 20))
	r.end()
	follower := begin(t, source, home, follows)
	follower.wait(t, 20)
	shorter.appendSome(t, 8)
	log.become(shorter.store)
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("DROP SCHEMA readmodels_1 CASCADE")
	shorter.Source.Store = posing{shorter.store, a.store.ID()}
	shorter.start(t, home).wait(t, 8)
	for follower.live.Position() != 8 {
	}
	if err := follower.live.Read(func(db *table.DB) error { _, err := pointOf(t.Context(), db); return err }); err != nil {
		t.Error(err)
	}
}

// exchanged is a log that becomes another with the same identity.
type exchanged struct {
	mu sync.Mutex
	posing
}

func (e *exchanged) become(s eventstore.Store) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Store = s
}

func (e *exchanged) now() eventstore.Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Store
}

func (e *exchanged) Head(ctx context.Context) (eventstore.Position, error) { return e.now().Head(ctx) }

func (e *exchanged) Read(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return e.now().Read(ctx, stream, from, way, limit)
}

// TestWhatDoesNotFitIsWaitedFor continues by itself once the message was followed.
func TestWhatDoesNotFitIsWaitedFor(t *testing.T) {
	a, grown := newBench(t), newBench(t)
	database := testdb.URL(t)
	home := inSchemas(t, database, 0)
	r := a.start(t, home)
	r.wait(t, a.appendSome(t, 5))
	r.end()
	p := grown.appendSome(t, 9)
	regrown := a.Source
	regrown.Store = posing{grown.store, a.store.ID()}
	told := make(chan error, 1)
	waiting := begin(t, regrown, home, func(ctx context.Context, e *Engine) error {
		return e.Run(ctx, RunOptions{Patient: true, Failing: func(err error) {
			select {
			case told <- err:
			default:
			}
		}})
	})
	if err, unfit := <-told, (*UnfitError)(nil); !errors.As(err, &unfit) {
		t.Error(err)
	}
	db := sqlx.MustConnect("postgres", database)
	defer db.Close()
	db.MustExec("DROP SCHEMA readmodels_1 CASCADE")
	waiting.wait(t, p)
}

// TestStopping stops an engine in the middle of a call that fails in words of its own, as PostgreSQL cancels a statement.
func TestStopping(t *testing.T) {
	for name, work := range map[string]func(context.Context, *Engine) error{
		"run":          func(ctx context.Context, e *Engine) error { return e.Run(ctx, RunOptions{}) },
		"run, patient": func(ctx context.Context, e *Engine) error { return e.Run(ctx, RunOptions{Patient: true}) },
		"follow":       func(ctx context.Context, e *Engine) error { return e.Follow(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			home := inFiles(t)
			first := b.start(t, home)
			first.wait(t, b.appendSome(t, 10))
			_ = first.end()
			asked := make(chan struct{})
			b.Store = &cancelled{Store: b.Store, asked: sync.OnceFunc(func() { close(asked) })}
			r := begin(t, b.Source, home, work)
			<-asked
			if err := r.end(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// A cancelled store answers only when it is stopped.
type cancelled struct {
	eventstore.Store
	asked func()
}

func (c *cancelled) Head(ctx context.Context) (eventstore.Position, error) {
	c.asked()
	<-ctx.Done()
	return 0, errors.New("canceling statement due to user request")
}
