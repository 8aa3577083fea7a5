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
	"sync"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"daybook/eventstore"
)

// format is the version of schema.sql. Opening refuses a file with another one.
const format = 4

//go:embed schema.sql
var schema string

var (
	errForeign = errors.New("this is not an event log")
	errNoLog   = errors.New("there is no event log in it yet")
)

// settings are the writer's. synchronous=FULL, so that an answer means that the event is on the disk; the large cache of the index and the rare
// checkpoints double the speed of a large log. The index may lose commits as long as it stays consistent.
const (
	settings       = "PRAGMA main.journal_mode = WAL; PRAGMA main.synchronous = FULL; PRAGMA main.cache_size = -8192; PRAGMA wal_autocheckpoint = 16000;"
	lookupSettings = "PRAGMA lookup.journal_mode = WAL; PRAGMA lookup.synchronous = NORMAL; PRAGMA lookup.cache_size = -8192; PRAGMA wal_autocheckpoint = 16000;"
)

// A conn is a connection with its statements; one goroutine at a time uses it. It bypasses database/sql, which copies every event
// once more and costs as much again as the driver does.
type conn struct {
	driver driver.Conn
	log    uuid.UUID // the log's id

	forwards, backwards, unindexed, page, founding, stream, end, settled stmt
	begin, commit, rollback                                              stmt // of connections that write
	pack, settle                                                         stmt // the writer's
	index, indexMany, endOf, endMany, name, putName, cover               stmt // the indexer's
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
func dialReader(at source, indexed bool) (*conn, error) {
	return dial(at, func(c *conn) (err error) {
		if c.log, err = c.identity(); err != nil {
			return err
		}
		if !indexed || c.attach(at) != nil {
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
	c.log = id
	rows := fmt.Sprintf("INSERT INTO identity (one, log, format) VALUES (1, '%s', %d); INSERT INTO settled (one, at, checksum) VALUES (1, 0, %d);", id, format, c.checksum([]int64{0}))
	return id, c.run("BEGIN IMMEDIATE;" + schema + rows + "COMMIT;")
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
	if tables, err := c.tables("main"); err != nil || tables != schemas().log {
		return uuid.Nil, errors.Join(&eventstore.DamageError{What: "its tables are not as they were made"}, err)
	}
	return id, nil
}

// tables returns the definitions of the tables and views in a database.
func (c *conn) tables(database string) (all string, err error) {
	err = c.ask("SELECT coalesce(sql, '') FROM "+database+".sqlite_schema ORDER BY name", func(row []driver.Value) bool {
		text, _ := row[0].(string)
		all += text + ";\n"
		return true
	})
	return all, err
}

// schemas returns the definitions of the tables and views of a log and its index that are whole.
var schemas = sync.OnceValue(func() (whole struct{ log, index string }) {
	c, err := dial(source{}, func(c *conn) (err error) {
		if err := errors.Join(c.run(schema), c.attachFile(source{}), c.run(lookupSchema)); err != nil {
			return err
		}
		whole.log, err = c.tables("main")
		if err == nil {
			whole.index, err = c.tables("lookup")
		}
		return err
	})
	if err != nil { // a mistake in the schemas
		panic(err)
	}
	c.close()
	return whole
})

// readerStatements have no bare parameter for a limit: SQLite would plan them again for every value.
func (c *conn) readerStatements() map[*stmt]string {
	const (
		columns  = "SELECT last, recorded_at, heads, bodies, checksum FROM log "
		packOf   = "SELECT (SELECT last FROM log WHERE last >= r.position ORDER BY last LIMIT 1) FROM "
		forwards = "(SELECT position FROM revisions WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ? + 0) AS r"
		backward = "(SELECT position FROM revisions WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ? + 0) AS r"
	)
	return map[*stmt]string{
		&c.end:       columns + "ORDER BY last DESC LIMIT 1",
		&c.settled:   "SELECT at, checksum FROM settled",
		&c.page:      columns + "WHERE last > ? ORDER BY last",
		&c.forwards:  columns + "WHERE last IN (" + packOf + forwards + ") ORDER BY last",
		&c.backwards: columns + "WHERE last IN (" + packOf + backward + ") ORDER BY last DESC",
		&c.unindexed: columns + "WHERE last > (SELECT position FROM covered) ORDER BY last",
		&c.founding:  columns + "WHERE last >= ? ORDER BY last LIMIT 1",
		&c.stream: "SELECT n.hash, n.next, n.stream, n.checksum, e.revision, e.checksum FROM (" +
			"SELECT * FROM names WHERE hash <= ? ORDER BY hash DESC LIMIT 1) AS n LEFT JOIN ends AS e ON e.stream = n.stream",
	}
}

// A statement that fails undoes its transaction, so that SQLite need not prepare to undo the statement alone. A pack is added only
// to the end that the writer knows.
func (c *conn) writerStatements() map[*stmt]string {
	return map[*stmt]string{
		&c.pack:   "INSERT OR ROLLBACK INTO log (last, recorded_at, heads, bodies, checksum) SELECT ?, ?, ?, ?, ? WHERE coalesce((SELECT max(last) FROM log), 0) = ?",
		&c.settle: "UPDATE OR ROLLBACK settled SET at = ?, checksum = ?",
	}
}

// An index that was made anew has already what the indexer is about to add.
func (c *conn) indexerStatements() map[*stmt]string {
	many := func(start, end string) string {
		return start + strings.Repeat("(?, ?, ?), ", entriesAtOnce-1) + "(?, ?, ?)" + end
	}
	const (
		revisions = "INSERT OR REPLACE INTO revisions (stream, revision, position) VALUES "
		ends      = "INSERT INTO ends (stream, revision, checksum) VALUES "
		later     = " ON CONFLICT DO UPDATE SET revision = excluded.revision, checksum = excluded.checksum WHERE excluded.revision > revision"
	)
	return map[*stmt]string{
		&c.index:     revisions + "(?, ?, ?)",
		&c.indexMany: many(revisions, ""),
		&c.endOf:     ends + "(?, ?, ?)" + later,
		&c.endMany:   many(ends, later),
		&c.name:      "SELECT hash, next, stream, checksum FROM names WHERE hash <= ? ORDER BY hash DESC LIMIT 1",
		&c.putName:   "INSERT OR REPLACE INTO names (hash, next, stream, checksum) VALUES (?, ?, ?, ?)",
		&c.cover:     "UPDATE OR ROLLBACK covered SET position = ?, event = ?, checksum = ?",
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
	var at int64
	damaged := error(&eventstore.DamageError{What: "the time that it has reached is gone"})
	err = c.settled.each(func(row []driver.Value) bool {
		at, _ = row[0].(int64)
		if sum, whole := row[1].(int64); whole && sum == c.checksum([]int64{at}) {
			damaged = nil
		}
		return false
	})
	if err = errors.Join(err, damaged); err != nil {
		return 0, reached, err
	}
	err = c.end.each(func(row []driver.Value) bool {
		_, damaged = c.unpack(row, eventstore.Backwards, func(it item) (bool, error) {
			head = it.position
			return false, nil
		})
		recorded, _ := row[1].(int64)
		at = max(at, recorded)
		return false
	})
	return head, time.UnixMicro(at).UTC(), errors.Join(err, damaged)
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
			return &eventstore.DamageError{What: err.Error()}
		}
	}
	return err
}
