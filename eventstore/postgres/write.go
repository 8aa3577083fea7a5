package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
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

// knownStreams is how many streams' revisions are remembered, at least.
const knownStreams = 1 << 16

// commitBatch calls the function of schema.sql.
const commitBatch = "SELECT ended, moved, actual FROM append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"

// wrote finds the ids of the events of a stream after a revision.
const wrote = "SELECT id, position FROM events WHERE stream = $1 AND revision > $2 ORDER BY revision LIMIT $3"

// errOld means that what the writer believed of a stream is no longer so, and that it knows better now.
var errOld = errors.New("others write to the log")

// readOnly is the error code of a write on a standby, or on a former primary, over a connection that works.
const readOnly = "25006"

// A writer is the state of the goroutine that writes. What it knows of the log was so when it wrote last, and is proved by each commit.
type writer struct {
	*Store
	head  eventstore.Position // where the log ended
	last  uuid.UUID           // the event there
	known *recent.Map[string, eventstore.Revision]

	turns   turns
	crowded bool // others have written since it wrote last

	renewing bool // idle connections are not kept

	failure error // of the last attempt, if it is to be repeated
	failed  time.Time

	// Of the current batch:
	asked   []string                       // its streams; those that are not known come first
	unsure  int                            // how many are not known
	places  map[string]eventstore.Revision // of its streams, with what it writes
	written []eventstore.Recorded
	refused []error // of each request
}

// write runs the writer. It ends when the queue is closed and empty.
func (s *Store) write() {
	defer close(s.written)
	w := &writer{Store: s, known: recent.New[string, eventstore.Revision](knownStreams), places: map[string]eventstore.Revision{}}
	s.queue.Batches(w.carryOut)
	w.turns.leave()
}

// carryOut writes a batch and answers the callers. After a failure with unknown outcome it tries again: requests that were written
// are then repetitions. It tries again at once if others wrote to the batch's streams.
func (w *writer) carryOut(batch []*commit.Request) {
	pauses := backoff.ExponentialBackOff{InitialInterval: 5 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: time.Second}
	for pause := time.Duration(0); ; pause = pauses.NextBackOff() {
		if batch = w.dismiss(batch, w.patience); len(batch) == 0 {
			return
		}
		if pause > 0 {
			<-time.After(pause)
		}
		if w.crowded {
			w.await()
			batch = w.queue.More(batch)
		}
		for w.failure = w.attempt(batch, true); errors.Is(w.failure, errOld); {
			w.failure = w.attempt(batch, false)
		}
		if w.failure != nil {
			w.turns.leave()
		}
		w.failed = time.Now()
		w.keepConnections(!isReadOnly(w.failure))
		if w.failure == nil {
			break
		}
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
		select {
		case w.untold <- struct{}{}:
		default: // the next notification is of this, too
		}
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

// isPassing reports whether an error may pass: the server or the connection was lost, the server has no connection left or is
// read-only, or somebody wrote the same positions past the function append.
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

// attempt checks the requests in order, each seeing what those before it write, and writes what was accepted, if the batch's streams are
// where it believes. A batch that is new may be of callers who know more than it does.
func (w *writer) attempt(batch []*commit.Request, fresh bool) error {
	w.believe(batch, fresh)
	believed := make([]int64, len(w.asked))
	for i, stream := range w.asked {
		believed[i] = int64(w.places[stream])
	}
	if err := w.judge(batch); err != nil {
		return err
	}
	ended, err := w.commit(believed)
	if err != nil {
		return err
	}
	if len(w.written) > 0 && ended != w.head { // now the positions are known
		w.head = ended
		for i, stream := range w.asked {
			w.places[stream] = eventstore.Revision(believed[i])
		}
		if err := w.judge(batch); err != nil {
			return err
		}
	}
	if n := len(w.written); n > 0 {
		w.head, w.last = w.written[n-1].Position, w.written[n-1].ID
	}
	for stream, revision := range w.places {
		w.known.Put(stream, revision)
	}
	return nil
}

// believe begins a batch: its streams are where they are known to be, or where its callers expect them if that is not known, or may
// have been written by others since.
func (w *writer) believe(batch []*commit.Request, fresh bool) {
	clear(w.places)
	w.asked, w.unsure = w.asked[:0], 0
	for _, r := range batch {
		for _, a := range r.Appends {
			if _, ok := w.places[a.Stream]; ok {
				continue
			}
			revision, ok := w.known.Get(a.Stream)
			w.asked = append(w.asked, a.Stream)
			if !ok || fresh && a.Expected > revision {
				revision = max(a.Expected, eventstore.NoStream)
				n := len(w.asked) - 1
				w.asked[w.unsure], w.asked[n] = w.asked[n], w.asked[w.unsure]
				w.unsure++
			}
			w.places[a.Stream] = revision
		}
	}
}

// judge decides about each request.
func (w *writer) judge(batch []*commit.Request) error {
	clear(w.written)
	w.written, w.refused = w.written[:0], w.refused[:0]
	for _, r := range batch {
		refused, err := r.Judge(w)
		if err != nil {
			return err
		}
		w.refused = append(w.refused, refused)
	}
	return nil
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
	if err := w.wrote.SelectContext(w.closing, &found, a.Stream, a.Expected, n); err != nil {
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
	if len(found) < len(a.Events) { // the log has lost its end
		w.known.Forget(a.Stream)
		return eventstore.Appended{}, errOld
	}
	for i, e := range a.Events {
		if found[i].ID != e.ID {
			return eventstore.Appended{}, conflict
		}
	}
	return eventstore.Appended{Revision: a.Expected + n, Position: found[n-1].Position}, nil
}

// commit writes the batch's events after the end of the log, and returns where that was. If the streams are not where it believes, it
// writes nothing, remembers where they are, and returns errOld.
func (w *writer) commit(believed []int64) (ended eventstore.Position, err error) {
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
	var moved bool
	var actual []int64
	commit := w.commits
	if w.turns.taken {
		commit = w.turns.pass
	}
	err = commit.QueryRowContext(w.closing, int64(w.head), w.last, pq.Array(w.asked), pq.Array(believed), w.unsure, pq.Array(streams),
		pq.Array(revisions), pq.Array(ids), pq.Array(types), carried, pq.Array(places), pq.Array(data), pq.Array(meta), pq.Array(checksums), w.now()).
		Scan(&ended, &moved, pq.Array(&actual))
	switch {
	case err == nil:
		w.turns.taken, w.crowded = false, moved
	case w.turns.taken && errors.Is(err, sql.ErrConnDone): // it was lost, and its statement cannot be repeated on another
		err = driver.ErrBadConn
	}
	if err == nil && moved {
		w.known = recent.New[string, eventstore.Revision](knownStreams)
	}
	if err != nil || actual == nil {
		return ended, err
	}
	for i, revision := range actual {
		w.known.Put(w.asked[i], eventstore.Revision(revision))
	}
	return ended, errOld
}
