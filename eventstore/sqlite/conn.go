package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"daybook/eventstore"
)

// format is the version of schema.sql. A file with a newer one is refused.
const format = 1

//go:embed schema.sql
var schema string

var (
	errForeign = errors.New("this is not an event log")
	errNoLog   = errors.New("there is no event log in it yet")
)

// settings are the writer's. FULL, so that an answer means that the disk has it; the large cache and the rare checkpoints
// double the speed of a large log.
const settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16000;"

// A conn is a connection with its statements; one goroutine at a time uses it. It speaks to the driver without
// database/sql, which copies every event once more and costs as much again as the driver does.
type conn struct {
	driver driver.Conn
	log    uuid.UUID // that it leads to

	forwards, backwards, unindexed, page, streamName, streamID, head             stmt
	begin, commit, rollback, findStream, stream, pack, index, indexMany, indexed stmt // the writer's
}

// dialReader opens a connection to a log. The name is a file's URI, or ":memory:".
func dialReader(name string) (*conn, error) {
	return dial(name, func(c *conn) (err error) {
		if c.log, err = c.identity(); err != nil {
			return err
		}
		return c.prepare(c.readerStatements())
	})
}

// dialWriter opens the writer's connection, and makes the tables if there are none.
func dialWriter(name string, maxPages int) (*conn, error) {
	return dial(name, func(c *conn) (err error) {
		if c.log, err = c.create(maxPages); err != nil {
			return err
		}
		if err = errors.Join(c.prepare(c.readerStatements()), c.prepare(c.writerStatements())); err != nil {
			return err
		}
		// What the last writer had not indexed, because it was killed.
		missing, err := c.readUnindexed()
		if err != nil || len(missing) == 0 {
			return err
		}
		return c.atomically(func() error { return c.complete(missing) })
	})
}

func dial(name string, setUp func(*conn) error) (*conn, error) {
	d, err := new(sqlite.Driver).Open(name)
	if err != nil {
		return nil, err
	}
	c := &conn{driver: d}
	if err := setUp(c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// uri names a file for the driver.
func uri(path, mode string) string {
	q := url.Values{"mode": {mode}, "_pragma": {"busy_timeout(10000)"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// create says which log this is, and makes the tables if there are none. A file that is not ours it leaves as it is.
func (c *conn) create(maxPages int) (uuid.UUID, error) {
	id, err := c.identity()
	isNew := errors.Is(err, errNoLog)
	if err != nil && !isNew {
		return uuid.Nil, err
	}
	if err := c.run(settings); err != nil {
		return uuid.Nil, err
	}
	if maxPages > 0 {
		if err := c.run(fmt.Sprintf("PRAGMA max_page_count = %d", maxPages)); err != nil {
			return uuid.Nil, err
		}
	}
	if !isNew {
		return id, nil
	}
	id = uuid.New()
	row := fmt.Sprintf("INSERT INTO identity (one, log, format, indexed) VALUES (1, '%s', %d, 0);", id, format)
	return id, c.run("BEGIN IMMEDIATE;" + schema + row + "COMMIT;")
}

// identity says which log this is, and whether it can be read at all.
func (c *conn) identity() (id uuid.UUID, err error) {
	var tables, ours, version int64
	err = c.ask("SELECT count(*), coalesce(sum(name = 'identity'), 0) FROM sqlite_schema", func(row []driver.Value) bool {
		tables, ours = row[0].(int64), row[1].(int64)
		return true
	})
	switch {
	case err != nil:
		return uuid.Nil, err
	case tables == 0:
		return uuid.Nil, errNoLog
	case ours == 0:
		return uuid.Nil, errForeign
	}
	var text string
	err = c.ask("SELECT log, format FROM identity", func(row []driver.Value) bool {
		text, _ = row[0].(string)
		version, _ = row[1].(int64)
		return true
	})
	if err != nil {
		return uuid.Nil, err
	}
	if version > format {
		return uuid.Nil, fmt.Errorf("the log has format %d, and this program knows formats up to %d: a newer one wrote it", version, format)
	}
	if id, err = uuid.Parse(text); err != nil {
		return uuid.Nil, errForeign
	}
	return id, nil
}

// readerStatements have no bare parameter for a limit: SQLite would plan them anew for every value.
func (c *conn) readerStatements() map[*stmt]string {
	const (
		columns  = "SELECT last, recorded_at, heads, bodies FROM log "
		packOf   = "SELECT (SELECT last FROM log WHERE last >= r.position ORDER BY last LIMIT 1) FROM "
		forwards = "(SELECT position FROM revisions WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ? + 0) AS r"
		backward = "(SELECT position FROM revisions WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ? + 0) AS r"
	)
	return map[*stmt]string{
		&c.head:       "SELECT coalesce(max(last), 0) FROM log",
		&c.page:       columns + "WHERE last > ? ORDER BY last",
		&c.forwards:   columns + "WHERE last IN (" + packOf + forwards + ") ORDER BY last",
		&c.backwards:  columns + "WHERE last IN (" + packOf + backward + ") ORDER BY last DESC",
		&c.unindexed:  columns + "WHERE last > (SELECT indexed FROM identity) ORDER BY last",
		&c.streamID:   "SELECT id, EXISTS (SELECT 1 FROM revisions WHERE stream = streams.id) FROM streams WHERE name = ?",
		&c.streamName: "SELECT name FROM streams WHERE id = ?",
	}
}

// A statement that fails undoes its transaction, so that SQLite need not prepare to undo the statement alone.
func (c *conn) writerStatements() map[*stmt]string {
	const revision = "SELECT revision FROM revisions WHERE stream = streams.id ORDER BY revision DESC LIMIT 1"
	return map[*stmt]string{
		&c.begin:      "BEGIN IMMEDIATE",
		&c.commit:     "COMMIT",
		&c.rollback:   "ROLLBACK",
		&c.findStream: "SELECT id, (" + revision + ") FROM streams WHERE name = ?",
		&c.index:      "INSERT OR ROLLBACK INTO revisions (stream, revision, position) VALUES (?, ?, ?)",
		&c.indexMany: "INSERT OR ROLLBACK INTO revisions (stream, revision, position) VALUES " +
			strings.Repeat("(?, ?, ?), ", indexedAtOnce-1) + "(?, ?, ?)",
		&c.indexed: "UPDATE identity SET indexed = (SELECT coalesce(max(last), 0) FROM log)",
		&c.stream:  "INSERT OR ROLLBACK INTO streams (id, name) VALUES (?, ?)",
		&c.pack:    "INSERT OR ROLLBACK INTO log (last, recorded_at, heads, bodies) VALUES (?, ?, ?, ?)",
	}
}

func (c *conn) prepare(statements map[*stmt]string) error {
	for to, text := range statements {
		s, err := c.driver.Prepare(text)
		if err != nil {
			return err
		}
		to.Stmt = s
	}
	return nil
}

// atomically does work in one transaction.
func (c *conn) atomically(work func() error) error {
	if _, err := c.begin.exec(); err != nil {
		return err
	}
	err := work()
	if err == nil {
		_, err = c.commit.exec()
	}
	if err != nil {
		c.rollback.exec() // fails if SQLite has done so already, which is as well
	}
	return err
}

// An entry is a row of the index of revisions.
type entry struct {
	stream   int64
	revision eventstore.Revision
	position eventstore.Position
}

// readUnindexed reads what the index lacks from the log.
func (c *conn) readUnindexed() (missing []entry, err error) {
	var damaged error
	err = c.unindexed.each(func(row []driver.Value) (more bool) {
		more, damaged = unpack(row, eventstore.Forwards, func(it item) (bool, error) {
			missing = append(missing, entry{it.stream, it.revision, it.position})
			return true, nil
		})
		return more
	})
	return missing, errors.Join(err, damaged)
}

// indexedAtOnce is how many entries one statement writes.
const indexedAtOnce = 64

// complete adds to the index what it lacks, in the order of the index. It belongs into a transaction.
func (c *conn) complete(missing []entry) error {
	missing = slices.SortedFunc(slices.Values(missing), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.revision, b.revision))
	})
	args := make([]driver.Value, 0, 3*indexedAtOnce)
	for some := range slices.Chunk(missing, indexedAtOnce) {
		args = args[:0]
		for _, e := range some {
			args = append(args, e.stream, int64(e.revision), int64(e.position))
		}
		if len(some) == indexedAtOnce {
			if _, err := c.indexMany.exec(args...); err != nil {
				return err
			}
			continue
		}
		for one := range slices.Chunk(args, 3) {
			if _, err := c.index.exec(one...); err != nil {
				return err
			}
		}
	}
	_, err := c.indexed.exec()
	return err
}

// run executes a script.
func (c *conn) run(script string) error {
	_, err := c.driver.(driver.ExecerContext).ExecContext(context.Background(), script, nil)
	return err
}

// ask is for what is asked once.
func (c *conn) ask(question string, take func(row []driver.Value) bool) error {
	s, err := c.driver.Prepare(question)
	if err != nil {
		return err
	}
	defer s.Close()
	return stmt{s}.each(take)
}

func (c *conn) readHead() (head eventstore.Position, err error) {
	err = c.head.each(func(row []driver.Value) bool {
		head = eventstore.Position(row[0].(int64))
		return true
	})
	return head, err
}

func (c *conn) close() error {
	for _, statements := range []map[*stmt]string{c.readerStatements(), c.writerStatements()} {
		for s := range statements {
			if s.Stmt != nil {
				s.Close()
			}
		}
	}
	return c.driver.Close()
}

// A stmt is a prepared statement.
type stmt struct{ driver.Stmt }

// exec executes it.
func (s stmt) exec(args ...driver.Value) (driver.Result, error) {
	return s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), named(args))
}

// each calls take with the rows until it returns false. The slice is used again for every row, the values are take's.
func (s stmt) each(take func(row []driver.Value) bool, args ...driver.Value) error {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), named(args))
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		if err = rows.Next(row); err == nil && !take(row) {
			break
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

func named(args []driver.Value) []driver.NamedValue {
	n := make([]driver.NamedValue, len(args))
	for i, v := range args {
		n[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return n
}

// explain says in our words what SQLite says of a file that is none of its own, or is damaged.
func explain(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_NOTADB:
			return errForeign
		case sqlite3.SQLITE_CORRUPT:
			return fmt.Errorf("the file is damaged; restore it from a backup: %w", err)
		}
	}
	return err
}
