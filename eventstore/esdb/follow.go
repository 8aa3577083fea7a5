package esdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/internal/recent"
)

const (
	batchEvents = 2048 // events in a batch, at most
)

// silence is how long a subscription may be silent before its node is asked whether it still leads and whether there are events: a
// node that is cut off from the others does not notice, and one may lose an event. grace is how long events may then take to arrive.
// Tests change both.
var (
	silence = 30 * time.Second
	grace   = time.Second
)

// remembered is how many streams a follower remembers, at least. Of others it asks the server whether they are whole.
const remembered = 1 << 16

const forEver = time.Duration(math.MaxInt64)

// Follow implements eventstore.Store. Servers drop subscriptions regularly; it subscribes again after the last event that it yielded.
// It does not use the server's checkpoints: with them, some versions skip events.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, most ...int) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		ctx, leave, err := s.join(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer leave()
		f := follower{Store: s, after: after, bytes: eventstore.BatchEnd(most), seen: recent.New[string, eventstore.Revision](remembered), yield: yield}
		if err := s.try(ctx, 0, f.subscribe); err != nil {
			yield(nil, explain("follow the event log", err))
		}
	}
}

// A follower is the state of one Follow.
type follower struct {
	*Store
	after    eventstore.Position
	bytes    int       // of data and metadata, after which a batch ends
	last     uuid.UUID // the event at that position, once it is known
	caughtUp bool
	seen     *recent.Map[string, eventstore.Revision] // the last revisions of streams that it has seen
	odd      time.Time                                // since when the server sends there what cannot be understood; zero: it does not
	yield    func([]eventstore.Recorded, error) bool
}

// A batch is what has arrived since the follower took the last one.
type batch struct {
	events   []eventstore.Recorded
	bytes    int
	caughtUp bool
	err      error // why nothing more arrives
}

func (b batch) full(bytes int) bool { return len(b.events) >= batchEvents || b.bytes >= bytes }

// subscribe follows until the subscription ends; it returns nil if the reader has left. What cannot be understood may be a passing
// fault of the server; if it stays the same for longer than patience, it counts as what the log holds.
func (f *follower) subscribe(ctx context.Context, n *node, effort *effort) error {
	from := f.after
	err := f.follow(ctx, n, effort)
	switch {
	case !errors.Is(err, errUnexpected):
		f.odd = time.Time{}
	case f.odd.IsZero() || f.after != from:
		f.odd = time.Now()
	case time.Since(f.odd) <= f.patience:
	case errors.Is(err, errMisplaced):
		return eventstore.ErrAhead
	default:
		return fmt.Errorf("%w: %w", errLasting, err)
	}
	return err
}

// follow runs one subscription.
func (f *follower) follow(ctx context.Context, n *node, effort *effort) error {
	if err := f.checkPlace(ctx, n); err != nil {
		return err
	}
	var receiving sync.WaitGroup
	defer receiving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	held := make(chan batch, 1)
	receiving.Go(func() { f.receive(ctx, n, held) })
	live, missing := false, false
	for {
		wait := silence
		if missing {
			wait = grace
		}
		var b batch
		select {
		case b = <-held:
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(wait):
			if missing {
				return errDropped
			}
			if err := f.identify(ctx, n); err != nil {
				return err
			}
			end, err := f.lastOf(ctx, n)
			if err != nil {
				return err
			}
			missing = !live || end.Position > f.after
			continue
		}
		missing = false
		if err := f.examine(ctx, n, b.events, live); err != nil {
			return err
		}
		live = live || b.caughtUp
		if err := ended(ctx); err != nil {
			return err
		}
		if len(b.events) > 0 || b.caughtUp {
			effort.progress()
		}
		if len(b.events) > 0 {
			last := b.events[len(b.events)-1]
			f.after, f.last = last.Position, last.ID
			if !f.yield(b.events, nil) {
				return nil
			}
		}
		if b.caughtUp && !f.caughtUp {
			f.caughtUp = true
			if !f.yield(nil, nil) {
				return nil
			}
		}
		if b.err != nil {
			return b.err
		}
	}
}

// receive collects what a subscription sends. It adds to one batch until the follower takes it. When the batch is full it waits, and
// so does the server.
func (f *follower) receive(ctx context.Context, n *node, held chan batch) {
	after := f.after
	hold := func(add func(*batch)) error {
		var b batch
		select {
		case b = <-held:
			if b.full(f.bytes) {
				held <- b
				b = batch{}
			}
		default:
		}
		add(&b)
		select {
		case held <- b:
			return nil
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	live := false
	err := n.messages(ctx, f.subscription(after), forEver, func(m *streams.ReadResp) error {
		switch content := m.GetContent().(type) {
		case *streams.ReadResp_CaughtUp_:
			live = true
			return hold(func(b *batch) { b.caughtUp = true })
		case *streams.ReadResp_Event:
			e, err := recorded(content.Event)
			if err != nil || !f.ours(&e) || e.Position <= after {
				return err
			}
			after = e.Position
			return hold(func(b *batch) {
				b.events = append(b.events, e)
				b.bytes += e.Size()
			})
		}
		if live {
			return nil
		}
		return hold(func(*batch) {}) // a confirmation or a checkpoint: the server is alive
	})
	if err == nil {
		err = errDropped
	}
	_ = hold(func(b *batch) { b.err = err }) // fails if the context has ended: nobody takes it then
}

// examine finds the streams that have lost events: those about which there is a notice, and those with a gap. A stream that the
// follower meets in the middle may have lost what came before while nobody followed.
func (f *follower) examine(ctx context.Context, n *node, events []eventstore.Recorded, live bool) (err error) {
	for i := range events {
		e := &events[i]
		last, known := f.seen.Get(e.Stream)
		if !known {
			last = eventstore.NoStream
		}
		if !e.Notice {
			f.seen.Put(e.Stream, max(last, e.Revision))
			if e.Revision <= last+1 || !known && live { // not above: it is sent again
				continue
			}
		}
		if e.Damage, err = f.lost(ctx, n, e.Stream); err != nil {
			return err
		}
		if e.Damage == nil && known && !e.Notice {
			e.Damage = damaged(e.Stream, jumps(last, e.Revision))
		}
		if e.Damage != nil {
			e.Damage.Position = e.Position
		}
	}
	return nil
}

// checkPlace refuses to continue from a position that has no event of this log, or another one than before. If the log was restored
// from an older backup, the server would wait in silence until it has grown to there, and continue in the middle. Where a scavenge
// has removed the event, the server shows the one after it.
func (f *follower) checkPlace(ctx context.Context, n *node) error {
	if f.after == eventstore.Start {
		return nil
	}
	found := false
	var err error
	if f.after <= math.MaxInt64 {
		err = misplaced(n.stream(ctx, at(f.after), func(e eventstore.Recorded) error {
			if e.Position != f.after {
				found = e.Position > f.after
				return nil
			}
			found = f.ours(&e) && (f.last == uuid.Nil || e.ID == f.last)
			if found {
				f.last = e.ID
			}
			return nil
		}))
	}
	if err == nil && !found {
		return eventstore.ErrAhead
	}
	return err
}
