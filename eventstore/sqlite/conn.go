package sqlite

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"daybook/eventstore"
)

// format is the version of schema.sql. Opening refuses a file with another one.
const format = 3

//go:embed schema.sql
var schema string

var (
	errForeign = errors.New("this is not an event log")
	errNoLog   = errors.New("there is no event log in it yet")
)

// settings are the writer's. synchronous=FULL, so that an answer means that the event is on the disk; the large cache and the rare
// checkpoints double the speed of a large log. The index may lose commits as long as it stays consistent.
const (
	askHead = "SELECT coalesce(max(last), 0) FROM log"
	// askEnd asks for the head, and for the time before which no further event is recorded.
	askEnd = "SELECT coalesce(l.last, 0), max(s.at, coalesce(l.recorded_at, 0)) FROM settled AS s LEFT JOIN log AS l ON l.last = (SELECT max(last) FROM log)"

	settings       = "PRAGMA main.journal_mode = WAL; PRAGMA main.synchronous = FULL; PRAGMA main.cache_size = -65536; PRAGMA wal_autocheckpoint = 16000;"
	lookupSettings = "PRAGMA lookup.journal_mode = WAL; PRAGMA lookup.synchronous = NORMAL; PRAGMA lookup.cache_size = -65536; PRAGMA wal_autocheckpoint = 16000;"
)

// A conn is a connection with its statements; one goroutine at a time uses it. It bypasses database/sql, which copies every event
// once more and costs as much again as the driver does.
type conn struct {
	driver driver.Conn
	log    uuid.UUID // the log's id

	forwards, backwards, unindexed, page, streamName, streamID, end stmt
	begin, commit, rollback                                         stmt // of connections that write
	findStream, stream, pack, settle                                stmt // the writer's
	index, indexMany, cover                                         stmt // the indexer's
}

// A source is where a log is: a file, or memory, where each connection has its own log.
type source struct{ path, mode string }

// uri returns the driver's name of the log, or with a suffix that of a file beside it.
func (at source) uri(suffix string) string {
	if at.path == "" {
		return ":memory:"
	}
	q := url.Values{"mode": {at.mode}, "_pragma": {"busy_timeout(10000)"}}
	return "file:" + (&url.URL{Path: at.path + suffix}).EscapedPath() + "?" + q.Encode()
}

// dialReader opens a connection to a log. Without an index every query reads the whole log.
func dialReader(at source) (*conn, error) {
	return dial(at, func(c *conn) (err error) {
		if c.log, err = c.identity(); err != nil {
			return err
		}
		if c.attach(at) != nil {
			if err := c.renew(source{}); err != nil {
				return err
			}
		}
		return c.prepare(c.readerStatements())
	})
}

// dialWriter opens the writer's connection, creates the tables if they are missing, and completes the index: with what a killed
// writer had not indexed yet, or from the start.
func dialWriter(at source, maxPages int) (*conn, error) {
	return dial(at, func(c *conn) (err error) {
		if c.log, err = c.create(maxPages); err != nil {
			return err
		}
		if c.attach(at) != nil {
			if err := c.renew(at); err != nil {
				return err
			}
		}
		if err := c.run(lookupSettings); err != nil {
			return err
		}
		if err := c.prepare(c.statements()...); err != nil {
			return err
		}
		return c.completeFromLog()
	})
}

// dialIndexer opens the connection that continues the index.
func dialIndexer(at source) (*conn, error) {
	return dial(at, func(c *conn) (err error) {
		if c.log, err = c.identity(); err != nil {
			return err
		}
		if err := c.attach(at); err != nil {
			return err
		}
		if err := c.run(lookupSettings); err != nil {
			return err
		}
		return c.prepare(c.transactionStatements(), c.indexerStatements())
	})
}

func dial(at source, setUp func(*conn) error) (*conn, error) {
	d, err := new(sqlite.Driver).Open(at.uri(""))
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

// create reads which log this is, and creates the tables if they are missing. It does not touch a file of another kind.
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
	row := fmt.Sprintf("INSERT INTO identity (one, log, format) VALUES (1, '%s', %d);", id, format)
	return id, c.run("BEGIN IMMEDIATE;" + schema + row + "COMMIT;")
}

// identity reads which log this is, or why it cannot be read.
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
	switch {
	case version > format:
		return uuid.Nil, fmt.Errorf("the log has format %d, but this program knows format %d: a newer version wrote it", version, format)
	case version < format:
		return uuid.Nil, fmt.Errorf("the log has format %d, from before the first release: import its journal into a new log", version)
	}
	if id, err = uuid.Parse(text); err != nil {
		return uuid.Nil, errForeign
	}
	return id, nil
}

// readerStatements have no bare parameter for a limit: SQLite would plan them again for every value.
func (c *conn) readerStatements() map[*stmt]string {
	const (
		columns  = "SELECT last, recorded_at, heads, bodies FROM log "
		packOf   = "SELECT (SELECT last FROM log WHERE last >= r.position ORDER BY last LIMIT 1) FROM "
		forwards = "(SELECT position FROM revisions WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ? + 0) AS r"
		backward = "(SELECT position FROM revisions WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ? + 0) AS r"
	)
	return map[*stmt]string{
		&c.end:        askEnd,
		&c.page:       columns + "WHERE last > ? ORDER BY last",
		&c.forwards:   columns + "WHERE last IN (" + packOf + forwards + ") ORDER BY last",
		&c.backwards:  columns + "WHERE last IN (" + packOf + backward + ") ORDER BY last DESC",
		&c.unindexed:  columns + "WHERE last > (SELECT position FROM covered) ORDER BY last",
		&c.streamID:   "SELECT id, EXISTS (SELECT 1 FROM revisions WHERE stream = streams.id) FROM streams WHERE name = ?",
		&c.streamName: "SELECT name FROM streams WHERE id = ?",
	}
}

// A statement that fails undoes its transaction, so that SQLite need not prepare to undo the statement alone.
func (c *conn) writerStatements() map[*stmt]string {
	const revision = "SELECT revision FROM revisions WHERE stream = streams.id ORDER BY revision DESC LIMIT 1"
	return map[*stmt]string{
		&c.findStream: "SELECT id, (" + revision + ") FROM streams WHERE name = ?",
		&c.stream:     "INSERT OR ROLLBACK INTO streams (id, name) VALUES (?, ?)",
		&c.pack:       "INSERT OR ROLLBACK INTO log (last, recorded_at, heads, bodies) VALUES (?, ?, ?, ?)",
		&c.settle:     "UPDATE OR ROLLBACK settled SET at = ?",
	}
}

func (c *conn) indexerStatements() map[*stmt]string {
	const into = "INSERT OR ROLLBACK INTO revisions (stream, revision, position) VALUES "
	return map[*stmt]string{
		&c.index:     into + "(?, ?, ?)",
		&c.indexMany: into + strings.Repeat("(?, ?, ?), ", entriesAtOnce-1) + "(?, ?, ?)",
		&c.cover:     "UPDATE OR ROLLBACK covered SET position = ?",
	}
}

func (c *conn) transactionStatements() map[*stmt]string {
	return map[*stmt]string{&c.begin: "BEGIN", &c.commit: "COMMIT", &c.rollback: "ROLLBACK"}
}

// statements returns all statements.
func (c *conn) statements() []map[*stmt]string {
	return []map[*stmt]string{c.readerStatements(), c.transactionStatements(), c.writerStatements(), c.indexerStatements()}
}

func (c *conn) prepare(statements ...map[*stmt]string) error {
	for _, some := range statements {
		for to, text := range some {
			s, err := c.driver.Prepare(text)
			if err != nil {
				return err
			}
			to.Stmt = s
		}
	}
	return nil
}

// atomically runs work in one transaction. Each file has only one connection that writes, so the transaction takes no lock at its
// start: that would lock both files.
func (c *conn) atomically(work func() error) error {
	if _, err := c.begin.exec(); err != nil {
		return err
	}
	err := work()
	if err == nil {
		_, err = c.commit.exec()
	}
	if err != nil {
		c.rollback.exec() // fails if SQLite has rolled back already, which is fine
	}
	return err
}

// run executes a script.
func (c *conn) run(script string) error {
	_, err := c.driver.(driver.ExecerContext).ExecContext(context.Background(), script, nil)
	return err
}

// ask runs a query that is not worth preparing.
func (c *conn) ask(question string, take func(row []driver.Value) bool) error {
	s, err := c.driver.Prepare(question)
	if err != nil {
		return err
	}
	defer s.Close()
	return stmt{s}.each(take)
}

// readEnd reads the position of the last event, and the time before which no further event is recorded.
func (c *conn) readEnd() (head eventstore.Position, reached time.Time, err error) {
	err = c.end.each(func(row []driver.Value) bool {
		head, reached = eventstore.Position(row[0].(int64)), time.UnixMicro(row[1].(int64)).UTC()
		return true
	})
	return head, reached, err
}

func (c *conn) close() error {
	for _, statements := range c.statements() {
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

// each calls take with the rows until it returns false. The slice is reused for every row; the values belong to take.
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

// explain describes SQLite's error about a file that is not a log or is damaged.
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
