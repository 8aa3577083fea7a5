package esdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"daybook/eventstore"
)

var _ eventstore.Checker = (*Store)(nil)

// Check implements eventstore.Checker. It reads the log in its order, as a follower does, and then each stream by itself. The disk is the
// server's, which proves its own checksums.
func (s *Store) Check(ctx context.Context, found func(error), progress func(done, total int64)) (events int64, err error) {
	k := check{Store: s, found: found, progress: progress, damaged: map[string]bool{}}
	if k.head, err = s.Head(ctx); err != nil {
		return 0, err
	}
	if err := k.readLog(ctx); err != nil {
		return k.events, err
	}
	return k.events, k.readStreams(ctx)
}

// A check is the state of one Check.
type check struct {
	*Store
	found    func(error)
	progress func(done, total int64)
	head     eventstore.Position
	events   int64
	sequence eventstore.Sequence
	damaged  map[string]bool // streams of which damage was told
}

// damage tells the damage of a stream, once.
func (k *check) damage(e *eventstore.DamageError) {
	if !k.damaged[e.Stream] {
		k.damaged[e.Stream] = true
		k.found(e)
	}
}

// readLog reads all streams in the log's order.
func (k *check) readLog(ctx context.Context) error {
	for batch, err := range k.Follow(ctx, eventstore.Start) {
		if err != nil || len(batch) == 0 { // an empty batch: it is the end
			return err
		}
		for _, e := range batch {
			if e.Damage != nil {
				k.damage(e.Damage)
			}
			if e.Notice {
				continue
			}
			k.events++
			if damage := k.sequence.Next(e); damage != nil {
				k.damage(damage)
			}
		}
		at := batch[len(batch)-1].Position
		all := int64(float64(k.events) * max(1, float64(k.head)/float64(at))) // positions have gaps
		k.progress(k.events, 2*all)
	}
	return nil
}

// readStreams reads each stream by itself. It holds as many events as were in the log, or more, if it was written to since.
func (k *check) readStreams(ctx context.Context) error {
	done := k.events
	for _, stream := range slices.Sorted(maps.Keys(k.sequence.Streams)) {
		want, last := k.sequence.Streams[stream], eventstore.NoStream
		for e, err := range k.Read(ctx, stream, 0, eventstore.Forwards, 0) {
			if damage, is := errors.AsType[*eventstore.DamageError](err); is {
				k.damage(damage)
				break
			}
			if err != nil && !errors.Is(err, eventstore.ErrNotFound) {
				return err
			}
			if err == nil {
				last = e.Revision
			}
		}
		if last < want {
			k.damage(damaged(stream, fmt.Sprintf("read by itself it ends at revision %d, and in the log at %d", last, want)))
		}
		done += int64(want) + 1
		k.progress(done, max(done, 2*k.events))
	}
	return nil
}
