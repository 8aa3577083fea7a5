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
	ErrNotReady = errors.New("the read models are being built; try again when /readyz says so")
	ErrClosed   = errors.New("the read models are closed")
)

// A Live is the generation that questions are put to. Another one can take its place at any moment: questions that are
// under way end on the one they began with, which is closed when the last of them is done.
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

// inUse is a generation that is read. Its readers hold the lock for reading; closing it takes the lock.
type inUse struct {
	sync.RWMutex
	db *DB
}

// Read calls f with the live generation, which stays open until f returns. Before the first one it returns ErrNotReady.
func (l *Live) Read(f func(*DB) error) error {
	for {
		g := l.current.Load()
		if g == nil {
			return l.none()
		}
		if !g.TryRLock() {
			continue // it was replaced since we looked
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

// Position is how far the live generation has come.
func (l *Live) Position() eventstore.Position { return eventstore.Position(l.position.Load()) }

// Wait returns when the live generation has come to a position: when everything up to there can be read.
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

// Advance says that a generation has come to a position. If it is not the live one, nothing happens.
func (l *Live) Advance(db *DB, position eventstore.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.current.Load(); g != nil && g.db == db {
		l.move(position)
	}
}

// Switch makes a generation the live one and takes it over; the one before is closed when its readers are done. If Live is
// closed it returns false, and nothing happens. Whoever switches sees to it that readers are not taken back to an earlier
// position without need.
func (l *Live) Switch(db *DB, position eventstore.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.leave.Add(1)
	l.retire(l.current.Swap(&inUse{db: db}))
	l.move(position)
	return true
}

// move needs the lock.
func (l *Live) move(position eventstore.Position) {
	l.position.Store(uint64(position))
	if l.moved != nil {
		close(l.moved)
		l.moved = nil
	}
}

// retire closes a generation that is no longer the current one, when its readers are done.
func (l *Live) retire(g *inUse) {
	if g == nil {
		return
	}
	go func() {
		defer l.leave.Done()
		g.Lock() // for good: nobody may read it any more
		g.db.Close()
	}()
}

// Close refuses new questions, wakes who waits, and returns when the last reader is done.
func (l *Live) Close() {
	l.mu.Lock()
	l.closed = true
	l.retire(l.current.Swap(nil))
	l.move(l.Position())
	l.mu.Unlock()
	l.leave.Wait()
}
