package readmodels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// A lease is a term that must be renewed, in a row that everybody sees. Times are the database's; whoever holds it gives it up
// by his own clock before it can have run out by the other. It spares two processes the same work, and no more: what somebody
// writes who slept through the end of his term is refused by the checkpoints' epoch.
type lease struct {
	db      *sqlx.DB
	table   string
	schema  string
	channel string
	holder  string
	length  time.Duration

	ctx     context.Context
	stop    context.CancelCauseFunc
	stopped chan struct{} // closed when it is not renewed any more
}

// Hold implements Home.
func (s Schemas) Hold(ctx context.Context, schema string, waiting func()) (Term, error) {
	db, err := s.control(ctx)
	if err != nil {
		return nil, err
	}
	l := &lease{
		db: db, table: s.name() + ".terms", channel: s.Name, schema: schema, holder: uuid.NewString(),
		length: cmp.Or(s.Lease, 10*time.Second), stopped: make(chan struct{}),
	}
	changes, stop := context.WithCancel(ctx)
	defer stop()
	if err := l.wait(ctx, s.Changes(changes), waiting); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// wait takes the lease as soon as it can be had.
func (l *lease) wait(ctx context.Context, changes <-chan struct{}, waiting func()) error {
	again := time.NewTicker(l.length / 3)
	defer again.Stop()
	for first := true; ; first = false {
		asked := time.Now()
		taken, err := l.take(ctx)
		if err != nil {
			return err
		}
		if taken {
			l.ctx, l.stop = context.WithCancelCause(context.Background())
			go l.renew(asked)
			return nil
		}
		if first {
			waiting()
		}
		select {
		case <-changes:
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes the lease or renews it. It returns false if somebody else has it.
func (l *lease) take(ctx context.Context) (bool, error) {
	const take = `INSERT INTO %[1]s AS t VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
		ON CONFLICT (schema) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until WHERE t.holder = EXCLUDED.holder OR t.until < clock_timestamp()`
	result, err := l.db.ExecContext(ctx, fmt.Sprintf(take, l.table), l.schema, l.holder, l.length.Seconds())
	if err != nil {
		return false, fmt.Errorf("taking the right to post: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// renew renews the lease again and again, and ends the term when that was not possible for its length.
func (l *lease) renew(asked time.Time) {
	defer close(l.stopped)
	pause := time.NewTicker(l.length / 3)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-l.ctx.Done():
			return
		}
		asking := time.Now()
		ctx, cancel := context.WithDeadline(l.ctx, asked.Add(l.length))
		held, err := l.take(ctx)
		cancel()
		switch {
		case err == nil && held:
			asked = asking
		case err == nil || time.Since(asked) >= l.length:
			l.stop(errors.Join(ErrTermOver, err))
			return
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

// End implements Term, so that the next need not wait for the lease to run out.
func (l *lease) End(ctx context.Context) error {
	l.stop(context.Canceled)
	<-l.stopped
	_, err := l.db.ExecContext(ctx, "DELETE FROM "+l.table+" WHERE schema = $1 AND holder = $2", l.schema, l.holder)
	if err == nil {
		_, err = l.db.ExecContext(ctx, "NOTIFY "+pq.QuoteIdentifier(l.channel))
	}
	return errors.Join(err, l.db.Close())
}

// Changes implements Home.
func (s Schemas) Changes(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	listener := pq.NewListener(s.URL, 100*time.Millisecond, 5*time.Second, nil)
	go func() { _ = listener.Listen(s.Name) }() // waits for the connection, or the end
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for range listener.Notify { // nil, too, when the connection is back
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}()
	return changes
}
