package table

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
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

// The states of a generation.
const (
	Building = "building" // nobody reads it, and it is worth nothing if its builder is gone
	Ready    = "live"     // it is read, or was until a newer one came
)

// A Generation says what a database holds.
type Generation struct {
	Number int       `db:"number"`
	Schema string    `db:"schema"` // of its tables and the projections that filled them; see Schema
	Log    uuid.UUID `db:"log_id"` // the log that it was posted from
	State  string    `db:"state"`
	Held   bool      `db:"held"` // somebody has the term of the schema; only Generations says so
}

// A Point is an event of the log up to which something was done. The zero value is before the first.
type Point struct {
	Position eventstore.Position `db:"position"`
	Stream   string              `db:"stream"`
	Revision eventstore.Revision `db:"revision"`
	EventID  uuid.UUID           `db:"event_id"`
}

// A Checkpoint says how far one projection has come.
type Checkpoint struct {
	Projection string `db:"projection"`
	Point             // the last event that it saw
	Applied    int64  `db:"applied"` // the events it has seen, those of parked things included; the log must have as many
	Epoch      int64  `db:"epoch"`   // raised by whoever takes over the posting; who has an older one can no longer write
}

// A Parked is a thing that one projection no longer follows, because it failed at one of its events.
type Parked struct {
	Projection string              `db:"projection" json:"projection"`
	Stream     string              `db:"stream" json:"stream"`
	Position   eventstore.Position `db:"position" json:"position"` // of the event at which it failed
	EventID    uuid.UUID           `db:"event_id" json:"event_id"`
	Error      string              `db:"error" json:"error"`
	Waiting    int64               `db:"waiting" json:"waiting"` // the thing's events that were not applied, the first one included
	ParkedAt   Instant             `db:"parked_at" json:"parked_at"`
}

// The tables that every generation has. These words mean the same to all databases.
const system = `
CREATE TABLE generation (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	number INTEGER NOT NULL,
	schema TEXT    NOT NULL,
	log_id TEXT    NOT NULL,
	state  TEXT    NOT NULL
);
CREATE TABLE checkpoints (
	projection TEXT    NOT NULL PRIMARY KEY,
	position   BIGINT  NOT NULL,
	stream     TEXT    NOT NULL,
	revision   BIGINT  NOT NULL,
	event_id   TEXT    NOT NULL,
	applied    BIGINT  NOT NULL,
	epoch      BIGINT  NOT NULL
);
CREATE TABLE parked (
	projection TEXT   NOT NULL,
	stream     TEXT   NOT NULL,
	position   BIGINT NOT NULL,
	event_id   TEXT   NOT NULL,
	error      TEXT   NOT NULL,
	waiting    BIGINT NOT NULL,
	parked_at  BIGINT NOT NULL,
	PRIMARY KEY (projection, stream)
);
`

// Posted is what the database says of its own rows, as tables that can be compared with those of another generation.
func Posted() []*Relation {
	type checkpoint struct {
		Projection string              `db:"projection,key"`
		Position   eventstore.Position `db:"position"`
		EventID    uuid.UUID           `db:"event_id"`
		Applied    int64               `db:"applied"`
	}
	type parked struct {
		Projection string              `db:"projection,key"`
		Stream     string              `db:"stream,key"`
		Position   eventstore.Position `db:"position"`
		Waiting    int64               `db:"waiting"`
	}
	var all []*Relation
	for _, t := range []Table{{Name: "checkpoints", Row: checkpoint{}}, {Name: "parked", Row: parked{}}} {
		r, err := Relate(t)
		if err != nil {
			panic(err)
		}
		all = append(all, r)
	}
	return all
}

// Schema is a digest of tables and of what fills them: the projections, given as checkpoints, and a version of what they
// make of events. Where it differs, rows must be built anew.
func Schema(tables []*Relation, projections []Checkpoint, version string) string {
	digest := sha256.New()
	fmt.Fprint(digest, system)
	for _, t := range tables {
		fmt.Fprintln(digest, new(sqlite).createTable(t), t.Indexes)
	}
	for _, p := range projections {
		fmt.Fprintln(digest, p.Projection)
	}
	fmt.Fprintln(digest, version)
	return hex.EncodeToString(digest.Sum(nil))[:16]
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

// Lay makes the tables of an empty database, without their indexes, and a checkpoint for each projection.
func (db *DB) Lay(ctx context.Context, g Generation, tables []*Relation, projections []Checkpoint) error {
	script := strings.Builder{}
	script.WriteString(db.dialect.beforeTables() + system)
	for _, t := range tables {
		script.WriteString(db.dialect.createTable(t) + ";\n")
	}
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(script.String()); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		const generation = "INSERT INTO generation (one, number, schema, log_id, state) VALUES (1, ?, ?, ?, ?)"
		if _, err := tx.Exec(generation, int64(g.Number), g.Schema, g.Log.String(), g.State); err != nil {
			return err
		}
		for _, p := range projections {
			const checkpoint = "INSERT INTO checkpoints (projection, position, stream, revision, event_id, applied, epoch) VALUES (?, 0, '', 0, ?, 0, 0)"
			if _, err := tx.Exec(checkpoint, p.Projection, uuid.Nil.String()); err != nil {
				return err
			}
		}
		return nil
	})
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

// MarkReady says in the database that it may be read, if the term is not over.
func (db *DB) MarkReady(ctx context.Context, term Term) error {
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec("UPDATE generation SET state = ?", Ready); err != nil {
			return err
		}
		return term.Prove(tx)
	})
}

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

// ReadGeneration says what a database holds.
func ReadGeneration(ctx context.Context, q Queryer) (g Generation, err error) {
	err = sqlx.GetContext(ctx, q, &g, "SELECT number, schema, log_id, state FROM generation")
	return g, err
}

// ReadCheckpoints returns all checkpoints, by projection.
func ReadCheckpoints(ctx context.Context, q Queryer) (all []Checkpoint, err error) {
	err = sqlx.SelectContext(ctx, q, &all, "SELECT projection, position, stream, revision, event_id, applied, epoch FROM checkpoints ORDER BY projection")
	return all, err
}

// ReadParked returns all that is parked, by projection and stream.
func ReadParked(ctx context.Context, q Queryer) (all []Parked, err error) {
	err = sqlx.SelectContext(ctx, q, &all,
		"SELECT projection, stream, position, event_id, error, waiting, parked_at FROM parked ORDER BY projection, stream")
	return all, err
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
