package postgres

import (
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Where several processes write, each waits for its turn before it closes a batch, so that all who come meanwhile are in it: otherwise
// there are twice as many batches. The turns are an advisory lock, which the server gives in the order in which it was asked for, and
// which is passed on by the call that writes. The log does not rely on it: who waits too long, since a process sleeps in its turn,
// writes without.
const (
	takeTurn = "SELECT pg_advisory_lock(hashtextextended(current_schema(), 0)) FROM set_config('lock_timeout', '200ms', true)"
	// passTurn also hands the lock to the transaction, which ends when it is durable.
	passTurn = `SELECT ended, moved, actual FROM (
		SELECT *, pg_advisory_xact_lock(hashtextextended(current_schema(), 0)), pg_advisory_unlock(hashtextextended(current_schema(), 0))
		FROM append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)) AS done`

	tooLong   = "55P03"     // the error code of a turn that was waited for too long
	afterLong = time.Minute // before turns are waited for again then
)

// turns are a writer's place among all who write to the log.
type turns struct {
	conn       *sqlx.Conn // whose session has the lock in the writer's turn
	since      time.Time
	take, pass *sqlx.Stmt

	taken bool      // it is the writer's turn
	not   time.Time // before which it does not wait for its turn
}

// await waits for the writer's turn. If it cannot be had, the writer goes on without.
func (w *writer) await() {
	t := &w.turns
	if time.Now().Before(t.not) {
		return
	}
	if t.conn != nil && time.Since(t.since) > lifetime {
		t.leave()
	}
	if t.conn == nil && w.enter() != nil {
		t.leave()
		return
	}
	_, err := t.take.ExecContext(w.closing)
	if t.taken = err == nil; t.taken {
		return
	}
	t.leave()
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == tooLong {
		t.not = time.Now().Add(afterLong)
	}
}

func (w *writer) enter() (err error) {
	t := &w.turns
	t.since = time.Now()
	if t.conn, err = w.db.Connx(w.closing); err != nil {
		return err
	}
	if t.take, err = t.conn.PreparexContext(w.closing, takeTurn); err != nil { //nolint:sqlclosecheck // closed with the connection
		return err
	}
	t.pass, err = t.conn.PreparexContext(w.closing, passTurn) //nolint:sqlclosecheck // closed with the connection
	return err
}

// leave closes the connection, whatever its session has.
func (t *turns) leave() {
	if t.conn != nil {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = t.conn.Close()
	}
	t.conn, t.taken = nil, false
}
