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
	"github.com/lib/pq"

	"daybook/eventstore"
	"daybook/eventstore/commit"
	"daybook/internal/recent"
)

const (
	// knownStreams is of how many streams, at least, it is remembered where they stand.
	knownStreams = 1 << 16
	// leaseAge is how old a lease is before another process may take it: long enough for many commits, and short enough for
	// callers to wait.
	leaseAge = 20 * time.Millisecond
)

// prove finds the lease, if it is still the writer's and the log still reaches to where the writer believes: a server that
// took over from another may lack the last commits. Whoever takes the lease over waits until this is committed.
const prove = "SELECT FROM lease WHERE epoch = $1 AND ($2::bigint = 0 OR EXISTS (SELECT FROM events WHERE position = $2)) FOR UPDATE"

// commitBatch writes a batch, if that is proven. What the events carry comes in one piece, for an array of bytes is dear to read: data
// begins at a place and meta follows. The time is the server's, for processes may differ about it.
const commitBatch = `
	WITH mine AS MATERIALIZED (` + prove + `)
	INSERT INTO events (position, stream, revision, id, type, data, meta, recorded_at)
	SELECT $2 + e.n, e.stream, e.revision, e.id, e.type, substring($7::bytea, e.place, e.data), substring($7, e.place + e.data, e.meta), statement_timestamp()
	FROM mine, unnest($3::text[], $4::bigint[], $5::uuid[], $6::text[], $8::int[], $9::int[], $10::int[])
		WITH ORDINALITY AS e (stream, revision, id, type, place, data, meta, n)`

// takeOver makes an epoch by the clock as well, so that one that was lost with the end of the log does not come again.
const takeOver = `
	UPDATE lease SET epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint), since = clock_timestamp()
	WHERE since <= clock_timestamp() - $1 * interval '1 microsecond' OR since > clock_timestamp()
	RETURNING epoch`

const findStreams = `
	SELECT s.stream, coalesce((SELECT revision FROM events WHERE stream = s.stream ORDER BY revision DESC LIMIT 1), -1)
	FROM unnest($1::text[]) AS s (stream)`

// errLost says that another process has taken the lease, or that the log has lost its end.
var errLost = errors.New("another process writes to the log")

// readOnly is what a standby says to who wants to write, or a primary that is no more. It says so on a connection that works.
const readOnly = "25006"

// A writer is what the writing goroutine alone knows.
type writer struct {
	*Store
	epoch int64               // of its lease; 0 if it has none, or cannot know what was written last
	head  eventstore.Position // of the log, if it has
	known *recent.Map[string, eventstore.Revision]

	renewing bool // no connection is kept

	failure error // of the last try, if there may be a better one
	failed  time.Time

	// Of the batch at hand:
	places  map[string]eventstore.Revision // of the streams that it touches, as its transaction sees them
	written []eventstore.Recorded
	answers []commit.Answer
}

// write is the writing goroutine. It ends when the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	w := &writer{Store: s, places: map[string]eventstore.Revision{}}
	s.queue.Batches(w.carryOut)
}

// carryOut writes a batch in one transaction and answers the callers. What a failure leaves open, the next try finds out:
// the requests that were written are then repetitions.
func (w *writer) carryOut(batch []*commit.Request) {
	pauses := backoff.ExponentialBackOff{InitialInterval: 5 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: time.Second}
	for pause := time.Duration(0); ; pause = pauses.NextBackOff() {
		if batch = w.dismiss(batch, w.patience); len(batch) == 0 {
			return
		}
		if pause > 0 {
			<-time.After(pause)
		}
		w.failure, w.failed = w.transact(batch), time.Now()
		w.keepConnections(!isReadOnly(w.failure))
		if w.failure == nil {
			break
		}
		w.epoch = 0
		if !isPassing(w.failure) {
			w.dismiss(batch, 0)
			w.failure = nil // the next may do better
			return
		}
	}
	for i, r := range batch {
		r.Answer(w.answers[i])
	}
	if len(w.written) > 0 {
		w.news.tell()
	}
}

// dismiss answers those of a batch who had waited for so long when the last try failed, if it did, and returns the others.
// Thus who waited behind others in an outage has no patience of his own after theirs.
func (w *writer) dismiss(batch []*commit.Request, after time.Duration) []*commit.Request {
	if w.failure == nil {
		return batch
	}
	return slices.DeleteFunc(batch, func(r *commit.Request) bool {
		late := w.failed.Sub(r.Asked) >= after
		if late {
			r.Answer(commit.Answer{Err: fmt.Errorf("append to the event log: %w", w.failure)})
		}
		return late
	})
}

// keepConnections has connections kept for the next question, or not: as long as a server refuses to write, every question
// looks anew for the one that does.
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

// isPassing says whether an error may go away: the server, the connection to it or the lease was lost, the server has no
// connection left or is not the one that writes, or somebody who had no lease any more wrote the same places first.
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

// transact judges the requests in order, each seeing what those before it write, and writes what was accepted. What it
// knew of the log is proven by the end.
func (w *writer) transact(batch []*commit.Request) error {
	clear(w.places)
	clear(w.written)
	w.written, w.answers = w.written[:0], w.answers[:0]
	if w.epoch == 0 {
		if err := w.takeOver(); err != nil {
			return err
		}
	}
	if err := w.find(batch); err != nil {
		return err
	}
	for _, r := range batch {
		a, err := w.judge(r)
		if err != nil {
			return err
		}
		w.answers = append(w.answers, a)
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

// takeOver takes the lease, as soon as it is old enough, and then learns what the log is.
func (w *writer) takeOver() error {
	var epoch int64
	err := w.db.GetContext(w.closing, &epoch, takeOver, leaseAge.Microseconds())
	if errors.Is(err, sql.ErrNoRows) {
		return errLost
	}
	if err != nil {
		return err
	}
	var head int64
	if err := w.db.GetContext(w.closing, &head, askHead); err != nil {
		return err
	}
	w.epoch, w.head = epoch, eventstore.Position(head)
	w.known = recent.New[string, eventstore.Revision](knownStreams)
	return nil
}

// find learns where the streams of a batch stand, in one question for those that are not known.
func (w *writer) find(batch []*commit.Request) error {
	var unknown []string
	for _, r := range batch {
		if _, ok := w.places[r.Stream]; ok {
			continue
		}
		revision, ok := w.known.Get(r.Stream)
		if !ok {
			unknown = append(unknown, r.Stream)
		}
		w.places[r.Stream] = revision
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := w.db.QueryContext(w.closing, findStreams, pq.Array(unknown))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream string
		var revision eventstore.Revision
		if err := rows.Scan(&stream, &revision); err != nil {
			return err
		}
		w.places[stream] = revision
	}
	return rows.Err()
}

// judge adds a request's events to what the batch writes, or refuses them. An error is the batch's; the request's own is
// in the answer.
func (w *writer) judge(r *commit.Request) (commit.Answer, error) {
	revision := w.places[r.Stream]
	if revision != r.Expected {
		return w.repeated(r, revision)
	}
	position := w.head + eventstore.Position(len(w.written))
	for _, e := range r.Events {
		revision++
		position++
		w.written = append(w.written, eventstore.Recorded{
			ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta, Stream: r.Stream, Revision: revision, Position: position,
		})
	}
	w.places[r.Stream] = revision
	return commit.Answer{Appended: eventstore.Appended{Revision: revision, Position: position, New: true}}, nil
}

// repeated tells the retry of an append that succeeded from a conflict, by the ids of what follows the expected revision.
func (w *writer) repeated(r *commit.Request, actual eventstore.Revision) (commit.Answer, error) {
	conflict := commit.Answer{Err: &eventstore.ConflictError{Stream: r.Stream, Expected: r.Expected, Actual: actual}}
	n := eventstore.Revision(len(r.Events))
	if r.Expected < eventstore.NoStream || r.Expected > actual-n {
		return conflict, nil
	}
	var found []struct {
		ID       uuid.UUID
		Position eventstore.Position
	}
	err := w.db.SelectContext(w.closing, &found,
		"SELECT id, position FROM events WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3", r.Stream, r.Expected, n)
	if err != nil {
		return commit.Answer{}, err
	}
	for _, e := range w.written {
		if e.Stream == r.Stream && e.Revision > r.Expected {
			found = append(found, struct {
				ID       uuid.UUID
				Position eventstore.Position
			}{e.ID, e.Position})
		}
	}
	if len(found) < len(r.Events) {
		return commit.Answer{}, errLost
	}
	for i, e := range r.Events {
		if found[i].ID != e.ID {
			return conflict, nil
		}
	}
	return commit.Answer{Appended: eventstore.Appended{Revision: r.Expected + n, Position: found[n-1].Position}}, nil
}

// commit writes the batch's events.
func (w *writer) commit() error {
	n := len(w.written)
	streams, revisions, ids, types := make([]string, n), make([]int64, n), make([]string, n), make([]string, n)
	places, data, meta := make([]int64, n), make([]int64, n), make([]int64, n)
	carried := []byte{} // nil would be NULL
	for i, e := range w.written {
		streams[i], revisions[i], ids[i], types[i] = e.Stream, int64(e.Revision), e.ID.String(), e.Type
		places[i], data[i], meta[i] = int64(len(carried)+1), int64(len(e.Data)), int64(len(e.Meta))
		carried = append(append(carried, e.Data...), e.Meta...)
	}
	return proven(w.commits.ExecContext(w.closing, w.epoch, int64(w.head),
		pq.Array(streams), pq.Array(revisions), pq.Array(ids), pq.Array(types), carried, pq.Array(places), pq.Array(data), pq.Array(meta)))
}

// prove does for a batch that writes nothing what commit does for others. A server that may only be read refuses it, too.
func (w *writer) prove() error {
	return proven(w.db.ExecContext(w.closing, prove, w.epoch, int64(w.head)))
}

// proven says whether the lease was found.
func proven(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return errors.Join(err, errLost)
	}
	return nil
}
