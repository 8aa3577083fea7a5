package table

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// A wal keeps a write-ahead log of SQLite short, on a connection of its own. On the writer's, each of its checkpoints would hold
// up a batch, for about 50 ms.
type wal struct {
	db      *DB // whose log it is
	written chan struct{}
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// Pages of 4 KiB.
const (
	copiedAtOnce = 4000  // so many are copied into the database at once, beside the writer
	longestWAL   = 16000 // so many make the writer wait for the copying of the few that are left, and begin the log anew
)

// restBetween is the time between two looks at the log.
const restBetween = 100 * time.Millisecond

func keepShort(db *DB, file *sql.DB) *wal {
	ctx, stop := context.WithCancel(context.Background())
	w := &wal{db: db, written: make(chan struct{}, 1), stop: stop}
	w.stopped.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.written:
			}
			_ = w.look(ctx, file) // if it fails, the next commit tries again; what ails the disk, the writer meets too
			select {
			case <-ctx.Done():
				return
			case <-time.After(restBetween):
			}
		}
	})
	return w
}

// grew is called after each commit.
func (w *wal) grew() {
	select {
	case w.written <- struct{}{}:
	default:
	}
}

func (w *wal) close() {
	w.stop()
	w.stopped.Wait()
}

// look copies what the log holds into the database if it is much.
func (w *wal) look(ctx context.Context, file *sql.DB) error {
	held, copied, err := checkpoint(ctx, file, "NOOP")
	if err != nil || held-copied < copiedAtOnce && held < longestWAL {
		return err
	}
	if held, _, err = checkpoint(ctx, file, "PASSIVE"); err != nil || held < longestWAL {
		return err
	}
	conn, err := w.db.take(ctx) // so that nothing is added meanwhile: only a log that has been copied as a whole begins anew
	if err != nil {
		return err
	}
	defer func() { w.db.conn <- conn }()
	_, _, err = checkpoint(ctx, file, "PASSIVE")
	return err
}

// checkpoint returns how many pages the log holds, and how many of these are in the database too.
func checkpoint(ctx context.Context, file *sql.DB, how string) (held, copied int, err error) {
	var busy int
	err = file.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+how+")").Scan(&busy, &held, &copied)
	return held, copied, err
}
