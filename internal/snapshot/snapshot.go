// Package snapshot keeps what was folded from long streams, so that a process that has just begun need not fold them from their
// beginning. It lies beside the read models, and belongs to no generation of them.
//
// Nothing here is believed as it is. What is loaded is of this very program, sealed under a key that goes with every destruction of
// a person's key, and bound to its stream; whoever loads it finds the event after which it was taken in the log. Whatever is in
// doubt is folded from the log instead.
package snapshot

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/domain/personal"
	"daybook/eventstore"
)

// A Store keeps snapshots. All methods can be called concurrently.
type Store struct {
	place
	keys    personal.Keys
	version func() string // of the program
	failing atomic.Pointer[func(error)]

	saving  chan save
	closing chan struct{}
	close   func() // closing, once
	ended   chan struct{}

	mu    sync.Mutex
	db    *sqlx.DB // nil until it is opened
	ready int      // destructions when what was older was last deleted; -1: not yet
}

// A place is where snapshots are kept.
type place interface {
	// open opens the database, or returns nil if there is none yet and it is not to be created.
	open(create bool) (*sqlx.DB, error)
	table() string
	create(ctx context.Context, db *sqlx.DB) error // the table, unless it is there
	lacks(err error) bool                          // whether an error says that the table is not there
}

// A save is a snapshot that is to be stored.
type save struct {
	destroyed    int // how often keys were destroyed when it was folded
	part, stream string
	values       []any
}

// waiting is how many snapshots may wait to be stored. More are dropped: there will be others.
const waiting = 64

// kept is how long a snapshot of another version of the program is kept. That version may still run, or be started again.
const kept = 7 * 24 * time.Hour

// start starts a store. keys seal what it holds.
func start(at place, keys personal.Keys) *Store {
	s := &Store{place: at, keys: keys, version: sync.OnceValue(program), saving: make(chan save, waiting), closing: make(chan struct{}), ended: make(chan struct{}), ready: -1}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	go s.run()
	return s
}

// Tell calls failing with what fails from now on. It must not block.
func (s *Store) Tell(failing func(error)) { s.failing.Store(&failing) }

func (s *Store) fails(doing string, err error) {
	if failing := s.failing.Load(); failing != nil {
		(*failing)(fmt.Errorf("%s: %w", doing, err))
	}
}

// Load decodes the snapshot of a part of a stream into pointers to structs, and reports whether there is one that can be used.
func (s *Store) Load(ctx context.Context, part, stream string, into ...any) bool {
	found, err := s.load(ctx, part, stream, into)
	if err != nil && ctx.Err() == nil {
		s.fails("reading a snapshot", err)
	}
	return found && err == nil
}

func (s *Store) load(ctx context.Context, part, stream string, into []any) (bool, error) {
	db, err := s.opened(false)
	if db == nil || err != nil {
		return false, err
	}
	var box []byte
	err = db.GetContext(ctx, &box, db.Rebind("SELECT box FROM "+s.table()+" WHERE stream = ? AND part = ? AND version = ?"), stream, part, s.version())
	if errors.Is(err, sql.ErrNoRows) || err != nil && s.lacks(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	destroyed, err := s.keys.Destroyed()
	if err != nil {
		return false, err
	}
	key, err := s.keys.Key(personal.Snapshots(destroyed))
	if missing := (*personal.NoKeyError)(nil); errors.As(err, &missing) { // keys were destroyed since
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := personal.Disclose(key, s.binding(part, stream), box, into...); err != nil {
		return false, fmt.Errorf("%s: %w", stream, err)
	}
	return true, nil
}

// binding says what a box holds.
func (s *Store) binding(part, stream string) string {
	return s.version() + " " + part + " " + stream
}

// Save implements eventstore.Snapshots. It stores the snapshot at leisure, in place of the one before.
func (s *Store) Save(destroyed int, part, stream string, values ...any) {
	select {
	case s.saving <- save{destroyed, part, stream, values}:
	default:
	}
}

// run stores snapshots until the store is closed, and then those that wait.
func (s *Store) run() {
	defer close(s.ended)
	for {
		select {
		case c := <-s.saving:
			s.keep(c)
			continue
		default:
		}
		select {
		case c := <-s.saving:
			s.keep(c)
		case <-s.closing:
			return
		}
	}
}

func (s *Store) keep(c save) {
	if err := s.store(context.Background(), c); err != nil {
		s.fails("storing a snapshot", err)
	}
}

func (s *Store) store(ctx context.Context, c save) error {
	key, err := s.key(ctx, c.destroyed)
	if errors.Is(err, personal.ErrForgotten) { // keys were destroyed since, and it may hold what was sealed under them
		return nil
	}
	if err != nil {
		return err
	}
	db, err := s.opened(true)
	if err != nil {
		return err
	}
	if s.ready != c.destroyed { // only this goroutine uses it
		if err := s.create(ctx, db); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, db.Rebind("DELETE FROM "+s.table()+" WHERE destroyed < ? OR version <> ? AND at < ?"), c.destroyed, s.version(), time.Now().Add(-kept).Unix())
		if err != nil {
			return err
		}
		s.ready = c.destroyed
	}
	box, err := personal.Enclose(key, s.binding(c.part, c.stream), c.values...)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, db.Rebind("INSERT INTO "+s.table()+` (stream, part, version, destroyed, at, box) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (stream, part, version) DO UPDATE SET destroyed = excluded.destroyed, at = excluded.at, box = excluded.box`),
		c.stream, c.part, s.version(), c.destroyed, time.Now().Unix(), box)
	return err
}

// key returns the key of snapshots, and makes it for the first one.
func (s *Store) key(ctx context.Context, destroyed int) (cipher.AEAD, error) {
	subject := personal.Snapshots(destroyed)
	key, err := s.keys.Key(subject)
	if missing := (*personal.NoKeyError)(nil); errors.As(err, &missing) {
		if err = s.keys.Make(ctx, subject); err == nil {
			key, err = s.keys.Key(subject)
		}
	}
	return key, err
}

// opened returns the database, or nil if there is none and it is not to be created.
func (s *Store) opened(create bool) (*sqlx.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		return s.db, nil
	}
	db, err := s.open(create)
	if err == nil {
		s.db = db
	}
	return db, err
}

// Clear deletes all snapshots.
func (s *Store) Clear(ctx context.Context) error {
	db, err := s.opened(false)
	if err == nil && db != nil {
		_, err = db.ExecContext(ctx, "DELETE FROM "+s.table())
	}
	if err != nil && !s.lacks(err) {
		return fmt.Errorf("deleting the snapshots: %w", err)
	}
	return nil
}

// Close stores what waits, and closes the store.
func (s *Store) Close() error {
	s.close()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	return db.Close()
}

// A Prover returns what the log gives for a part of a stream, where load decodes the snapshot.
type Prover func(ctx context.Context, stream string, load func(into ...any) error) (want []any, err error)

// Verify calls wrong for each snapshot of this program that is not what the log gives, or cannot be opened, and returns how many
// there are.
func (s *Store) Verify(ctx context.Context, provers map[string]Prover, wrong func(stream, part string)) (n int64, err error) {
	db, err := s.opened(false)
	if db == nil || err != nil {
		return 0, err
	}
	destroyed, err := s.keys.Destroyed()
	if err != nil {
		return 0, err
	}
	var all []struct{ Stream, Part string }
	if err := db.SelectContext(ctx, &all, db.Rebind("SELECT stream, part FROM "+s.table()+" WHERE version = ? AND destroyed = ? ORDER BY stream, part"), s.version(), destroyed); err != nil && !s.lacks(err) {
		return 0, fmt.Errorf("reading the snapshots: %w", err)
	}
	for _, saved := range all {
		var held []any
		var closed error // why it cannot be opened
		load := func(into ...any) error {
			held = into
			found, err := s.load(ctx, saved.Part, saved.Stream, into)
			if err == nil && !found {
				err = errors.New("it is gone")
			}
			closed = err
			return err
		}
		prove, known := provers[saved.Part]
		if !known {
			wrong(saved.Stream, saved.Part)
			continue
		}
		want, err := prove(ctx, saved.Stream, load)
		switch {
		case ctx.Err() != nil:
			return n, ctx.Err()
		case err != nil && closed == nil && !errors.Is(err, eventstore.ErrNotFound):
			return n, err
		case err != nil || !s.same(want, held):
			wrong(saved.Stream, saved.Part)
		}
		n++
	}
	return n, nil
}

// same reports whether values are what was held, once they are encoded as that was.
func (s *Store) same(values, held []any) bool {
	destroyed, err := s.keys.Destroyed()
	if err != nil || len(values) != len(held) {
		return false
	}
	key, err := s.keys.Key(personal.Snapshots(destroyed))
	if err != nil {
		return false
	}
	box, err := personal.Enclose(key, "", values...)
	if err != nil {
		return false
	}
	again := make([]any, len(held))
	for i, h := range held {
		again[i] = reflect.New(reflect.TypeOf(h).Elem()).Interface()
	}
	return personal.Disclose(key, "", box, again...) == nil && reflect.DeepEqual(again, held)
}
