// Package commit lets appends that wait share a commit. Callers append to a queue; one goroutine of the store takes from it
// whatever is waiting, judges it in order, writes it once, durably, and answers each caller.
package commit

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
)

// MaxBatch is how many appends share one commit, at most, unless told otherwise.
const MaxBatch = 512

// A Request is an append that waits. Its events are its own.
type Request struct {
	Stream   string
	Expected eventstore.Revision
	Events   []eventstore.Event
	Asked    time.Time
	size     int
	answer   chan Answer // has room for the one answer, so that the writer never waits for a caller who has left
}

// An Answer is what became of a request.
type Answer struct {
	Appended eventstore.Appended
	Err      error
}

// Answer tells the caller. It is called once.
func (r *Request) Answer(a Answer) { r.answer <- a }

// A Queue is where callers wait for the writer.
type Queue struct {
	max       int
	accepting sync.RWMutex // held for reading while a request enters, so that Close knows the last one
	closing   bool
	requests  chan *Request
}

// NewQueue makes a queue that gives out at most so many requests at once; 0 stands for MaxBatch.
func NewQueue(most int) *Queue {
	if most <= 0 {
		most = MaxBatch
	}
	return &Queue{max: most, requests: make(chan *Request, MaxBatch)}
}

// Append waits until the writer has answered, or the context ends.
func (q *Queue) Append(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.Check(stream, events); err != nil {
		return eventstore.Appended{}, err
	}
	r := &Request{Stream: stream, Expected: expected, Asked: time.Now(), answer: make(chan Answer, 1)}
	r.Events, r.size = own(events)
	if err := q.accept(ctx, r); err != nil {
		return eventstore.Appended{}, err
	}
	select {
	case a := <-r.answer:
		return a.Appended, a.Err
	case <-ctx.Done():
		return eventstore.Appended{}, ctx.Err()
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

// Batches calls the writer with what is waiting until the queue is closed and empty. The slice is used again.
func (q *Queue) Batches(write func([]*Request)) {
	var batch []*Request
	for r := range q.requests {
		// The callers that the last commit woke get to run and queue up first. A timer instead would only cost time.
		runtime.Gosched()
		batch = q.drain(append(batch[:0], r))
		write(batch)
		clear(batch)
	}
}

// drain adds what is waiting, as far as one commit may take it.
func (q *Queue) drain(batch []*Request) []*Request {
	for size := batch[0].size; len(batch) < q.max && size < eventstore.MaxAppendSize; {
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

// Close takes no more requests; what was accepted is still given out. It is called once.
func (q *Queue) Close() {
	q.accepting.Lock()
	defer q.accepting.Unlock()
	q.closing = true
	close(q.requests)
}

// own copies events, since a caller who left early may use his memory again before the writer comes to it.
func own(events []eventstore.Event) ([]eventstore.Event, int) {
	size := 0
	for _, e := range events {
		size += e.Size()
	}
	memory := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		memory = append(memory, b...)
		return memory[len(memory)-len(b) : len(memory) : len(memory)]
	}
	events = slices.Clone(events)
	for i := range events {
		events[i].Data, events[i].Meta = keep(events[i].Data), keep(events[i].Meta)
	}
	return events, size
}
