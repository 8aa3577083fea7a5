package vault

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// A writer commits what callers change. One goroutine takes all changes that wait and commits them together, so that they share an
// fsync, however many callers there are. Changes that nobody waits for are committed with the next that somebody does, or after idle,
// and then their commit does not wait for the disk: whatever happens to the process, the operating system has them.
type writer struct {
	db        *sqlx.DB // one connection
	waits     func(forDisk bool) string
	lazy      bool                  // its commits do not wait for the disk
	first     func(tx) error        // what each transaction does first
	often     map[string]*sqlx.Stmt // statements that are prepared
	accepting sync.RWMutex          // held for reading while a change enters, so that close knows the last one
	closed    bool
	changes   chan *change
	ended     chan struct{}
}

// A change is part of a commit. do may run twice, if another change of the same commit fails.
type change struct {
	do     func(tx) error
	done   func(error)  // must not block
	urgent bool         // somebody waits
	left   func() error // returns an error once nobody waits any more; nil: it is made in any case
}

// together is how many changes share a commit at most, and atLeisure how many that nobody waits for. Somebody who comes then waits
// for them.
const (
	together  = 512
	atLeisure = 2048
)

// idle is how long changes wait that nobody waits for.
const idle = 500 * time.Millisecond

// ErrClosed is the error for a change after Close.
var ErrClosed = errors.New("the vault is closed")

// newWriter starts a writer that prepares the statements that it executes often.
func newWriter(db *sqlx.DB, waits func(forDisk bool) string, first func(tx) error, often ...string) (*writer, error) {
	w := &writer{db: db, waits: waits, first: first, often: make(map[string]*sqlx.Stmt), changes: make(chan *change, together), ended: make(chan struct{})}
	for _, query := range often {
		var err error
		if w.often[query], err = prepare(db, query); err != nil { //nolint:sqlclosecheck // closed with the connection
			return nil, err
		}
	}
	go w.run()
	return w, nil
}

// prepare prepares a statement that has ? for each argument.
func prepare(db *sqlx.DB, query string) (*sqlx.Stmt, error) { return db.Preparex(db.Rebind(query)) }

// commit returns when a change is durable, or as soon as the context ends: then it may still become so. do must own what it uses, and
// what it sets must not be read unless commit returned nil.
func (w *writer) commit(ctx context.Context, do func(tx) error) error {
	done := make(chan error, 1) // buffered, so that the writer never waits for a caller that has left
	if err := w.accept(ctx, &change{do, func(err error) { done <- err }, true, ctx.Err}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept takes a change into the queue.
func (w *writer) accept(ctx context.Context, c *change) error {
	w.accepting.RLock()
	defer w.accepting.RUnlock()
	if w.closed {
		return ErrClosed
	}
	if !c.urgent { // who does not wait for the commit does not wait for room either
		select {
		case w.changes <- c:
			return nil
		default:
			return errFull
		}
	}
	select {
	case w.changes <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errFull = errors.New("too many changes of the vault wait already")

// close commits what was accepted, and nothing more.
func (w *writer) close() {
	w.accepting.Lock()
	if !w.closed {
		w.closed = true
		close(w.changes)
	}
	w.accepting.Unlock()
	<-w.ended
}

func (w *writer) run() {
	defer close(w.ended)
	var batch []*change
	for c := range w.changes {
		batch = slices.DeleteFunc(w.gather(append(batch[:0], c)), func(c *change) bool {
			if c.left == nil || c.left() == nil {
				return false
			}
			c.done(c.left())
			return true
		})
		if len(batch) == 0 {
			continue
		}
		err := w.write(batch)
		var own *ownError
		for _, c := range batch {
			if len(batch) > 1 && errors.As(err, &own) { // one of them is to blame
				c.done(w.write([]*change{c}))
			} else {
				c.done(err)
			}
		}
		clear(batch)
	}
}

// gather adds to the first change of a batch those that wait, or that come until somebody waits.
func (w *writer) gather(batch []*change) []*change {
	urgent, late := batch[0].urgent, time.NewTimer(idle)
	defer late.Stop()
	for !urgent && len(batch) < atLeisure {
		select {
		case c, ok := <-w.changes:
			if !ok {
				return batch
			}
			batch, urgent = append(batch, c), c.urgent
		case <-late.C:
			urgent = true
		}
	}
	runtime.Gosched() // lets the callers that the last commit woke queue up first
	for len(batch) < together {
		select {
		case c, ok := <-w.changes:
			if !ok {
				return batch
			}
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// write makes changes in one transaction, again if the database ended it for the sake of another process's.
func (w *writer) write(batch []*change) error {
	for try := 1; ; try++ {
		err := w.transact(batch)
		var pg *pq.Error
		if try == 5 || !errors.As(err, &pg) || pg.Code != deadlock {
			return err
		}
	}
}

const deadlock = "40P01"

// transact makes changes in one transaction. No caller's context ends it, since others share it.
func (w *writer) transact(batch []*change) error {
	urgent := func(c *change) bool { return c.urgent }
	if lazy := !slices.ContainsFunc(batch, urgent); lazy != w.lazy {
		if _, err := w.db.Exec(w.waits(!lazy)); err != nil {
			return err
		}
		w.lazy = lazy
	}
	begun, err := begin(context.Background(), w.db)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	if err := w.first(tx{begun, w}); err != nil {
		return err
	}
	for _, c := range batch {
		if err := c.do(tx{begun, w}); err != nil {
			return &ownError{err}
		}
	}
	return begun.Commit()
}

// An ownError is the failure of a change, rather than of the database with all of them.
type ownError struct{ error }

func (e *ownError) Unwrap() error { return e.error }

// A tx is the transaction that changes share. Its statements have ? for each argument.
type tx struct {
	*sqlx.Tx
	writer *writer
}

// exec returns how many rows changed.
func (t tx) exec(query string, args ...any) (int64, error) {
	var done sql.Result
	var err error
	if s, often := t.writer.often[query]; often {
		done, err = t.Stmtx(s).Exec(args...)
	} else {
		done, err = t.Exec(t.Rebind(query), args...)
	}
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// get reads one row.
func (t tx) get(row any, query string, args ...any) error {
	return t.Get(row, t.Rebind(query), args...)
}
