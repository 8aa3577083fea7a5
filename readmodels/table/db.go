package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/internal/pgconn"
)

// A DB is the database of one generation: the tables that one set of projections made from one log, and a checkpoint for each
// projection. It has one writer and any number of readers, and none blocks another.
type DB struct {
	// Readers run queries. They cannot write.
	Readers *sqlx.DB

	dialect dialect
	writer  *sql.DB        // nil if the database is read-only
	conn    chan *sql.Conn // holds the writer's only connection while it is free: nil until it is opened; closed with the DB
	path    string
	remove  func() error // what Close does last

	indexing atomic.Bool // the writer's database may be silent for a long time
	reached  atomic.Uint64
}

// Reached returns the last position that the rows are known to include, as Live was told.
func (db *DB) Reached() eventstore.Position { return eventstore.Position(db.reached.Load()) }

// A dialect is what differs between databases: the SQL, and how many rows are read and written at once.
type dialect interface {
	// beforeTables is SQL to run before the tables are created. It creates those that every generation has.
	beforeTables() string
	// createTable is the SQL that creates a table.
	createTable(*Relation) string
	// beforeIndexes and afterIndexes are SQL to run before and after all indexes are built.
	beforeIndexes() string
	afterIndexes(tables []*Relation) string
	// snapshot is the options of a transaction that sees everything as of its beginning.
	snapshot() *sql.TxOptions
	// write runs f in a transaction on a connection, and commits unless f returns an error.
	write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error
	// lasts reports whether a connection can be used again after an error.
	lasts() bool
	// publish shows the tables to dashboards; nil if there are none.
	publish(tables []*Relation) func(Tx) error
	// wayOut tells an operator how to remove the database.
	wayOut() string
	close()
}

// A Tx is a transaction of the writer. It reads and writes many rows at a time, so that a database across a network takes one
// round trip per table and not per row. Values are in the order of the relation's columns, or of its key's.
type Tx interface {
	// Load calls take with the rows that have one of the keys, in no particular order. Neither may keep the slices.
	Load(r *Relation, keys iter.Seq[[]driver.Value], take func(row []driver.Value) error) error
	// Put inserts rows, or replaces those with the same key. It does not keep the slices. A key may occur once.
	Put(r *Relation, rows iter.Seq[[]driver.Value]) error
	// Delete removes the rows that have one of the keys.
	Delete(r *Relation, keys iter.Seq[[]driver.Value]) error
	// Exec runs a statement with ? for its arguments and returns how many rows it changed.
	Exec(statement string, args ...driver.Value) (int64, error)
}

// createTable is the SQL that creates a table, with a database's names for the kinds of columns.
func createTable(r *Relation, words []string) string {
	var lines []string
	for _, c := range r.Columns {
		line := quoted(c.Name) + " " + words[c.Kind]
		if !c.Nullable {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "PRIMARY KEY ("+strings.Join(keyNames(r), ", ")+")")
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)", quoted(r.Name), strings.Join(lines, ",\n\t"))
}

// BuildIndexes builds the missing indexes of tables.
func (db *DB) BuildIndexes(ctx context.Context, tables []*Relation) error {
	script := strings.Builder{}
	script.WriteString(db.dialect.beforeIndexes())
	for _, t := range tables {
		for i, columns := range t.Indexes {
			fmt.Fprintf(&script, "CREATE INDEX IF NOT EXISTS %s ON %s (%s);\n", quoted(fmt.Sprintf("%s_%d", t.Name, i+1)), quoted(t.Name), columns)
		}
	}
	script.WriteString(db.dialect.afterIndexes(tables))
	conn, err := db.take(ctx)
	if err != nil {
		return err
	}
	db.indexing.Store(true)
	_, err = conn.ExecContext(ctx, script.String())
	db.indexing.Store(false)
	db.put(conn, err)
	if err != nil {
		return fmt.Errorf("building the indexes: %w", err)
	}
	return nil
}

// Write runs f in a transaction; there is one at a time. The changes are kept if f returns nil and the commit succeeds. After
// an error the commit may still have happened: the checkpoints tell.
func (db *DB) Write(ctx context.Context, f func(Tx) error) error {
	err := db.write(ctx, f)
	if errors.Is(err, errNotBegun) && ctx.Err() == nil { // the connection may have ended while it was idle
		err = db.write(ctx, f)
	}
	return err
}

// errNotBegun means that nothing was done.
var errNotBegun = errors.New("the database began no transaction")

func (db *DB) write(ctx context.Context, f func(Tx) error) (err error) {
	conn, err := db.take(ctx)
	if err != nil {
		return err
	}
	defer func() { db.put(conn, err) }()
	return db.dialect.write(ctx, conn, f)
}

func (db *DB) take(ctx context.Context) (*sql.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case conn, open := <-db.conn:
		if !open {
			return nil, ErrNotWritable
		}
		if conn != nil {
			return conn, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		db.conn <- nil
	}
	return conn, err
}

// ErrNotWritable is returned by Write if the database is closed or read-only.
var ErrNotWritable = errors.New("the read models are closed, or open read-only")

// put returns a connection, or closes one that failed.
func (db *DB) put(conn *sql.Conn, failed error) {
	if failed != nil && !db.dialect.lasts() {
		conn.Close()
		conn = nil
	}
	db.conn <- conn
}

// Errors of a database that others use too.
var (
	ErrGone = errors.New("the read models no longer exist")
	ErrBusy = errors.New("the read models are still being read")
	// ErrRefused means that the database does not take a row for what is in it.
	ErrRefused = errors.New("the database refuses the row")
)

// There returns ErrGone if the tables were dropped. It changes nothing.
func (db *DB) There(ctx context.Context) error {
	return db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec("DELETE FROM checkpoints WHERE false")
		return err
	})
}

// Publish makes dashboards see these tables, unless they do already. It does nothing in databases without dashboards. It does
// not wait for dashboards that are reading: it returns ErrBusy. It fails with ErrTermOver if the term is over.
func (db *DB) Publish(ctx context.Context, term Term, tables []*Relation) error {
	publish := db.dialect.publish(tables)
	if publish == nil {
		return nil
	}
	return db.Write(ctx, func(tx Tx) error {
		if err := publish(tx); err != nil {
			return fmt.Errorf("showing the tables to dashboards: %w", pgconn.Explain(err))
		}
		return term.Prove(tx)
	})
}

// A Queryer is a DB's Readers, or a snapshot of them.
type Queryer = sqlx.QueryerContext

// Snapshot opens a transaction that reads everything as of now, whatever is written later. The caller rolls it back.
func (db *DB) Snapshot(ctx context.Context) (*sqlx.Tx, error) {
	tx, err := db.Readers.BeginTxx(ctx, db.dialect.snapshot())
	if err != nil {
		return nil, err
	}
	// A transaction sees the database as of its first query.
	var one int
	if err := tx.GetContext(ctx, &one, "SELECT one FROM generation"); err != nil {
		tx.Rollback()
		return nil, readDamage(err)
	}
	return tx, nil
}

// ReadAll reads all rows of a table in key order, which is Go's order of numbers and strings.
func ReadAll(ctx context.Context, q Queryer, r *Relation) (*sqlx.Rows, error) {
	rows, err := q.QueryxContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY %s",
		strings.Join(columnNames(r), ", "), quoted(r.Name), strings.Join(keyNames(r), ", ")))
	return rows, readDamage(err)
}

// Path is the database's file, or a description of where it is.
func (db *DB) Path() string { return db.path }

// WayOut tells an operator how to remove this database, such as "drop that schema".
func (db *DB) WayOut() string { return db.dialect.wayOut() }

// closeWriter waits for the transaction in progress.
func (db *DB) closeWriter() error {
	conn, open := <-db.conn
	if !open {
		return nil
	}
	db.dialect.close()
	close(db.conn)
	if conn != nil {
		conn.Close()
	}
	return db.writer.Close()
}

// Close waits for the transaction in progress, ends all readers and closes the database.
func (db *DB) Close() error {
	err := errors.Join(db.closeWriter(), db.Readers.Close())
	if db.remove != nil {
		err = errors.Join(err, db.remove())
	}
	return err
}
