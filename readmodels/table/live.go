package table

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"daybook/eventstore"
)

// Errors of Live.
var (
	ErrNotReady = errors.New("the read models are being built; try again when /readyz reports ready")
	ErrClosed   = errors.New("the read models are closed")
)

// A Live holds the generation that queries read. It can be switched at any time: queries in progress finish on the generation
// that they began with, which is closed after the last of them.
//
// The zero value has no generation yet.
type Live struct {
	current  atomic.Pointer[inUse]
	position atomic.Uint64

	mu     sync.Mutex
	moved  chan struct{} // closed when the position moves; nil while nobody waits
	closed bool
	leave  sync.WaitGroup // generations that are not closed yet
}

// inUse is a generation that is being read. Readers hold the lock for reading; closing it takes the lock.
type inUse struct {
	sync.RWMutex
	db *DB
}

// Read calls f with the live generation, which stays open until f returns. It returns ErrNotReady if there is none yet, and
// ErrClosed after Close.
func (l *Live) Read(f func(*DB) error) error {
	for {
		g := l.current.Load()
		if g == nil {
			return l.none()
		}
		if !g.TryRLock() {
			continue // it was switched meanwhile
		}
		defer g.RUnlock()
		return f(g.db)
	}
}

func (l *Live) none() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return ErrNotReady
}

// Position returns the last position that the live generation includes. Who reads a generation asks that, since another may be live by
// then.
func (l *Live) Position() eventstore.Position { return eventstore.Position(l.position.Load()) }

// Wait returns when the live generation includes a position: when everything up to there can be read.
func (l *Live) Wait(ctx context.Context, position eventstore.Position) error {
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return ErrClosed
		}
		if l.current.Load() != nil && l.Position() >= position {
			l.mu.Unlock()
			return nil
		}
		if l.moved == nil {
			l.moved = make(chan struct{})
		}
		moved := l.moved
		l.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Advance reports a generation's new position. It does nothing if the generation is not the live one.
func (l *Live) Advance(db *DB, position eventstore.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.current.Load(); g != nil && g.db == db {
		db.reached.Store(uint64(position))
		l.move(position)
	}
}

// Switch makes a generation the live one and takes ownership; the previous one is closed after its last reader. If Live is
// closed it returns false and does nothing. The caller must not switch readers to an earlier position without need.
func (l *Live) Switch(db *DB, position eventstore.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.leave.Add(1)
	db.reached.Store(uint64(position))
	l.retire(l.current.Swap(&inUse{db: db}))
	l.move(position)
	return true
}

// move sets the position and wakes those who wait for it. The caller holds the lock.
func (l *Live) move(position eventstore.Position) {
	l.position.Store(uint64(position))
	if l.moved != nil {
		close(l.moved)
		l.moved = nil
	}
}

// retire closes a generation that is no longer live, after its last reader.
func (l *Live) retire(g *inUse) {
	if g == nil {
		return
	}
	go func() {
		defer l.leave.Done()
		g.Lock() // and never unlock: nobody may read it any more
		g.db.Close()
	}()
}

// Close refuses new queries, wakes those who wait, and returns after the last reader.
func (l *Live) Close() {
	l.mu.Lock()
	l.closed = true
	l.retire(l.current.Swap(nil))
	l.move(l.Position())
	l.mu.Unlock()
	l.leave.Wait()
}
