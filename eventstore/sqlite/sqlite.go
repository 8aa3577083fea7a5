// Package sqlite stores events in one SQLite file, without cgo and without a server.
//
// One goroutine writes. It takes all waiting appends, checks them in order, commits them together with one fsync, and hands the
// events to subscriptions from memory. So positions are dense, from 1, in commit order. A commit only adds rows to the end of the table
// log, several events in each. The index that finds a stream's events would touch a page for each event, so another goroutine updates
// it thousands of events at a time, in a separate file that can be deleted; for events not yet indexed, reads are answered from
// memory. Readers have their own connections and never hold one while their caller works. The file opens with any SQLite tool: the
// view "events" shows the log with its names.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/commit"
	"daybook/internal/lock"
)

// Options are how a file is opened. The zero value is right for a server.
type Options struct {
	// MaxPages is how many pages of 4 KiB the file may have; further appends fail as on a full disk. 0: no limit.
	MaxPages int
	// MaxBatch is how many appends may share one commit, default 512. With 1 each has its own fsync, which is slower by an order
	// of magnitude and no safer; benchmarks compare against it.
	MaxBatch int
	// Now is the clock, default time.Now. Tests set it.
	Now func() time.Time
}

const readers = 4 // connections

// Errors of this backend.
var (
	ErrInUse    = errors.New("the event log is in use by another process; stop that process first, or open the log read-only")
	ErrReadOnly = errors.New("the event log is open read-only")
)

// A Store is a log in a file or in memory. It owns its connections, its lock and its writer.
type Store struct {
	id       uuid.UUID
	at       source
	maxPages int
	now      func() time.Time
	lock     io.Closer // nil in memory or if read-only

	writing, indexing, reading *pool // the same one in memory, where a second connection would see a second database
	mending                    sync.Mutex
	mended                     atomic.Int64 // how often the index was made anew
	broken                     error        // why that failed the last time
	failed                     time.Time    // when
	disconnected               bool
	tail                       *tail // nil if read-only
	names                      *names
	known                      *places // nil if read-only

	queue   *commit.Queue // nil if read-only
	written chan struct{} // closed when the last request has been answered
	closed  sync.Once
}

var _ eventstore.Store = (*Store)(nil)

// Open opens the log in a file, creating it if it is missing, and locks it against other writers until Close or until the process
// dies. The lock is an empty file beside it with ".lock" added to its name; it is not removed. The index, with ".index", is rebuilt
// from the log if it is missing, damaged or another log's: a backup need not contain it.
func Open(path string, opts Options) (*Store, error) {
	held, err := lock.File(path + ".lock") // closing any descriptor of the log itself would drop SQLite's locks
	if errors.Is(err, lock.ErrHeld) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s, err := open(path, opts)
	if err != nil {
		held.Close()
		return nil, fmt.Errorf("opening %s: %w", path, explain(err))
	}
	s.lock = held
	return s, nil
}

// OpenMemory opens an empty log in memory that lasts until Close. It is meant for tests.
func OpenMemory() (*Store, error) {
	s, err := open("", Options{})
	if err != nil {
		return nil, fmt.Errorf("opening a log in memory: %w", err)
	}
	return s, nil
}

// OpenReadOnly opens the log in a file, beside its writer or without one. Append returns ErrReadOnly, and Follow polls for new events
// a few times a second.
func OpenReadOnly(path string) (*Store, error) {
	s := &Store{at: source{path, "ro"}, now: time.Now, writing: newPool(0), indexing: newPool(0), reading: newPool(readers), names: newNames()}
	err := s.reading.fill(func() (*conn, error) { return dialReader(s.at, true) })
	if err != nil {
		s.disconnect()
		return nil, fmt.Errorf("opening %s: %w", path, explain(err))
	}
	c := <-s.reading.idle
	s.id = c.log
	s.reading.put(c)
	return s, nil
}

// open opens a file, or memory if path is empty, and starts the writer.
func open(path string, opts Options) (*Store, error) {
	s := &Store{
		at:       source{path, "rwc"},
		maxPages: opts.MaxPages,
		now:      opts.Now,
		writing:  newPool(1),
		names:    newNames(),
		known:    newPlaces(),
		queue:    commit.NewQueue(opts.MaxBatch),
		written:  make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.indexing, s.reading = s.writing, s.writing
	if path != "" {
		s.indexing, s.reading = newPool(1), newPool(readers)
	}
	if err := s.connect(); err != nil {
		s.disconnect()
		return nil, err
	}
	c := <-s.writing.idle
	head, reached, err := c.readEnd()
	s.writing.put(c)
	if err != nil {
		s.disconnect()
		return nil, err
	}
	s.id, s.tail = c.log, newTail(head, reached)
	go s.write()
	return s, nil
}

// connect fills the pools, the writer's first because it creates the tables.
func (s *Store) connect() error {
	err := s.writing.fill(func() (*conn, error) { return dialWriter(s.at, s.maxPages) })
	if err != nil || s.reading == s.writing {
		return err
	}
	return errors.Join(
		s.indexing.fill(func() (*conn, error) { return dialIndexer(s.at) }),
		s.reading.fill(func() (*conn, error) { return dialReader(s.at, true) }),
	)
}

// proved does something that uses the index. If the index turns out to be wrong, it is made anew, and all is done again. Whoever
// calls it has no connection.
func (s *Store) proved(do func() error) error { return s.orMend(do, blamesIndex) }

// revived does something that does not use the index. If the store answers nothing, since its index could not be made anew, that is
// tried again first.
func (s *Store) revived(do func() error) error {
	return s.orMend(do, func(error) bool { return false })
}

func (s *Store) orMend(do func() error, blames func(error) bool) error {
	mended := s.mended.Load()
	err := do()
	if !blames(err) && !errors.Is(err, errUnmended) || s.at.path == "" {
		return err
	}
	if err := s.mend(mended); err != nil {
		return err
	}
	return do()
}

// errUnmended means that the index is wrong, and could not be made anew: the log is damaged too, or there is no room.
var errUnmended = errors.New("making the index of the log anew")

// mendAgain is how long after a failure the index is tried to be made again, at least. Tests change it.
var mendAgain = time.Second

// mend makes the index anew from the log, while everybody waits, unless that was done since. A reader beside the writer does
// without an index instead. Until it succeeds, the store answers nothing.
func (s *Store) mend(since int64) error {
	s.mending.Lock()
	defer s.mending.Unlock()
	switch {
	case s.disconnected:
		return eventstore.ErrClosed
	case s.broken != nil && time.Since(s.failed) < mendAgain, s.mended.Load() != since:
		return s.broken
	}
	pools := []*pool{s.reading, s.indexing, s.writing}
	for _, p := range pools {
		p.empty() // an error of what is damaged tells nothing new
	}
	var err error
	if s.queue == nil {
		err = s.reading.fill(func() (*conn, error) { return dialReader(s.at, false) })
	} else if err = s.at.removeIndex(); err == nil {
		err = s.connect()
	}
	s.mended.Add(1)
	if s.broken = nil; err != nil {
		s.broken, s.failed = fmt.Errorf("%w: %w", errUnmended, explain(err)), time.Now()
		for _, p := range pools {
			p.empty()
			p.fail(s.broken)
		}
		return s.broken
	}
	for _, p := range pools {
		p.mend()
	}
	return nil
}

// disconnect waits for the connections in use and closes all.
func (s *Store) disconnect() error {
	s.mending.Lock()
	defer s.mending.Unlock()
	s.disconnected = true
	err := s.reading.close()
	if s.writing != s.reading {
		err = errors.Join(err, s.indexing.close(), s.writing.close())
	}
	return err
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	head, _, err := s.end(ctx)
	return head, err
}

// end returns the position of the last event, and the time before which no further event is recorded.
func (s *Store) end(ctx context.Context) (head eventstore.Position, reached time.Time, err error) {
	if s.tail != nil {
		return s.tail.end(ctx)
	}
	c, err := s.reading.get(ctx)
	if err != nil {
		return 0, reached, err
	}
	defer s.reading.put(c)
	return c.readEnd()
}

// Settle implements eventstore.Store. It writes only if no event has been recorded after the instant yet.
func (s *Store) Settle(ctx context.Context, at time.Time) (eventstore.Position, error) {
	head, reached, err := s.end(ctx)
	if err != nil || at.Before(reached) {
		return head, err
	}
	if s.tail == nil {
		return 0, ErrReadOnly
	}
	c, err := s.writing.get(ctx) // from the time that it records until the commit, the writer has this connection
	if err != nil {
		return 0, err
	}
	defer s.writing.put(c)
	head, reached, err = s.tail.end(ctx)
	if err != nil || at.Before(reached) {
		return head, err
	}
	if at.After(reached) && at.After(s.now()) {
		return 0, eventstore.ErrFuture
	}
	after := at.UTC().Truncate(time.Microsecond).Add(time.Microsecond)
	if _, err := c.settle.exec(after.UnixMicro(), c.checksum([]int64{after.UnixMicro()})); err != nil {
		return 0, fmt.Errorf("settling the time of the event log: %w", explain(err))
	}
	s.tail.settle(after)
	return head, nil
}

// Ahead implements eventstore.Store.
func (s *Store) Ahead(ctx context.Context) (time.Duration, error) {
	_, reached, err := s.end(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, reached.Sub(s.now())), nil
}

// ID implements eventstore.Store.
func (s *Store) ID() uuid.UUID { return s.id }

// Dense implements eventstore.Store.
func (s *Store) Dense() bool { return true }

// Close implements eventstore.Store. A second Close does nothing.
func (s *Store) Close() (err error) {
	s.closed.Do(func() { err = s.close() })
	return err
}

func (s *Store) close() error {
	if s.queue != nil {
		s.queue.Close()
		<-s.written
		s.tail.close()
	}
	err := s.disconnect()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("closing the event log: %w", err)
	}
	return nil
}
