package table

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// A lease is a term that must be renewed, in a row that all processes see. Times are the database's. The holder gives it up by its
// own clock before it can have expired by the database's. The lease only saves two processes from doing the same work: if a
// process is suspended past the end of its lease and then writes, the checkpoints' epoch refuses it. A lease that begins in the future
// is void: the database's clock was set back since, by however much.
type lease struct {
	db      *sqlx.DB
	table   string
	schema  string
	channel string
	holder  string
	length  time.Duration

	ctx     context.Context
	stop    context.CancelCauseFunc
	stopped chan struct{} // closed when renewing has stopped
}

// wait takes the lease as soon as it is free.
func (l *lease) wait(ctx context.Context, watch func() <-chan struct{}) error {
	// It is free if it has expired or is void, or if this holder has it already but did not learn so.
	const take = `INSERT INTO %[1]s AS t (schema, holder, until, since) SELECT $1, $2, now + make_interval(secs => $3), now FROM clock_timestamp() AS now
		ON CONFLICT (schema) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until, since = EXCLUDED.since
		WHERE t.holder = EXCLUDED.holder OR t.until < clock_timestamp() OR t.since > clock_timestamp()`
	again := time.NewTicker(l.length / 3)
	defer again.Stop()
	for changes := (<-chan struct{})(nil); ; {
		asked := time.Now()
		taken, err := l.put(ctx, take)
		if err != nil {
			return err
		}
		if taken {
			l.ctx, l.stop = context.WithCancelCause(context.Background())
			go l.renew(asked)
			return nil
		}
		if changes == nil {
			changes = watch()
		}
		select {
		case <-changes:
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// put writes the lease with a statement, and reports whether that changed a row.
func (l *lease) put(ctx context.Context, statement string) (bool, error) {
	result, err := l.db.ExecContext(ctx, fmt.Sprintf(statement, l.table), l.schema, l.holder, l.length.Seconds())
	if err != nil {
		return false, fmt.Errorf("taking the lease on the read models: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// renew renews the lease until the term ends, and ends the term when renewing has failed for the length of the lease, however
// long the database takes to answer.
func (l *lease) renew(asked time.Time) {
	const renew = `UPDATE %s SET until = clock_timestamp() + make_interval(secs => $3), since = clock_timestamp() WHERE schema = $1 AND holder = $2 AND until > clock_timestamp()`
	defer close(l.stopped)
	over := time.AfterFunc(time.Until(asked.Add(l.length)), func() { l.stop(ErrTermOver) })
	defer over.Stop()
	pause := time.NewTicker(l.length / 3)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-l.ctx.Done():
			return
		}
		asking := time.Now()
		held, err := l.put(l.ctx, renew)
		switch {
		case err == nil && held:
			over.Reset(time.Until(asking.Add(l.length)))
		case err == nil:
			l.stop(ErrTermOver)
		}
	}
}

// Context implements Term.
func (l *lease) Context() context.Context { return l.ctx }

// Prove implements Term.
func (l *lease) Prove(tx Tx) error {
	n, err := tx.Exec("UPDATE "+l.table+" SET holder = holder WHERE schema = ? AND holder = ?", l.schema, l.holder)
	if err == nil && n == 0 {
		err = ErrTermOver
	}
	return err
}

// End implements Term. It deletes the lease, so that the next process need not wait until it expires.
func (l *lease) End(ctx context.Context) error {
	l.stop(context.Canceled)
	select {
	case <-l.stopped:
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := l.db.ExecContext(ctx, "DELETE FROM "+l.table+" WHERE schema = $1 AND holder = $2", l.schema, l.holder)
	if err == nil {
		_, err = l.db.ExecContext(ctx, "NOTIFY "+pq.QuoteIdentifier(l.channel))
	}
	return err
}
