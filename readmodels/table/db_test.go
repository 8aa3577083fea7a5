package table

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/internal/testdb"
)

type colour string

type RowKey struct {
	Group Ref     `db:"group,key"` // a word of SQL's
	Hour  Instant `db:"hour,key"`
}

type kinds struct {
	RowKey
	ID       uuid.UUID           `db:"id"`
	Colour   colour              `db:"colour"`
	Other    Ref                 `db:"other"`
	At       Instant             `db:"at"`
	Words    List[string]        `db:"words"`
	N        int                 `db:"n"`
	Position eventstore.Position `db:"position"`
	Part     float64             `db:"part"`
	Open     bool                `db:"open"`
	Maybe    *int64              `db:"maybe"`
	Name     *string             `db:"name"`
}

func related(t *testing.T, row any, name string) *Relation {
	t.Helper()
	r, err := Relate(Table{Name: name, Row: row, Indexes: []string{"n DESC, id"}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// everywhere runs a test on each kind of database.
func everywhere(t *testing.T, test func(t *testing.T, home Home)) {
	t.Run("SQLite", func(t *testing.T) { test(t, Folder(t.TempDir())) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, schemas(t, 0)) })
}

func laid(t *testing.T, home Home, relations ...*Relation) *DB {
	t.Helper()
	db, number, err := home.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	g := Generation{Number: number, Schema: "s", Log: uuid.New(), State: Building}
	if err := db.Lay(t.Context(), g, relations, []Checkpoint{{Projection: "p"}}); err != nil {
		t.Fatal(err)
	}
	return db
}

func one(n int64) *int64 { return &n }

// rowsOf makes different rows, the first of which is zero but for its key.
func rowsOf(n int) []kinds {
	word := "word"
	rows := make([]kinds, n)
	for i := range rows {
		rows[i].Hour = Instant(i)
		if i%3 > 0 {
			rows[i] = kinds{
				RowKey{Ref(uuid.New()), Instant(i)}, uuid.New(), "red", Ref(uuid.New()), 17, List[string]{"a", "b"}, -i, 1 << 40, 0.5, true, one(0), &word,
			}
		}
	}
	return rows
}

func encoded(t *testing.T, rows []kinds, width int, encode func(reflect.Value, []driver.Value) error) iter.Seq[[]driver.Value] {
	return func(yield func([]driver.Value) bool) {
		values := make([]driver.Value, width)
		for i := range rows {
			if err := encode(reflect.ValueOf(&rows[i]).Elem(), values); err != nil {
				t.Error(err)
			}
			if !yield(values) {
				return
			}
		}
	}
}

func TestRowsComeBackAsTheyWere(t *testing.T) { everywhere(t, rowsComeBack) }

func rowsComeBack(t *testing.T, home Home) {
	r := related(t, kinds{}, "order") // another word of SQL's
	db := laid(t, home, r)
	rows := rowsOf(2*loadedAtOnce + 5)
	keys := func(of []kinds) iter.Seq[[]driver.Value] { return encoded(t, of, len(r.Key), r.EncodeKey) }
	put := func(of []kinds) {
		t.Helper()
		err := db.Write(t.Context(), func(tx Tx) error { return tx.Put(r, encoded(t, of, len(r.Columns), r.Encode)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func(of []kinds) (found []kinds) {
		t.Helper()
		err := db.Write(t.Context(), func(tx Tx) error {
			return tx.Load(r, keys(of), func(values []driver.Value) error {
				var row kinds
				err := r.Decode(values, reflect.ValueOf(&row).Elem())
				found = append(found, row)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(found, func(a, b kinds) int { return int(a.Hour - b.Hour) })
		return found
	}
	same := func(want, got []kinds) {
		t.Helper()
		if d := cmp.Diff(want, got, cmp.Transformer("", func(l List[string]) string { return strings.Join(l, ",") })); d != "" {
			t.Fatal(d)
		}
	}
	put(rows)
	same(rows, load(rows))
	rows[4].Words, rows[4].Maybe = nil, nil
	put(rows[4:5])
	same(rows, load(rows))
	if err := db.BuildIndexes(t.Context(), []*Relation{r}); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx Tx) error { return tx.Delete(r, keys(rows[:7])) }); err != nil {
		t.Fatal(err)
	}
	same(rows[7:], load(rows))

	var scanned []kinds // as queries read them
	if err := db.Readers.Select(&scanned, `SELECT * FROM "order" ORDER BY hour`); err != nil {
		t.Fatal(err)
	}
	same(rows[7:], scanned)
}

func TestWhatIsNoTable(t *testing.T) {
	type untagged struct{ ID uuid.UUID }
	type keyless struct {
		ID uuid.UUID `db:"id"`
	}
	type odd struct {
		ID uuid.UUID `db:"id,key"`
		F  func()    `db:"f"`
	}
	type null struct {
		ID *int64 `db:"id,key"`
	}
	for _, row := range []any{nil, 7, untagged{}, keyless{}, odd{}, null{}} {
		if _, err := Relate(Table{Name: "t", Row: row}); err == nil {
			t.Errorf("%T became a table", row)
		}
	}
}

func TestAWriteIsAllOrNothing(t *testing.T) { everywhere(t, writeAllOrNothing) }

func writeAllOrNothing(t *testing.T, home Home) {
	db := laid(t, home)
	failed := errors.New("failed")
	move := func(end func() error) func(Tx) error {
		return func(tx Tx) error {
			if _, err := tx.Exec("UPDATE checkpoints SET position = position + ?", int64(1)); err != nil {
				return err
			}
			return end()
		}
	}
	at := func() eventstore.Position {
		all, err := ReadCheckpoints(t.Context(), db.Readers)
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Position
	}
	if err := db.Write(t.Context(), move(func() error { return failed })); !errors.Is(err, failed) {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	if err := db.Write(ctx, move(func() error { stop(); return nil })); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	func() {
		defer func() { recover() }()
		_ = db.Write(t.Context(), move(func() error { panic(failed) }))
	}()
	if p := at(); p != 0 {
		t.Errorf("the checkpoint is at %s", p)
	}
	snapshot, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Rollback()
	if err := db.Write(t.Context(), move(func() error { return nil })); err != nil {
		t.Fatal(err)
	}
	if p := at(); p != 1 {
		t.Errorf("the checkpoint is at %s", p)
	}
	if all, err := ReadCheckpoints(t.Context(), snapshot); err != nil || all[0].Position != 0 {
		t.Errorf("the snapshot has %v, %v", all, err)
	}
	if _, err := db.Readers.Exec("DELETE FROM checkpoints"); err == nil {
		t.Error("a reader wrote")
	}
	if err := db.MarkReady(t.Context(), Alone{}); err != nil {
		t.Fatal(err)
	}
	read, err := OpenLive(t.Context(), home, "s")
	if err != nil || read == nil {
		t.Fatal(read, err)
	}
	defer read.Close()
	if err := read.Write(t.Context(), move(func() error { return nil })); !errors.Is(err, ErrNotWritable) {
		t.Error(err)
	}
}

func TestLiveKeepsWhatIsRead(t *testing.T) { everywhere(t, liveKeeps) }

func liveKeeps(t *testing.T, home Home) {
	var live Live
	if err := live.Read(func(*DB) error { return nil }); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	a, b := laid(t, home), laid(t, home)
	works := func(db *DB) error { _, err := ReadGeneration(t.Context(), db.Readers); return err }
	live.Switch(a, 5)
	err := live.Read(func(db *DB) error {
		if !live.Switch(b, 6) {
			t.Error("it did not switch")
		}
		live.Advance(a, 9)             // it is no longer asked
		if p := db.Reached(); p != 5 { // case 6.11
			t.Error("what is read is at", p)
		}
		err := live.Read(func(db *DB) error {
			if db != b {
				t.Error("the old generation is read")
			}
			return works(db)
		})
		return errors.Join(err, works(db))
	})
	if err != nil {
		t.Error(err)
	}
	live.Advance(b, 7)
	if p := live.Position(); p != 7 {
		t.Error("the position is", p)
	}
	woken := make(chan error, 1)
	go func() { woken <- live.Wait(t.Context(), 8) }()
	live.Close()
	if err := <-woken; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if works(a) == nil || works(b) == nil {
		t.Error("a generation was left open")
	}
	if err := live.Read(works); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if live.Switch(a, 9) {
		t.Error("it switched after Close")
	}
}

func TestTheNewestThatIsReadyIsLive(t *testing.T) { everywhere(t, newestIsLive) }

func newestIsLive(t *testing.T, home Home) {
	make := func(schema, state string) {
		t.Helper()
		db, n, err := home.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Lay(t.Context(), Generation{Number: n, Schema: schema, State: state}, nil, nil), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want string) {
		t.Helper()
		all, err := home.Generations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range all {
			word := fmt.Sprint(g.Number, g.Schema)
			if g.State != Ready {
				word += "!"
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("there are %v, want %s", got, want)
		}
	}
	live := func(schema string, want int) {
		t.Helper()
		all, err := home.Generations(t.Context())
		if g, _ := Newest(all, schema); err != nil || g.Number != want {
			t.Errorf("live is %d, want %d: %v", g.Number, want, err)
		}
		db, err := OpenLive(t.Context(), home, schema)
		if err != nil || (db != nil) != (want != 0) {
			t.Fatal(db, err)
		}
		if db != nil {
			db.Close()
		}
	}
	clean := func(schema string) {
		t.Helper()
		if err := Clean(t.Context(), home, Alone{}, schema); err != nil {
			t.Fatal(err)
		}
	}
	is("")
	live("a", 0)
	make("a", Ready)
	make("a", Ready)
	make("b", Ready)
	make("a", Building)
	live("a", 2)
	live("b", 3)
	live("c", 0)
	clean("a")
	is("2a 3b")
	make("b", Ready)
	make("b", Ready)
	db, _, err := home.Create(t.Context()) // nothing is laid in it
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	live("a", 2)
	clean("a") // whose live one is the third by now
	all, err := home.Generations(t.Context())
	if err != nil || len(all) != 3 || all[0].Number != 2 {
		t.Errorf("there are %v, %v", all, err)
	}
	clean("b")
	live("a", 0)
	for _, g := range all {
		if err := home.Remove(t.Context(), Alone{}, g.Number); err != nil {
			t.Fatal(err)
		}
	}
	is("")
}

// TestOtherFiles has something else in the folder that looks like a generation.
func TestOtherFiles(t *testing.T) {
	folder := Folder(t.TempDir())
	laid(t, folder).Close()
	other := filepath.Join(string(folder), "readmodels-x.db")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clean(t.Context(), folder, Alone{}, "s"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(string(folder), "*"))
	if want := []string{other}; err != nil || !slices.Equal(left, want) {
		t.Error(left, err)
	}
}

// TestReporting reads like a dashboard, while generations are created and removed.
func TestReporting(t *testing.T) {
	home := schemas(t, 0)
	dashboard := sqlx.MustConnect("postgres", home.address.String())
	defer dashboard.Close()
	dashboard.SetMaxOpenConns(1)
	reads := func(query string, want any) {
		t.Helper()
		var got any
		if err := dashboard.Get(&got, query); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", query, got, err, want)
		}
	}
	publish := func(r *Relation, rows iter.Seq[[]driver.Value]) {
		t.Helper()
		db := laid(t, home, r)
		err := errors.Join(
			db.Write(t.Context(), func(tx Tx) error { return tx.Put(r, rows) }),
			db.MarkReady(t.Context(), Alone{}),
			db.Publish(t.Context(), Alone{}, []*Relation{r}),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	type visit struct {
		ID uuid.UUID `db:"id,key" doc:"The visit"`
		At Instant   `db:"at" doc:"When it's"`
	}
	type longVisit struct {
		Place string `db:"place" doc:"Where"`
		visit
	}
	relate := func(row any) *Relation {
		r, err := Relate(Table{Name: "visits", Comment: "Who came.", Row: row})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	row := func(values ...driver.Value) iter.Seq[[]driver.Value] {
		return func(yield func([]driver.Value) bool) { yield(values) }
	}
	id := uuid.NewString()
	publish(relate(visit{}), row(id, int64(1_500_000)))
	if _, err := dashboard.Exec("SET ROLE daybook_reader; SET TIME ZONE 'UTC'"); err != nil {
		t.Fatal(err)
	}
	reads("SELECT at::text FROM reporting.visits", "1970-01-01 00:00:01.5+00")
	reads("SELECT obj_description('reporting.visits'::regclass)", "Who came.")
	reads("SELECT col_description('reporting.visits'::regclass, 2)", "When it's")
	for _, forbidden := range []string{"DELETE FROM reporting.visits", "SELECT * FROM readmodels_1.visits", "CREATE TABLE reporting.mine ()"} {
		if _, err := dashboard.Exec(forbidden); err == nil {
			t.Errorf("a dashboard may %s", forbidden)
		}
	}
	publish(relate(visit{}), row(id, int64(2_000_000))) // another generation
	reads("SELECT at::text FROM reporting.visits", "1970-01-01 00:00:02+00")
	publish(relate(longVisit{}), row("here", id, nil)) // with other columns
	reads("SELECT place FROM reporting.visits WHERE at IS NULL", "here")
	if err := Clean(t.Context(), home, Alone{}, "s"); err != nil {
		t.Fatal(err)
	}
	reads("SELECT count(*) FROM reporting.visits", int64(1))

	// A writer of an older generation publishes that one again, but does not disturb readers.
	db, err := home.Open(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	republish := func() error { return db.Publish(t.Context(), Alone{}, []*Relation{relate(visit{})}) }
	reading := dashboard.MustBegin()
	reading.MustExec("SELECT FROM reporting.visits")
	if err := republish(); !errors.Is(err, ErrBusy) {
		t.Errorf("while somebody reads: %v", err)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := republish(); err != nil {
		t.Error(err)
	}
	reads("SELECT at::text FROM reporting.visits", "1970-01-01 00:00:02+00")
	reading = dashboard.MustBegin()
	defer reading.Rollback()
	reading.MustExec("SELECT FROM reporting.visits")
	if err := republish(); err != nil { // it is shown already
		t.Error(err)
	}

	// What dashboards see is not removed, nor what somebody reads.
	for _, number := range []int{2, 3} {
		if number == 3 {
			another := sqlx.MustConnect("postgres", home.address.String())
			defer another.Close()
			reading := another.MustBegin()
			defer reading.Rollback()
			reading.MustExec("SELECT FROM readmodels_3.visits")
		}
		if err := home.Remove(t.Context(), Alone{}, number); !errors.Is(err, ErrBusy) {
			t.Errorf("removing generation %d: %v", number, err)
		}
	}
}

// TestWhatIsGoneIsNamed: writing to a dropped generation returns ErrGone.
func TestWhatIsGoneIsNamed(t *testing.T) {
	home := schemas(t, 0)
	db := laid(t, home)
	if err := home.Remove(t.Context(), Alone{}, 1); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(tx Tx) error {
		_, err := tx.Exec("UPDATE generation SET state = ?", Ready)
		return err
	})
	if !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

// TestWhatIsBesideTheGenerationsIsMadeAnew drops the leases while another process lists the generations.
func TestWhatIsBesideTheGenerationsIsMadeAnew(t *testing.T) {
	home := schemas(t, 0)
	laid(t, home)
	home.control.MustExec("DROP TABLE readmodels.terms")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if all, err := home.Generations(ctx); err != nil || len(all) != 1 {
		t.Error(all, err)
	}
}

// TestAnAddressIsNotRepeated: an invalid address that contains a password is not repeated in the error.
func TestAnAddressIsNotRepeated(t *testing.T) {
	for _, address := range []string{"postgres://desk:geh%eim@127.0.0.1/desk", "mysql://desk:geheim@127.0.0.1/desk", ""} {
		_, err := NewSchemas(address, SchemasOptions{})
		if err == nil || strings.Contains(err.Error(), "eim") || !strings.Contains(err.Error(), "postgres://user@host") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestListingWhileOthersComeAndGo lists the generations while some are removed.
func TestListingWhileOthersComeAndGo(t *testing.T) {
	home := schemas(t, 0)
	laid(t, home)
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 50 && err == nil; n++ {
			var db *DB
			var number int
			if db, number, err = home.Create(t.Context()); err == nil {
				err = errors.Join(db.Lay(t.Context(), Generation{Number: number}, nil, nil), db.Close(), home.Remove(t.Context(), Alone{}, number))
			}
		}
		done <- err
	}()
	for {
		if all, err := home.Generations(t.Context()); err != nil || len(all) == 0 || all[0].Number != 1 {
			t.Fatal(all, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// TestAConnectionEndsWhileIdle: that is no failure. // 8.9
func TestAConnectionEndsWhileIdle(t *testing.T) {
	home := schemas(t, time.Hour)
	db := laid(t, home)
	term := held(t, home, "s")
	admin := sqlx.MustConnect("postgres", home.address.String())
	defer admin.Close()
	for range 3 {
		admin.MustExec("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if err := db.Write(t.Context(), term.Prove); err != nil {
			t.Errorf("the writer: %v", err)
		}
		if _, err := ReadCheckpoints(t.Context(), db.Readers); err != nil {
			t.Errorf("a reader: %v", err)
		}
		if _, err := home.Generations(t.Context()); err != nil {
			t.Errorf("the home: %v", err)
		}
	}
	if err := term.End(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWhatOthersMadeStays: what Daybook did not make is neither replaced nor dropped. // 8.2
func TestWhatOthersMadeStays(t *testing.T) {
	type ticket struct {
		ID   uuid.UUID `db:"id,key" doc:"The ticket"`
		Mood string    `db:"mood" doc:"How it is"`
	}
	type longTicket struct {
		Place string `db:"place" doc:"Where"`
		ticket
	}
	relate := func(name string, row any) *Relation {
		r, err := Relate(Table{Name: name, Comment: "Tickets.", Row: row})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	generation := func(home Home, relations ...*Relation) *DB {
		t.Helper()
		db := laid(t, home, relations...)
		if err := db.MarkReady(t.Context(), Alone{}); err != nil {
			t.Fatal(err)
		}
		return db
	}
	address := testdb.URL(t)
	company := sqlx.MustConnect("postgres", address)
	defer company.Close()
	company.MustExec(`CREATE SCHEMA reporting; COMMENT ON SCHEMA reporting IS 'Our figures';
		CREATE VIEW reporting.tickets AS SELECT 42 AS answer; COMMENT ON VIEW reporting.tickets IS 'Ours'; CREATE VIEW reporting.best AS SELECT answer FROM reporting.tickets`)
	still := func(query string) {
		t.Helper()
		var n int
		if err := company.Get(&n, query); err != nil || n != 42 {
			t.Errorf("%s: %d, %v", query, n, err)
		}
	}
	home := func(views string) *Schemas {
		h, err := NewSchemas(address, SchemasOptions{Reporting: views})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	refused := func(db *DB, says string, relations ...*Relation) {
		t.Helper()
		if err := db.Publish(t.Context(), Alone{}, relations); err == nil || errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
		still("SELECT answer FROM reporting.best")
	}
	short, long, other := relate("tickets", ticket{}), relate("tickets", longTicket{}), relate("moods", ticket{})
	refused(generation(home(""), short), "--reporting", short)
	refused(generation(home(""), other), "best, tickets", other) // no view of its name is there, but others' are

	desk := home("desk")
	publish := func(relations ...*Relation) {
		t.Helper()
		if err := generation(desk, relations...).Publish(t.Context(), Alone{}, relations); err != nil {
			t.Fatal(err)
		}
	}
	publish(short, other)
	company.MustExec("CREATE VIEW desk.company AS SELECT count(*) + 42 AS answer FROM desk.tickets")
	publish(short, other)
	still("SELECT answer FROM desk.company")
	refused(generation(desk, long), "company", long) // whose columns are others
	still("SELECT answer FROM desk.company")
	company.MustExec("DROP VIEW desk.company; CREATE VIEW desk.company AS SELECT 42 AS answer")
	publish(long) // without moods
	still("SELECT answer FROM desk.company")
	var views string
	if err := company.Get(&views, "SELECT string_agg(viewname, ' ' ORDER BY viewname) FROM pg_views WHERE schemaname = 'desk'"); err != nil || views != "company tickets" {
		t.Errorf("the views are %s: %v", views, err)
	}

	company.MustExec("CREATE VIEW public.direct AS SELECT count(*) + 42 AS answer FROM readmodels_1.tickets")
	if err := Clean(t.Context(), desk, Alone{}, "another"); err != nil {
		t.Error(err)
	}
	still("SELECT answer FROM direct")
	all, err := desk.Generations(t.Context())
	if err != nil || len(all) != 3 || all[0].Number != 1 {
		t.Errorf("left are %+v: %v", all, err)
	}
}

// TestOwnCollation: no index of a text depends on the system's collations. // 8.10
func TestOwnCollation(t *testing.T) {
	home := schemas(t, 0)
	laid(t, home, related(t, kinds{}, "order"))
	var others []string
	err := home.control.Select(&others, `SELECT attrelid::regclass || '.' || attname FROM pg_index, pg_attribute
		WHERE attrelid = indexrelid AND attcollation NOT IN (0, 'pg_catalog."C"'::regcollation) AND attrelid::regclass::text LIKE 'readmodels%'`)
	if err != nil || len(others) > 0 {
		t.Errorf("%v have another collation: %v", others, err)
	}
}

// TestLargeRows: what is written at once is limited by bytes. // 8.1
func TestLargeRows(t *testing.T) {
	type note struct {
		ID   uuid.UUID `db:"id,key"`
		Text string    `db:"text"`
	}
	r, err := Relate(Table{Name: "notes", Row: note{}})
	if err != nil {
		t.Fatal(err)
	}
	const all = 120
	text := strings.Repeat(`"`, 200_000) // twice as long in an array
	ids := func(yield func([]driver.Value) bool) {
		for i := range all {
			if !yield([]driver.Value{uuid.NewSHA1(uuid.Nil, []byte{byte(i)}).String()}) {
				return
			}
		}
	}
	rows := func(yield func([]driver.Value) bool) {
		for id := range ids {
			if !yield([]driver.Value{id[0], text}) {
				return
			}
		}
	}
	for arrays := range gathered(2, rows) {
		if n := len(arrays[0].(string)) + len(arrays[1].(string)); n > statementBytes+3*len(text) {
			t.Errorf("%d bytes at once", n)
		}
	}
	db := laid(t, schemas(t, 0), r)
	found := 0
	err = db.Write(t.Context(), func(tx Tx) error {
		return errors.Join(tx.Put(r, rows), tx.Put(r, rows), tx.Load(r, ids, func(row []driver.Value) error {
			if found++; row[1] != text {
				t.Errorf("%v came back otherwise", row[0])
			}
			return nil
		}))
	})
	if err != nil || found != all {
		t.Errorf("%d rows came back: %v", found, err)
	}
	if err := db.Write(t.Context(), func(tx Tx) error { return tx.Delete(r, ids) }); err != nil {
		t.Error(err)
	}
}
