// Package postgres keeps events in a PostgreSQL database, which several processes may share.
//
// Each process has one goroutine that writes: it takes whatever appends are waiting, judges them in order and commits them
// together, in one statement. It numbers the events itself, so positions are dense, from 1, in the order of commits. Only
// the process that holds the lease commits; any other that wants to write takes the lease over as soon as it is old enough,
// and the lease's epoch, which each commit proves, refuses whoever had it before, however long he slept.
// Followers read pages from the database, told by NOTIFY that there are new ones; lest it be lost, they look every second.
package postgres

import (
	"context"
	"database/sql"
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

// format is the version of schema.sql. A log with another one is refused.
const format = 1

//go:embed schema.sql
var schema string

// Options are what a log is opened with. The zero value is right for a server.
type Options struct {
	// Schema is where the tables are, "eventlog" unless told. It is made if it is not there.
	Schema string
	// MaxBatch is how many appends may share one commit, commit.MaxBatch unless told.
	MaxBatch int
	// Patience is for how long an append, from when it was asked for, is tried again while the database is away, 15 seconds
	// unless told. Then its caller learns that it may or may not have been written.
	Patience time.Duration
}

const (
	patience    = 15 * time.Second
	connections = 8 // at most, besides the one that listens
	// lifetime is how long a connection is used, so that a process that only reads, too, finds a server that has moved.
	lifetime = time.Minute
)

// answerWithin is after how long a server that owes an answer is taken for dead.
var answerWithin = 15 * time.Second // a variable for the tests' sake

// A Store is one log, which other processes may have open too. It owns its connections and its writer.
type Store struct {
	id       uuid.UUID
	patience time.Duration
	db       *sqlx.DB
	commits  *sql.Stmt // commit, planned once a connection
	queue    *commit.Queue
	written  chan struct{} // closed when the last request has been answered
	news     *news
	heard    chan struct{} // closed when nobody listens any more

	closing context.Context // ends with Close
	close   context.CancelFunc
	closed  sync.Once
}

var _ eventstore.Store = (*Store)(nil)

// Open opens the log in the database that a URL names (postgres://…, as lib/pq reads it), and makes its tables if need be.
// It does not wait for a server that is away. Of several hosts (postgres://a,b/desk?target_session_attrs=read-write) it
// takes the first that will do, and so does every connection that is made later.
func Open(ctx context.Context, database string, opts Options) (*Store, error) {
	s, err := open(ctx, database, opts)
	if err != nil {
		return nil, fmt.Errorf("open the event log in PostgreSQL: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, database string, opts Options) (*Store, error) {
	name := opts.Schema
	if name == "" {
		name = "eventlog"
	}
	// Lest who falls asleep while he opens the log keep others out.
	address, err := pgconn.Parse(database, map[string]string{"idle_in_transaction_session_timeout": "10s"})
	if err != nil {
		return nil, err
	}
	limit := answerWithin
	dialer := pgconn.Dialer{Limit: func() time.Duration { return limit }}
	db, err := dialer.Open(address, connections, map[string]string{"search_path": pq.QuoteIdentifier(name)})
	if err != nil {
		return nil, err
	}
	s := &Store{
		patience: opts.Patience,
		db:       db,
		queue:    commit.NewQueue(opts.MaxBatch),
		written:  make(chan struct{}),
		news:     newNews(),
		heard:    make(chan struct{}),
	}
	if s.patience <= 0 {
		s.patience = patience
	}
	s.db.SetConnMaxLifetime(lifetime)
	if err := s.create(ctx, name); err != nil {
		s.db.Close()
		return nil, err
	}
	if s.commits, err = s.db.PrepareContext(ctx, commitBatch); err != nil {
		s.db.Close()
		return nil, err
	}
	s.closing, s.close = context.WithCancel(context.Background())
	go s.listen(dialer.Listen(s.closing, address, name))
	go s.write()
	return s, nil
}

// create makes the tables if there are none, and learns which log this is.
func (s *Store) create(ctx context.Context, name string) error {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var isNew bool
	if err := tx.GetContext(ctx, &isNew, "SELECT to_regclass('identity') IS NULL FROM pg_advisory_xact_lock(hashtext('daybook'))"); err != nil {
		return err
	}
	if isNew {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pq.QuoteIdentifier(name)+";"+schema); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO lease VALUES (true, 0, '-infinity')"); err != nil {
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
		return err
	}
	if found.Format != format {
		return fmt.Errorf("the log has format %d, and this program knows format %d: another version of it wrote it", found.Format, format)
	}
	s.id = found.Log
	return tx.Commit()
}

// ID implements eventstore.Store.
func (s *Store) ID() uuid.UUID { return s.id }

// Append implements eventstore.Store. What the database's loss leaves open it settles itself, for a while.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (eventstore.Appended, error) {
	return s.queue.Append(ctx, stream, expected, events)
}

// Close implements eventstore.Store. A second Close does nothing. By the end all is answered, and a connection that was lost
// is no loss.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.queue.Close()
		<-s.written
		s.close()
		s.db.Close()
		<-s.heard
	})
	return nil
}
