package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"daybook/eventstore"
	"daybook/eventstore/commit"
	"daybook/internal/recent"
)

// knownStreams is how many streams' revisions are remembered, at least.
const knownStreams = 1 << 16

// prove finds the lease if the writer still holds it and the log still reaches to where the writer believes: a server after a
// failover may lack the last commits. A process that takes the lease over waits until this is committed.
const prove = "SELECT settled FROM lease WHERE epoch = $1 AND ($2::bigint = 0 OR EXISTS (SELECT FROM events WHERE position = $2)) FOR UPDATE"

// commitBatch writes a batch if that is proven. The events' data and metadata come as one value, because an array of bytes is slow to
// read; each is found by its offset. The time at which the events are recorded is read from the clock when the lease is locked, so that
// whoever locks it later knows of every event with an earlier one. It never goes back.
const commitBatch = `
	WITH mine AS MATERIALIZED (` + prove + `),
	now AS MATERIALIZED (
		SELECT greatest(coalesce($11, clock_timestamp()), settled, (SELECT recorded_at FROM events WHERE position = $2)) AS recorded_at FROM mine
	)
	INSERT INTO events (position, stream, revision, id, type, data, meta, recorded_at, checksum)
	SELECT $2 + e.n, e.stream, e.revision, e.id, e.type, substring($7::bytea, e.place, e.data), substring($7, e.place + e.data, e.meta), now.recorded_at,
		e.checksum # (extract(epoch FROM now.recorded_at) * 1000000)::bigint
	FROM now, unnest($3::text[], $4::bigint[], $5::uuid[], $6::text[], $8::int[], $9::int[], $10::int[], $12::bigint[])
		WITH ORDINALITY AS e (stream, revision, id, type, place, data, meta, checksum, n)`

// takeOver takes the lease, as soon as those have committed who asked for it before. It takes the epoch from the clock too, so that one
// that was lost with the end of the log does not come again. A server or role that is set to read only is obeyed, although the driver
// begins transactions that may write.
const takeOver = `
	WITH had AS MATERIALIZED (SELECT epoch FROM lease WHERE NOT current_setting('default_transaction_read_only')::boolean FOR UPDATE)
	UPDATE lease SET epoch = greatest(had.epoch + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint) FROM had
	RETURNING lease.epoch, had.epoch AS before`

const findStreams = `
	SELECT s.stream, coalesce((SELECT revision FROM events WHERE stream = s.stream ORDER BY revision DESC LIMIT 1), -1),
		(SELECT coalesce(max(position), 0) FROM events)
	FROM unnest($1::text[]) AS s (stream)`

// wrote finds the ids of the events of a stream after a revision.
const wrote = "SELECT id, position FROM events WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3"

// errLost means that another process has taken the lease, or that the log has lost its end.
var errLost = errors.New("another process writes to the log")

// readOnly is the error code of a write on a standby, or on a former primary, over a connection that works.
const readOnly = "25006"

// A writer is the state of the goroutine that writes.
type writer struct {
	*Store
	epoch int64               // of its lease; 0 if it has none, or cannot know what was written last
	last  int64               // the epoch of the lease that it took last
	head  eventstore.Position // of the log, if it holds the lease
	tx    *sqlx.Tx            // in which it takes the lease over; nil: none
	known *recent.Map[string, eventstore.Revision]

	renewing bool // idle connections are not kept

	failure error // of the last attempt, if it is to be repeated
	failed  time.Time

	// Of the current batch:
	places  map[string]eventstore.Revision // of its streams, as its transaction sees them
	written []eventstore.Recorded
	refused []error // of each request
}

// write runs the writer. It ends when the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	w := &writer{Store: s, places: map[string]eventstore.Revision{}}
	s.queue.Batches(w.carryOut)
}

// carryOut writes a batch in one transaction and answers the callers. After a failure with unknown outcome it tries again: requests
// that were written are then repetitions.
func (w *writer) carryOut(batch []*commit.Request) {
	pauses := backoff.ExponentialBackOff{InitialInterval: 5 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: time.Second}
	for pause := time.Duration(0); ; pause = pauses.NextBackOff() {
		if batch = w.dismiss(batch, w.patience); len(batch) == 0 {
			return
		}
		if pause > 0 {
			<-time.After(pause)
		}
		if w.failure = w.transact(&batch); errors.Is(w.failure, errLost) {
			w.epoch = 0
			w.failure = w.transact(&batch)
		}
		w.failed = time.Now()
		w.keepConnections(!isReadOnly(w.failure))
		if w.failure == nil {
			break
		}
		w.epoch = 0
		if !isPassing(w.failure) {
			w.dismiss(batch, 0)
			w.failure = nil // the next attempt may succeed
			return
		}
	}
	for i, r := range batch {
		r.Answer(w.refused[i])
	}
	if len(w.written) > 0 {
		w.news.tell()
	}
}

// dismiss answers those of a batch whose patience had ended when the last attempt failed, if it did, and returns the others. So a
// request that waited behind others in an outage does not get a patience of its own after theirs.
func (w *writer) dismiss(batch []*commit.Request, after time.Duration) []*commit.Request {
	if w.failure == nil {
		return batch
	}
	return slices.DeleteFunc(batch, func(r *commit.Request) bool {
		late := w.failed.Sub(r.Asked) >= after
		if late {
			r.Answer(fmt.Errorf("appending to the event log: %w", w.failure))
		}
		return late
	})
}

// keepConnections sets whether idle connections are kept. While a server refuses to write they are not, so that every query looks
// again for the one that accepts writes.
func (w *writer) keepConnections(keep bool) {
	if keep == w.renewing {
		w.renewing = !keep
		n := 0
		if keep {
			n = connections
		}
		w.db.SetMaxIdleConns(n)
	}
}

func isReadOnly(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == readOnly
}

// isPassing reports whether an error may pass: the server, the connection or the lease was lost, the server has no connection left or
// is read-only, or a process without a lease wrote the same positions first.
func isPassing(err error) bool {
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.Canceled) {
		return false
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch e.Code.Class() {
		case "08", "23", "40", "57":
			return true
		}
		return e.Code == readOnly || e.Code == "53300"
	}
	return true
}

// transact carries out a batch under the lease, which it takes over if it has none. Then it adds to the batch what has come while it
// waited for its turn.
func (w *writer) transact(batch *[]*commit.Request) error {
	if w.epoch != 0 {
		return w.attempt(*batch)
	}
	tx, err := w.db.BeginTxx(w.closing, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w.tx = tx
	defer func() { w.tx = nil }()
	mine, err := w.takeOver()
	if err == nil {
		*batch = w.queue.Drain(*batch)
		err = w.attempt(*batch)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err == nil && !mine { // others write too, so it would be in vain to believe that it still has the lease next time
		w.epoch = 0
	}
	return err
}

// takeOver takes the lease in a transaction, and reports whether this writer had the lease before.
func (w *writer) takeOver() (mine bool, err error) {
	var lease struct{ Epoch, Before int64 }
	err = w.stmt(w.takes).GetContext(w.closing, &lease) //nolint:sqlclosecheck // closed with the transaction
	if errors.Is(err, sql.ErrNoRows) {
		err = &pq.Error{Severity: "ERROR", Code: readOnly, Message: "default_transaction_read_only is on"}
	}
	if err != nil {
		return false, err
	}
	mine = lease.Before == w.last
	w.epoch, w.last = lease.Epoch, lease.Epoch
	w.known = recent.New[string, eventstore.Revision](knownStreams)
	return mine, nil
}

// stmt returns a prepared statement for the transaction, if there is one.
func (w *writer) stmt(s *sqlx.Stmt) *sqlx.Stmt {
	if w.tx == nil {
		return s
	}
	return w.tx.StmtxContext(w.closing, s)
}

// attempt checks the requests in order, each seeing what those before it write, and writes what was accepted. Its end proves that
// what it assumed about the log was true.
func (w *writer) attempt(batch []*commit.Request) error {
	clear(w.places)
	clear(w.written)
	w.written, w.refused = w.written[:0], w.refused[:0]
	if err := w.find(batch); err != nil {
		return err
	}
	for _, r := range batch {
		refused, err := r.Judge(w)
		if err != nil {
			return err
		}
		w.refused = append(w.refused, refused)
	}
	if len(w.written) == 0 {
		return w.prove()
	}
	if err := w.commit(); err != nil {
		return err
	}
	w.head += eventstore.Position(len(w.written))
	for stream, revision := range w.places {
		w.known.Put(stream, revision)
	}
	return nil
}

// find reads the revisions of a batch's streams, in one query for those that are not known. When the lease was taken over, none are, and
// it reads where the log ends, too.
func (w *writer) find(batch []*commit.Request) error {
	var unknown []string
	for _, r := range batch {
		for _, a := range r.Appends {
			if _, ok := w.places[a.Stream]; ok {
				continue
			}
			revision, ok := w.known.Get(a.Stream)
			if !ok {
				unknown = append(unknown, a.Stream)
			}
			w.places[a.Stream] = revision
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := w.stmt(w.finds).QueryContext(w.closing, pq.Array(unknown)) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream string
		var revision eventstore.Revision
		var head eventstore.Position
		if err := rows.Scan(&stream, &revision, &head); err != nil {
			return err
		}
		if w.tx != nil {
			w.head = head
		}
		w.places[stream] = revision
	}
	return rows.Err()
}

// Before tells what became of an append before: nothing, if the stream is at the expected revision.
func (w *writer) Before(a eventstore.Append) (eventstore.Appended, error) {
	if revision := w.places[a.Stream]; revision != a.Expected {
		return w.repeated(a, revision)
	}
	return eventstore.Appended{}, nil
}

// Add adds an append to the batch.
func (w *writer) Add(a eventstore.Append) eventstore.Appended {
	revision, position := w.places[a.Stream], w.head+eventstore.Position(len(w.written))
	for _, e := range a.Events {
		revision++
		position++
		w.written = append(w.written, eventstore.Recorded{
			ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta, Stream: a.Stream, Revision: revision, Position: position,
		})
	}
	w.places[a.Stream] = revision
	return eventstore.Appended{Revision: revision, Position: position, New: true}
}

// repeated tells the retry of an append that succeeded from a conflict, by the ids of the events after the expected revision.
func (w *writer) repeated(a eventstore.Append, actual eventstore.Revision) (eventstore.Appended, error) {
	conflict := &eventstore.ConflictError{Stream: a.Stream, Expected: a.Expected, Actual: actual}
	n := eventstore.Revision(len(a.Events))
	if a.Expected < eventstore.NoStream || a.Expected > actual-n {
		return eventstore.Appended{}, conflict
	}
	var found []struct {
		ID       uuid.UUID
		Position eventstore.Position
	}
	err := w.stmt(w.wrote).SelectContext(w.closing, &found, a.Stream, a.Expected, n) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return eventstore.Appended{}, err
	}
	for _, e := range w.written {
		if e.Stream == a.Stream && e.Revision > a.Expected {
			found = append(found, struct {
				ID       uuid.UUID
				Position eventstore.Position
			}{e.ID, e.Position})
		}
	}
	if len(found) < len(a.Events) {
		return eventstore.Appended{}, errLost
	}
	for i, e := range a.Events {
		if found[i].ID != e.ID {
			return eventstore.Appended{}, conflict
		}
	}
	return eventstore.Appended{Revision: a.Expected + n, Position: found[n-1].Position}, nil
}

// commit writes the batch's events.
func (w *writer) commit() error {
	n := len(w.written)
	streams, revisions, ids, types := make([]string, n), make([]int64, n), make([]string, n), make([]string, n)
	places, data, meta, checksums := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	carried := []byte{} // nil would be NULL
	for i, e := range w.written {
		streams[i], revisions[i], ids[i], types[i] = e.Stream, int64(e.Revision), e.ID.String(), e.Type
		places[i], data[i], meta[i] = int64(len(carried)+1), int64(len(e.Data)), int64(len(e.Meta))
		carried = append(append(carried, e.Data...), e.Meta...)
		checksums[i] = w.checksum(e)
	}
	return proven(w.stmt(w.commits).ExecContext(w.closing, w.epoch, int64(w.head),
		pq.Array(streams), pq.Array(revisions), pq.Array(ids), pq.Array(types), carried, pq.Array(places), pq.Array(data), pq.Array(meta), w.now(), pq.Array(checksums)))
}

// prove proves for a batch that writes nothing what commit proves for others. A read-only server refuses it, too.
func (w *writer) prove() error {
	return proven(w.stmt(w.proofs).ExecContext(w.closing, w.epoch, int64(w.head)))
}

// proven returns errLost if the lease was not found.
func proven(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return errors.Join(err, errLost)
	}
	return nil
}
