package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver

	"daybook/internal/broken"
	"daybook/internal/scratch"
)

// Open opens the database in a file for its one writer and its readers, and creates it if it is missing.
func Open(path string) (*DB, error) {
	// What a crash loses is projected again, so commits need not wait for the disk. Larger caches have not made rebuilds faster, and take twice what they are set to.
	writer, err := sql.Open("sqlite", uri(path, "rwc", "_txlock=immediate",
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(NORMAL)", "_pragma=cache_size(-8192)", "_pragma=wal_autocheckpoint(0)"))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	conn, err := writer.Conn(context.Background())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, errors.Join(err, writer.Close()))
	}
	db, err := OpenReadOnly(path)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), writer.Close())
	}
	db.writer, db.conn = writer, make(chan *sql.Conn, 1)
	db.conn <- conn
	db.dialect = &sqlite{wal: keepShort(db, writer)}
	return db, nil
}

// OpenReadOnly opens the database in a file for reading, beside its writer or without one. Write fails.
func OpenReadOnly(path string) (*DB, error) {
	readers, err := sqlx.Open("sqlite", uri(path, "rw", "_pragma=query_only(1)", "_pragma=cache_size(-4096)", "_pragma=automatic_index(0)"))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	readers.SetMaxOpenConns(8)
	readers.SetMaxIdleConns(8)
	none := make(chan *sql.Conn)
	close(none)
	return &DB{Readers: readers, dialect: &sqlite{}, conn: none, path: path}, nil
}

// OpenTemporary opens an empty database that Close removes, for tests and for rows that are needed briefly. It is in a folder of
// its own in the given one, or in the system's temporary folder if that is "": in memory, SQLite's readers and writer would block
// each other.
func OpenTemporary(folder string) (*DB, error) {
	path, remove, err := scratch.New(folder)
	if err != nil {
		return nil, err
	}
	db, err := Open(filepath.Join(path, "readmodels.db"))
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	db.remove = remove
	return db, nil
}

func uri(path, mode string, options ...string) string {
	options = append(options, "mode="+mode, "_pragma=busy_timeout(10000)")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(options, "&")
}

// sqlite is the dialect of SQLite. It bypasses database/sql, which would add a third to the cost of every row, and keeps the
// prepared statements of the one connection that writes.
type sqlite struct {
	statements map[string]driver.Stmt
	named      []driver.NamedValue
	wal        *wal
}

func (d *sqlite) close() {
	d.wal.close()
	for _, s := range d.statements {
		s.Close()
	}
}

var sqliteWords = [...]string{Text: "TEXT", Integer: "INTEGER", Moment: "INTEGER", Day: "TEXT", Real: "REAL", Boolean: "BOOLEAN", Bytes: "BLOB"}

func (*sqlite) createTable(r *Relation) string {
	create := createTable(r, sqliteWords[:])
	if len(r.Key) > 1 || sqliteWords[r.Columns[r.Key[0]].Kind] != "INTEGER" { // otherwise the key is the rowid
		create += " WITHOUT ROWID"
	}
	return create
}

func (*sqlite) beforeTables() string { return system }

// An index is sorted in as much memory as the cache may use.
func (*sqlite) beforeIndexes() string           { return "PRAGMA cache_size = -4096;\n" }
func (*sqlite) afterIndexes([]*Relation) string { return "PRAGMA cache_size = -8192;\n" }

func (*sqlite) publish([]*Relation) func(Tx) error { return nil }

func (*sqlite) wayOut() string { return "move that file away" }

// lasts is true: the dialect keeps the prepared statements of the one connection.
func (*sqlite) lasts() bool { return true }

func (*sqlite) snapshot() *sql.TxOptions { return nil }

func (d *sqlite) write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
	var panicked any // by f; Raw would close the connection
	err := conn.Raw(func(c any) (err error) {
		tx := &sqliteTx{sqlite: d, conn: c.(sqliteConn)}
		if err := tx.step("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		committed := false
		defer func() {
			panicked = recover()
			if !committed {
				undo := tx.step("ROLLBACK") // fails if SQLite has rolled back by itself
				if err == nil {
					err = undo
				}
			}
		}()
		if err := f(tx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := tx.step("COMMIT"); err != nil {
			return err
		}
		committed = true
		d.wal.grew()
		return nil
	})
	if panicked != nil {
		panic(panicked)
	}
	return err
}

type sqliteConn interface {
	driver.Conn
	driver.ExecerContext
}

type sqliteTx struct {
	*sqlite
	conn sqliteConn
}

// loadedAtOnce is how many keys one SELECT looks up. Missing ones at the end are null, which no key is.
const loadedAtOnce = 32

func (tx *sqliteTx) Load(r *Relation, keys iter.Seq[[]driver.Value], take func([]driver.Value) error) error {
	s, err := tx.prepare("load "+r.Name, func() string {
		names := keyNames(r)
		one := "(" + marks(len(r.Key)) + ")"
		var on, columns []string
		for _, name := range names {
			on = append(on, fmt.Sprintf("rows.%s = wanted.%s", name, name))
		}
		for _, c := range r.Columns {
			columns = append(columns, "rows."+quoted(c.Name))
		}
		return fmt.Sprintf("WITH wanted (%s) AS (VALUES %s) SELECT %s FROM wanted CROSS JOIN %s AS rows ON %s",
			strings.Join(names, ", "), strings.Join(slices.Repeat([]string{one}, loadedAtOnce), ", "),
			strings.Join(columns, ", "), quoted(r.Name), strings.Join(on, " AND "))
	})
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(r.Columns))
	wanted := make([]driver.Value, 0, loadedAtOnce*len(r.Key))
	load := func() error {
		rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), tx.Args(wanted[:cap(wanted)]))
		if err != nil {
			return err
		}
		for err == nil {
			if err = rows.Next(row); err == nil {
				err = take(row)
			}
		}
		if err == io.EOF {
			err = nil
		}
		return errors.Join(err, rows.Close())
	}
	for key := range keys {
		wanted = append(wanted, key...)
		if len(wanted) == cap(wanted) {
			if err := load(); err != nil {
				return fmt.Errorf("reading %s: %w", r.Name, err)
			}
			wanted = wanted[:0]
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	clear(wanted[len(wanted):cap(wanted)])
	if err := load(); err != nil {
		return fmt.Errorf("reading %s: %w", r.Name, err)
	}
	return nil
}

func (tx *sqliteTx) Put(r *Relation, rows iter.Seq[[]driver.Value]) error {
	return tx.each("writing", r, rows, func() string {
		return fmt.Sprintf("INSERT OR REPLACE INTO %s (%s) VALUES (%s)",
			quoted(r.Name), strings.Join(columnNames(r), ", "), marks(len(r.Columns)))
	})
}

func (tx *sqliteTx) Delete(r *Relation, keys iter.Seq[[]driver.Value]) error {
	return tx.each("deleting from", r, keys, func() string {
		return fmt.Sprintf("DELETE FROM %s WHERE %s = ?", quoted(r.Name), strings.Join(keyNames(r), " = ? AND "))
	})
}

// each runs a statement for each of many rows.
func (tx *sqliteTx) each(doing string, r *Relation, rows iter.Seq[[]driver.Value], statement func() string) error {
	s, err := tx.prepare(doing+" "+r.Name, statement)
	if err != nil {
		return err
	}
	for row := range rows {
		if _, err := s.(driver.StmtExecContext).ExecContext(context.Background(), tx.Args(row)); err != nil {
			if broken.Refused(err) {
				err = fmt.Errorf("%w: %w", ErrRefused, err)
			}
			return fmt.Errorf("%s %s: %w", doing, r.Name, err)
		}
	}
	return nil
}

func (tx *sqliteTx) Exec(statement string, args ...driver.Value) (int64, error) {
	if len(args) == 0 { // possibly several statements, which cannot be prepared together
		_, err := tx.conn.ExecContext(context.Background(), statement, nil)
		return 0, err
	}
	s, err := tx.prepare(statement, func() string { return statement })
	if err != nil {
		return 0, err
	}
	result, err := s.(driver.StmtExecContext).ExecContext(context.Background(), tx.Args(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// step runs a statement that begins or ends the transaction.
func (tx *sqliteTx) step(statement string) error {
	s, err := tx.prepare(statement, func() string { return statement })
	if err == nil {
		_, err = s.(driver.StmtExecContext).ExecContext(context.Background(), nil)
	}
	return err
}

// prepare prepares a statement the first time its name is used.
func (tx *sqliteTx) prepare(name string, statement func() string) (driver.Stmt, error) {
	if s, ok := tx.statements[name]; ok {
		return s, nil
	}
	s, err := tx.conn.Prepare(statement())
	if err != nil {
		return nil, readDamage(fmt.Errorf("preparing %q: %w", name, err))
	}
	if tx.statements == nil {
		tx.statements = map[string]driver.Stmt{}
	}
	tx.statements[name] = s
	return s, nil
}

// Args numbers the arguments, in the same memory each time.
func (d *sqlite) Args(values []driver.Value) []driver.NamedValue {
	d.named = d.named[:0]
	for i, v := range values {
		d.named = append(d.named, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return d.named
}

func columnNames(r *Relation) []string {
	names := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		names[i] = quoted(c.Name)
	}
	return names
}

func keyNames(r *Relation) []string {
	names := make([]string, len(r.Key))
	for i, column := range r.Key {
		names[i] = quoted(r.Columns[column].Name)
	}
	return names
}

// quoted is a name as an SQL identifier.
func quoted(name string) string { return `"` + name + `"` }

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
