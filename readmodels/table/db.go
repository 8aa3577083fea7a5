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
)

// A DB is the database of one generation: all tables as they were posted from one log by one set of projections, with a
// checkpoint for each projection. One writer and any number of readers use it at once, and none waits for another.
type DB struct {
	// Readers answer questions. They cannot write.
	Readers *sqlx.DB

	dialect dialect
	writer  *sql.DB        // nil for reading only
	conn    chan *sql.Conn // the writer's only connection, nil until it is needed, while nobody has it; closed when nobody may
	path    string
	folder  string       // for a database of the same size for a moment; "": the system's
	remove  func() error // what is left to do after closing

	indexing atomic.Bool // the writer's database has reason to be silent for long
}

// A dialect is what differs between databases: the words, and how rows are read and written many at a time.
type dialect interface {
	// beforeTables is run before the tables are made.
	beforeTables() string
	// createTable is the statement that makes a table.
	createTable(*Relation) string
	// beforeIndexes and afterIndexes are run around the building of all indexes.
	beforeIndexes() string
	afterIndexes(tables []*Relation) string
	// snapshot is how a transaction sees everything as of its beginning.
	snapshot() *sql.TxOptions
	// write runs f in a transaction on a connection, and commits unless f returns an error.
	write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error
	// lasts says whether a connection is as good as before after something failed on it.
	lasts() bool
	// publish are the statements that show tables to dashboards, if any.
	publish(tables []*Relation) string
	// wayOut is how to be rid of a database, in words.
	wayOut() string
	close()
}

// A Tx is a transaction of the writer. It reads and writes rows many at a time, so that a database across a network is
// asked once a table and not once a row. Values are in the order of the relation's columns, or of its key's.
type Tx interface {
	// Load calls take with the rows that have one of the keys, in no order. Neither may keep the slices.
	Load(r *Relation, keys iter.Seq[[]driver.Value], take func(row []driver.Value) error) error
	// Put writes rows, each over the one that has its key. The slices may be used again. A key may come once.
	Put(r *Relation, rows iter.Seq[[]driver.Value]) error
	// Delete removes the rows that have one of the keys.
	Delete(r *Relation, keys iter.Seq[[]driver.Value]) error
	// Exec runs a statement with ? for its arguments and counts the rows that it changed.
	Exec(statement string, args ...driver.Value) (int64, error)
}

// createTable is the statement that makes a table, in a database's words for the kinds of columns.
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

// BuildIndexes builds the indexes of tables that have none yet.
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

// Write runs f in the one transaction that there can be at a time. What f did is kept if it returns nil and the commit
// succeeds; after an error, whether it was kept can be seen from the checkpoints.
func (db *DB) Write(ctx context.Context, f func(Tx) error) (err error) {
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

// ErrNotWritable is what Write returns when the database is closed or was opened for reading only.
var ErrNotWritable = errors.New("the read models are closed, or open for reading only")

// put gives a connection back after use, or gives it up.
func (db *DB) put(conn *sql.Conn, failed error) {
	if failed != nil && !db.dialect.lasts() {
		conn.Close()
		conn = nil
	}
	db.conn <- conn
}

// Errors of a database that is not in our hands alone.
var (
	ErrGone = errors.New("the read models are not there any more")
	ErrBusy = errors.New("somebody still looks at the read models")
)

// Publish shows the tables to dashboards, where there is a place for that, unless they see them already, and if the term is not
// over. It does not wait for dashboards that are reading: then it returns ErrBusy.
func (db *DB) Publish(ctx context.Context, term Term, tables []*Relation) error {
	views := db.dialect.publish(tables)
	if views == "" {
		return nil
	}
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(views); err != nil {
			return fmt.Errorf("showing the tables to dashboards: %w", err)
		}
		return term.Prove(tx)
	})
}

// A Queryer is a DB's Readers, or a snapshot of them.
type Queryer = sqlx.QueryerContext

// Snapshot opens a transaction that reads everything as it is now, whatever is written meanwhile. Roll it back when done.
func (db *DB) Snapshot(ctx context.Context) (*sqlx.Tx, error) {
	tx, err := db.Readers.BeginTxx(ctx, db.dialect.snapshot())
	if err != nil {
		return nil, err
	}
	// A transaction sees the database as of its first question.
	var one int
	if err := tx.GetContext(ctx, &one, "SELECT one FROM generation"); err != nil {
		tx.Rollback()
		return nil, err
	}
	return tx, nil
}

// ReadAll reads all rows of a table in the order of its key, which is that of Go for numbers and strings.
func ReadAll(ctx context.Context, q Queryer, r *Relation) (*sqlx.Rows, error) {
	return q.QueryxContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY %s",
		strings.Join(columnNames(r), ", "), quoted(r.Name), strings.Join(keyNames(r), ", ")))
}

// Path is the file that the database is in, or else where it is, in words.
func (db *DB) Path() string { return db.path }

// WayOut is how to be rid of this database, in words.
func (db *DB) WayOut() string { return db.dialect.wayOut() }

// Temporary opens an empty database that Close removes, where there is room for all that this one has.
func (db *DB) Temporary() (*DB, error) { return OpenTemporary(db.folder) }

// closeWriter waits for the transaction that is under way.
func (db *DB) closeWriter() error {
	conn, open := <-db.conn
	if !open {
		return nil
	}
	close(db.conn)
	db.dialect.close()
	if conn != nil {
		conn.Close()
	}
	return db.writer.Close()
}

// Close waits for the transaction that is under way, ends all readers and closes the database.
func (db *DB) Close() error {
	err := errors.Join(db.closeWriter(), db.Readers.Close())
	if db.remove != nil {
		err = errors.Join(err, db.remove())
	}
	return err
}
