package postgres

import (
	"context"
	"fmt"
	"runtime"

	"github.com/lib/pq"

	"daybook/eventstore"
)

// tails finds of each stream the event that is known, and those after it.
const tails = `
	SELECT k.n, e.* FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS k (stream, revision, n), LATERAL (` + columns + `
		WHERE stream = k.stream AND revision >= k.revision ORDER BY revision LIMIT $3
	) AS e ORDER BY k.n, e.revision`

const (
	// askers is how many questions about tails are under way at once. What is asked meanwhile waits, and shares the next one.
	askers = 1
	// together is how many callers share one question, at most.
	together = 64
)

// An ask is a caller's question about tails.
type ask struct {
	known  []eventstore.Known
	tails  []eventstore.Tail
	answer chan error // buffered, so that nobody waits for a caller that has left
}

// Tails implements eventstore.Store. Callers that ask at the same time share a question.
func (s *Store) Tails(ctx context.Context, after ...eventstore.Known) ([]eventstore.Tail, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	a := &ask{after, make([]eventstore.Tail, len(after)), make(chan error, 1)}
	select {
	case s.asks <- a:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing.Done():
		return nil, eventstore.ErrClosed
	}
	select {
	case err := <-a.answer:
		if err != nil {
			return nil, s.explain(ctx, "read the ends of streams", err)
		}
		return a.tails, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answerAsks answers questions until the store is closed.
func (s *Store) answerAsks() {
	var all []*ask
	for {
		select {
		case a := <-s.asks:
			all = append(all[:0], a)
		case <-s.closing.Done():
			return
		}
		runtime.Gosched() // lets those whom the last answer woke ask too
		for more := true; more && len(all) < together; {
			select {
			case a := <-s.asks:
				all = append(all, a)
			default:
				more = false
			}
		}
		err := s.readTails(all)
		for _, a := range all {
			a.answer <- err
		}
		clear(all)
	}
}

// readTails reads all tails that are asked for.
func (s *Store) readTails(all []*ask) error {
	var streams []string
	var from []int64
	var to []*eventstore.Tail
	var after []eventstore.Known
	for _, a := range all {
		for i, k := range a.known {
			streams, from = append(streams, k.Stream), append(from, max(int64(k.Revision), 0))
			to, after = append(to, &a.tails[i]), append(after, k)
		}
	}
	rows, err := s.tails.QueryxContext(s.closing, pq.Array(streams), pq.Array(from), eventstore.TailEvents+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r struct {
			N int
			row
		}
		if err := rows.StructScan(&r); err != nil {
			return err
		}
		if t := to[r.N-1]; t.Err == nil {
			e, err := s.event(r.row)
			if err != nil {
				*t = eventstore.Tail{Err: err}
				continue
			}
			t.Events = append(t.Events, e)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i, k := range after {
		proveTail(to[i], k)
	}
	return nil
}

// proveTail proves that a tail, which begins with the event that is known, follows on it without a gap, and leaves that one out.
func proveTail(t *eventstore.Tail, k eventstore.Known) {
	if t.Err != nil {
		return
	}
	want := max(k.Revision, 0)
	for _, e := range t.Events {
		if e.Revision != want {
			*t = eventstore.Tail{Err: &eventstore.DamageError{Stream: k.Stream, What: fmt.Sprintf("revision %d is missing", want)}}
			return
		}
		want++
	}
	switch {
	case k.Revision > eventstore.NoStream && (len(t.Events) == 0 || t.Events[0].ID != k.ID):
		*t = eventstore.Tail{Err: eventstore.ErrGone}
	case k.Revision > eventstore.NoStream:
		t.Events = t.Events[1:]
	case len(t.Events) == 0:
		t.Err = eventstore.ErrNotFound
	}
	if len(t.Events) > eventstore.TailEvents {
		t.Events = t.Events[:eventstore.TailEvents]
	}
	t.More = len(t.Events) == eventstore.TailEvents
}
