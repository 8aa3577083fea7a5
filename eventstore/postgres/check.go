package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lib/pq"

	"daybook/eventstore"
)

var _ eventstore.Checker = (*Store)(nil)

// streamsAtOnce is how many streams a query asks for.
const streamsAtOnce = 1000

// lengths asks how long streams are, by the index of streams.
const lengths = `SELECT s.stream, (SELECT count(*) FROM events WHERE stream = s.stream AND revision <= s.last) AS n
	FROM unnest($1::text[], $2::bigint[]) AS s (stream, last)`

// Check implements eventstore.Checker. It reads the events by their positions, and then counts each stream's by its name.
func (s *Store) Check(ctx context.Context, found func(error), progress func(done, total int64)) (events int64, err error) {
	head, err := s.Head(ctx)
	if err != nil {
		return 0, err
	}
	order := eventstore.Sequence{Dense: true, Timed: true}
	whole := true
	damage := func(e *eventstore.DamageError) {
		whole = false
		found(e)
	}
	for at := eventstore.Position(1); at <= head; {
		p, err := s.page(ctx, eventstore.BatchBytes, following, int64(at), pageEvents)
		for _, e := range p.events { // of a damaged page, those before the damage
			if bad := order.Next(e); bad != nil {
				damage(bad)
			}
			events++
			at = e.Position + 1
		}
		if bad, is := errors.AsType[*eventstore.DamageError](err); is {
			damage(bad)
			order.Skip(bad)
			at = bad.Position + 1
		} else if err != nil {
			return events, err
		} else if len(p.events) == 0 {
			break
		}
		if progress != nil {
			progress(int64(at), int64(head))
		}
	}
	if last := order.Last(); last < head {
		damage(&eventstore.DamageError{Position: last + 1, What: "the event there is missing"})
	}
	if !whole { // its indexes have nothing to agree with
		return events, nil
	}
	for streams := range slices.Chunk(slices.Collect(maps.Keys(order.Streams)), streamsAtOnce) {
		if err := s.count(ctx, streams, order.Streams, found); err != nil {
			return events, err
		}
	}
	return events, nil
}

// count compares the lengths of streams, by the index, with what was read.
func (s *Store) count(ctx context.Context, streams []string, last map[string]eventstore.Revision, found func(error)) error {
	revisions := make([]int64, len(streams))
	for i, stream := range streams {
		revisions[i] = int64(last[stream])
	}
	type length struct {
		Stream string
		N      int64
	}
	counted, err := answered(ctx, func() (counted []length, err error) {
		err = s.db.SelectContext(ctx, &counted, lengths, pq.Array(streams), pq.Array(revisions))
		return counted, err
	})
	for _, l := range counted {
		if want := int64(last[l.Stream]) + 1; l.N != want {
			found(&eventstore.IndexError{What: fmt.Sprintf("stream %s has %d events, and %d by its name; REINDEX TABLE events makes it anew", l.Stream, want, l.N)})
		}
	}
	return s.explain(ctx, "count the events of streams", err)
}
