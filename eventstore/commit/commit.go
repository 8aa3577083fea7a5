// Package commit lets concurrent appends share a commit. Callers put appends into a queue. The store's writer, one goroutine, takes
// all that wait, checks them in order, writes them in one durable commit, and answers each caller.
package commit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
)

// MaxBatch is the default maximum number of appends in one commit.
const MaxBatch = 512

// A Request is appends that wait, to be written all or none. It owns its events.
type Request struct {
	Appends []eventstore.Append
	Done    []eventstore.Appended // by the writer, as long as the appends
	Asked   time.Time
	size    int
	answer  chan error // buffered, so that the writer never waits for a caller that has left

	one  [1]eventstore.Append // room for most requests
	done [1]eventstore.Appended
}

// A Judge knows a log as its writer sees it.
type Judge interface {
	// Before tells what became of an append before: nothing yet, done, or an error, which is a *eventstore.ConflictError if it is
	// refused.
	Before(a eventstore.Append) (eventstore.Appended, error)
	// Add writes an append.
	Add(a eventstore.Append) eventstore.Appended
}

// Answer tells the caller that the request is done, or why it is not. Call it once.
func (r *Request) Answer(err error) { r.answer <- err }

// Judge writes what is to be written of a request. If one of its appends is refused, so is the request, and nothing of it is written.
// failure is an error of asking.
func (r *Request) Judge(by Judge) (refused, failure error) {
	for i, a := range r.Appends {
		done, err := by.Before(a)
		if conflict, is := errors.AsType[*eventstore.ConflictError](err); is {
			return conflict, nil
		}
		if err != nil {
			return nil, err
		}
		r.Done[i] = done
	}
	for i, a := range r.Appends {
		if r.Done[i] == (eventstore.Appended{}) {
			r.Done[i] = by.Add(a)
		}
	}
	return nil, nil
}

// A Queue holds the requests that wait for the writer.
type Queue struct {
	max       int
	accepting sync.RWMutex // held for reading while a request enters, so that Close knows the last one
	closing   bool
	requests  chan *Request
}

// NewQueue returns a queue of batches of at most so many requests; 0 means MaxBatch.
func NewQueue(most int) *Queue {
	if most <= 0 {
		most = MaxBatch
	}
	return &Queue{max: most, requests: make(chan *Request, MaxBatch)}
}

// Append waits until the writer has answered, or the context ends.
func (q *Queue) Append(ctx context.Context, to []eventstore.Append) ([]eventstore.Appended, error) {
	if err := eventstore.Check(to); err != nil {
		return nil, err
	}
	r := &Request{Asked: time.Now(), answer: make(chan error, 1)}
	if r.Appends, r.Done = r.one[:], r.done[:]; len(to) > 1 {
		r.Appends, r.Done = make([]eventstore.Append, len(to)), make([]eventstore.Appended, len(to))
	}
	copy(r.Appends, to)
	for i := range r.Appends {
		a := &r.Appends[i]
		size := eventstore.Size(a.Events)
		a.Events = own(a.Events, size)
		r.size += size
	}
	if err := q.accept(ctx, r); err != nil {
		return nil, err
	}
	select {
	case err := <-r.answer:
		if err != nil {
			return nil, err
		}
		return r.Done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *Queue) accept(ctx context.Context, r *Request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.accepting.RLock()
	defer q.accepting.RUnlock()
	if q.closing {
		return eventstore.ErrClosed
	}
	select {
	case q.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Batches calls write with the waiting requests until the queue is closed and empty. write must not keep the slice.
func (q *Queue) Batches(write func([]*Request)) {
	var batch []*Request
	for r := range q.requests {
		// Let the callers that the last commit woke run and queue up first. A timer instead would only cost time.
		runtime.Gosched()
		batch = q.More(append(batch[:0], r))
		write(batch)
		clear(batch)
	}
}

// More adds the requests that wait to a batch that has one, up to what one commit may take.
func (q *Queue) More(batch []*Request) []*Request {
	size := 0
	for _, r := range batch {
		size += r.size
	}
	for len(batch) < q.max && size < eventstore.MaxAppendSize {
		select {
		case r, ok := <-q.requests:
			if !ok {
				return batch
			}
			batch = append(batch, r)
			size += r.size
		default:
			return batch
		}
	}
	return batch
}

// Close accepts no more requests; Batches still handles those accepted. Call it once.
func (q *Queue) Close() {
	q.accepting.Lock()
	defer q.accepting.Unlock()
	q.closing = true
	close(q.requests)
}

// own copies events, because a caller that leaves early may reuse its memory before the writer reads it.
func own(events []eventstore.Event, size int) []eventstore.Event {
	memory := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		memory = append(memory, b...)
		return memory[len(memory)-len(b) : len(memory) : len(memory)]
	}
	events = slices.Clone(events)
	for i := range events {
		events[i].Data, events[i].Meta = keep(events[i].Data), keep(events[i].Meta)
	}
	return events
}
