package table_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"daybook/bench/lists"
	"daybook/internal/testdb"
	"daybook/readmodels/table"
)

// raced is true under the race detector, which makes SQLite ten times slower: then costs are not counted. make check counts them.
var raced bool

// What lists cost is counted with these limits, so that small desks reach them.
const (
	mostEntries = 400
	fewEntries  = 40
)

// TestWhatListsCostInSQLite counts the steps of SQLite's machine for every filter, every two filters and every order, of a desk and of
// one that is ten times as large. No question may cost more there, unless it stays below what looking at so many entries costs.
func TestWhatListsCostInSQLite(t *testing.T) {
	costs(t, table.Folder(t.TempDir()), 200*mostEntries, func(t *testing.T, db *table.DB) counter { return newSteps(t, db) }, asked)
}

// asked reports whether a question is asked: each filter and order, and of two filters at once a sixteenth, or with DAYBOOK_SOAK=1 all.
func asked(q lists.Question) bool {
	return !q.Pair || os.Getenv("DAYBOOK_SOAK") != "" || crc32.ChecksumIEEE([]byte(q.Name))%16 == 0
}

// TestWhatListsCostInPostgreSQL counts the rows and the pages that PostgreSQL looks at. Two filters are asked in the list's own order only.
func TestWhatListsCostInPostgreSQL(t *testing.T) {
	home, err := table.NewSchemas(testdb.URL(t), table.SchemasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	costs(t, home, 60*mostEntries, func(t *testing.T, db *table.DB) counter { return &buffers{Queryer: db.Readers} }, func(q lists.Question) bool {
		return asked(q) && (!q.Pair || !strings.Contains(q.Name, "sort="))
	})
}

// A counter counts what a database does for the queries that it is asked.
type counter interface {
	table.Queryer
	count() (int, error) // since the last call
}

// costs asks two pages of each question, on both desks. most is what looking at mostEntries entries for each of them costs at most, by
// what conditions need to be tested.
func costs(t *testing.T, home table.Home, most int, counts func(*testing.T, *table.DB) counter, asks func(lists.Question) bool) {
	if raced {
		t.Skip("make costs counts what lists cost, without the race detector")
	}
	defer table.LookAt(mostEntries, fewEntries)()
	var cost [2]map[string]int
	for i := range cost {
		s := lists.Size{Contacts: 3000, Tickets: 3000}
		if i > 0 {
			s = lists.Size{Contacts: 10 * s.Contacts, Tickets: 10 * s.Tickets}
		}
		db, _, err := home.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := lists.Fill(t.Context(), db, s); err != nil {
			t.Fatal(err)
		}
		c := counts(t, db)
		cost[i] = map[string]int{}
		for _, q := range s.Questions() {
			if !asks(q) {
				continue
			}
			_, next, err := q.Ask(t.Context(), c, table.Page{Limit: 20})
			if err == nil && next != "" {
				_, _, err = q.Ask(t.Context(), c, table.Page{Limit: 20, Cursor: next})
			}
			if err == nil {
				cost[i][q.Name], err = c.count()
			}
			if err != nil {
				t.Fatalf("%s: %v", q.Name, err)
			}
		}
	}
	dearest, wrong := 0, 0
	for name, small := range cost[0] {
		large := cost[1][name]
		dearest = max(dearest, large)
		if large > most && large > small+small/5 {
			if wrong++; wrong <= 20 {
				t.Errorf("%s: %d, on a desk ten times as large %d", name, small, large)
			}
		}
	}
	t.Logf("%d questions, of which %d cost more; the dearest costs %d", len(cost[0]), wrong, dearest)
}

// steps asks a database, and once more the same file by SQLite's own interface, which counts the steps of its machine.
type steps struct {
	table.Queryer
	tls   *libc.TLS
	db    uintptr
	done  int
	wrong error
}

func newSteps(t *testing.T, db *table.DB) *steps {
	s := &steps{Queryer: db.Readers, tls: libc.NewTLS()}
	handle := s.tls.Alloc(8)
	name, err := libc.CString(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if code := sqlite3.Xsqlite3_open_v2(s.tls, name, handle, sqlite3.SQLITE_OPEN_READONLY, 0); code != sqlite3.SQLITE_OK {
		t.Fatalf("SQLite returns %d", code)
	}
	s.db = libc.AtomicLoadPUintptr(handle)
	t.Cleanup(func() { sqlite3.Xsqlite3_close(s.tls, s.db) })
	s.run("PRAGMA automatic_index = 0", nil)
	s.done = 0
	return s
}

func (s *steps) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s.run(query, args)
	return s.Queryer.QueryContext(ctx, query, args...)
}

func (s *steps) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	s.run(query, args)
	return s.Queryer.QueryxContext(ctx, query, args...)
}

func (s *steps) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	s.run(query, args)
	return s.Queryer.QueryRowxContext(ctx, query, args...)
}

func (s *steps) count() (int, error) {
	n := s.done
	s.done = 0
	return n, s.wrong
}

// run runs a query to its end.
func (s *steps) run(query string, args []any) {
	handle := s.tls.Alloc(8)
	defer s.tls.Free(8)
	text, err := libc.CString(query)
	if err != nil {
		s.wrong = err
		return
	}
	defer libc.Xfree(s.tls, text)
	if sqlite3.Xsqlite3_prepare_v2(s.tls, s.db, text, -1, handle, 0) != sqlite3.SQLITE_OK {
		s.wrong = fmt.Errorf("%s: %s", query, libc.GoString(sqlite3.Xsqlite3_errmsg(s.tls, s.db)))
		return
	}
	statement := libc.AtomicLoadPUintptr(handle)
	for i, arg := range args {
		name, err := libc.CString(fmt.Sprint("$", i+1))
		if err != nil {
			s.wrong = err
			return
		}
		defer libc.Xfree(s.tls, name)
		at := sqlite3.Xsqlite3_bind_parameter_index(s.tls, statement, name)
		switch arg := arg.(type) {
		case int64:
			sqlite3.Xsqlite3_bind_int64(s.tls, statement, at, arg)
		case string:
			value, err := libc.CString(arg)
			if err != nil {
				s.wrong = err
				return
			}
			defer libc.Xfree(s.tls, value)
			sqlite3.Xsqlite3_bind_text(s.tls, statement, at, value, -1, 0)
		default:
			s.wrong = fmt.Errorf("an argument is a %T", arg)
		}
	}
	code := int32(sqlite3.SQLITE_ROW)
	for code == sqlite3.SQLITE_ROW {
		code = sqlite3.Xsqlite3_step(s.tls, statement)
	}
	if code != sqlite3.SQLITE_DONE {
		s.wrong = fmt.Errorf("%s: %s", query, libc.GoString(sqlite3.Xsqlite3_errmsg(s.tls, s.db)))
	}
	s.done += int(sqlite3.Xsqlite3_stmt_status(s.tls, statement, sqlite3.SQLITE_STMTSTATUS_VM_STEP, 0))
	sqlite3.Xsqlite3_finalize(s.tls, statement)
}

// buffers asks PostgreSQL, and has it explain how many rows and pages it looks at.
type buffers struct {
	table.Queryer
	looked int
	wrong  error
}

func (b *buffers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	b.run(ctx, query, args)
	return b.Queryer.QueryContext(ctx, query, args...)
}

func (b *buffers) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	b.run(ctx, query, args)
	return b.Queryer.QueryxContext(ctx, query, args...)
}

func (b *buffers) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	b.run(ctx, query, args)
	return b.Queryer.QueryRowxContext(ctx, query, args...)
}

func (b *buffers) count() (int, error) {
	n := b.looked
	b.looked = 0
	return n, b.wrong
}

func (b *buffers) run(ctx context.Context, query string, args []any) {
	var said string
	if err := sqlx.GetContext(ctx, b.Queryer, &said, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "+query, args...); err != nil {
		b.wrong = fmt.Errorf("%s: %w", query, err)
		return
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal([]byte(said), &plans); err != nil || len(plans) != 1 {
		b.wrong = fmt.Errorf("%s: %w", said, err)
		return
	}
	b.looked += plans[0].Plan.Hit + plans[0].Plan.Read + int(plans[0].Plan.rows())
}

// A plan is a node of what PostgreSQL did. Rows are those of one loop.
type plan struct {
	Hit     int     `json:"Shared Hit Blocks"`
	Read    int     `json:"Shared Read Blocks"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Dropped float64 `json:"Rows Removed by Filter"`
	Joined  float64 `json:"Rows Removed by Join Filter"`
	Plans   []plan
}

// rows returns how many rows a node and those below it read or made.
func (p plan) rows() float64 {
	n := (p.Rows + p.Dropped + p.Joined) * p.Loops
	for _, below := range p.Plans {
		n += below.rows()
	}
	return n
}
