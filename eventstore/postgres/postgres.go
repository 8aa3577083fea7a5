// Package postgres stores events in a PostgreSQL database, which several processes can share.
//
// Each process has one goroutine that writes: it takes all waiting appends, checks them in order by what it knows of their streams, and
// commits them together, by one call of a function in the database. That numbers the events from the end of the log, so positions are
// dense, from 1, in commit order, and it writes nothing unless the streams are where the writer believes: otherwise it says where they
// are. Processes that write at the same time wait in the server's queue for the lock of one row; see turns, too. Subscriptions read pages from the
// database when NOTIFY says that there are new ones, and check every second in case a notification is lost.
package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"daybook/eventstore"
	"daybook/eventstore/commit"
	"daybook/internal/pgconn"
)

// format is the version of schema.sql. Open refuses a log with another one.
const format = 6

//go:embed schema.sql
var schema string

// Options are how a log is opened. The zero value is right for a server.
type Options struct {
	// Schema is where the tables are, default "eventlog". It is created if it is missing.
	Schema string
	// MaxBatch is how many appends may share one commit, default commit.MaxBatch.
	MaxBatch int
	// Patience is how long an append is retried while the database is away, from when it was requested, default 15 s. Then its
	// outcome is unknown.
	Patience time.Duration
	// Now is the clock, default the database server's, because processes' clocks may differ. Tests set it.
	Now func() time.Time
}

const (
	patience    = 15 * time.Second
	connections = 8 // at most, besides the one that listens
	// lifetime is how long a connection is used, so that even a process that only reads finds a server that has moved.
	lifetime = time.Minute
)

// answerWithin is how long a server may take to answer before it counts as dead. Tests change it.
var answerWithin = 15 * time.Second

// A Store is a log, which other processes may also have open. It owns its connections and its writer.
type Store struct {
	id       uuid.UUID
	patience time.Duration
	now      func() *time.Time // nil: as the server's clock says
	db       *sqlx.DB
	pages    map[string]*sqlx.Stmt // by their questions
	tails    *sqlx.Stmt

	commits, wrote *sqlx.Stmt // the writer's

	asks    chan *ask
	asked   sync.WaitGroup // those who answer them
	queue   *commit.Queue
	written chan struct{} // closed when the last request has been answered
	news    *news
	untold  chan struct{} // has a value if other processes were not told of what was written
	told    chan struct{} // closed when they were told of the last
	heard   chan struct{} // closed when listening has stopped

	closing context.Context // ends with Close
	close   context.CancelFunc
	closed  sync.Once
}

var _ eventstore.Store = (*Store)(nil)

// Open opens the log in the database of a URL (postgres://…, as lib/pq reads it), and creates its tables if they are missing. It does
// not wait for a server that is away. Of several hosts (postgres://a,b/desk?target_session_attrs=read-write) it takes the first
// suitable one, and so does every later connection.
func Open(ctx context.Context, database string, opts Options) (*Store, error) {
	s, err := open(ctx, database, opts)
	if err != nil {
		return nil, fmt.Errorf("opening the event log in PostgreSQL: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, database string, opts Options) (*Store, error) {
	name := opts.Schema
	if name == "" {
		name = "eventlog"
	}
	address, err := pgconn.Parse(database)
	if err != nil {
		return nil, err
	}
	limit := answerWithin
	dialer := pgconn.Dialer{Limit: func() time.Duration { return limit }}
	if err := dialer.Prove(ctx, address); err != nil {
		return nil, err
	}
	db, err := dialer.Open(address, connections, map[string]string{
		"idle_in_transaction_session_timeout": "1s",                                                                          // whoever is suspended while it opens the log does not block others
		"search_path":                         pq.QuoteIdentifier(name), "enable_seqscan": "off", "enable_bitmapscan": "off", // an index answers every question, however old the statistics
	})
	if err != nil {
		return nil, err
	}
	s := &Store{
		patience: opts.Patience,
		now:      func() *time.Time { return nil },
		db:       db,
		queue:    commit.NewQueue(opts.MaxBatch),
		written:  make(chan struct{}),
		news:     newNews(),
		untold:   make(chan struct{}, 1),
		told:     make(chan struct{}),
		heard:    make(chan struct{}),
		asks:     make(chan *ask),
		pages:    make(map[string]*sqlx.Stmt),
	}
	if s.patience <= 0 {
		s.patience = patience
	}
	if opts.Now != nil {
		s.now = func() *time.Time { return new(opts.Now()) }
	}
	s.db.SetConnMaxLifetime(lifetime)
	if err := s.create(ctx, name); err != nil {
		s.db.Close()
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.db.Close()
		return nil, err
	}
	s.closing, s.close = context.WithCancel(context.Background())
	go s.listen(dialer.Listen(s.closing, address, name))
	go s.write()
	go s.tell("NOTIFY " + pq.QuoteIdentifier(name))
	for range askers {
		s.asked.Go(s.answerAsks)
	}
	return s, nil
}

// prepare prepares what is asked often, so that each takes one round trip.
func (s *Store) prepare(ctx context.Context) error {
	for question, to := range map[string]**sqlx.Stmt{
		tails: &s.tails, commitBatch: &s.commits, wrote: &s.wrote,
	} {
		var err error
		if *to, err = s.db.PreparexContext(ctx, question); err != nil { //nolint:sqlclosecheck // closed with the connections
			return err
		}
	}
	for _, question := range []string{forwards, backwards, following} {
		var err error
		if s.pages[question], err = s.db.PreparexContext(ctx, question); err != nil { //nolint:sqlclosecheck // closed with the connections
			return err
		}
	}
	return nil
}

// create creates the tables if they are missing, and reads which log this is.
func (s *Store) create(ctx context.Context, name string) error {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var is struct {
		Here, Closed, New bool
	}
	const ask = `SELECT at IS NOT NULL AS here, has_schema_privilege(at, 'USAGE') IS FALSE AS closed, to_regclass('identity') IS NULL AS new
		FROM pg_advisory_xact_lock(hashtext('daybook')), CAST(to_regnamespace($1) AS oid) AS at`
	if err := tx.GetContext(ctx, &is, ask, pq.QuoteIdentifier(name)); err != nil {
		return err
	}
	if is.Closed {
		return fmt.Errorf("the user may not use the schema %s: GRANT USAGE on it; docs/operations.md lists the rights that each kind of process needs", name)
	}
	if is.New {
		lay := schema
		if !is.Here { // or an administrator has made it, and the user needs no right to
			lay = "CREATE SCHEMA " + pq.QuoteIdentifier(name) + ";" + schema
		}
		if _, err := tx.ExecContext(ctx, lay); err != nil {
			return pgconn.Explain(err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO turn VALUES (true, 'epoch')"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO identity VALUES (true, $1, $2)", uuid.New(), format); err != nil {
			return err
		}
	}
	var found struct {
		Log    uuid.UUID
		Format int
	}
	if err := tx.GetContext(ctx, &found, "SELECT log, format FROM identity"); err != nil {
		return pgconn.Explain(err)
	}
	if found.Format != format {
		return fmt.Errorf("the log has format %d, but this program knows format %d: another version wrote it", found.Format, format)
	}
	s.id = found.Log
	return tx.Commit()
}

// ID implements eventstore.Store.
func (s *Store) ID() uuid.UUID { return s.id }

// Dense implements eventstore.Store.
func (s *Store) Dense() bool { return true }

// Append implements eventstore.Store. If the database fails, it retries until the outcome is known or patience ends.
func (s *Store) Append(ctx context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	return s.queue.Append(ctx, to)
}

// Close implements eventstore.Store. A second Close does nothing. It ignores errors of connections, because by then everything is
// answered.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.queue.Close()
		<-s.written
		close(s.untold)
		<-s.told
		s.close()
		s.asked.Wait()
		s.db.Close()
		<-s.heard
	})
	return nil
}
