package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
)

// TestFaults makes things go wrong while writers write and followers follow, a hundred times, or a thousand if
// DAYBOOK_SOAK is set. DAYBOOK_SEED repeats a failure.
func TestFaults(t *testing.T) {
	t.Run("C51 nothing is lost or duplicated, whatever goes wrong", func(t *testing.T) {
		watch(t)
		count := 100
		if os.Getenv("DAYBOOK_SOAK") != "" {
			count = 1000
		}
		chance := chance(t)
		nodes := startCluster(t, 3)
		store := openWith(t, nodes[0].DiscoverString()+"&defaultDeadline=200", esdb.Options{Patience: time.Hour})
		load := startLoad(t, store)
		trouble := newTrouble(nodes, chance)
		for range count {
			trouble.strike()
			load.goOn()
		}
		for _, n := range nodes {
			n.Break(esdbtest.Faults{})
		}
		load.stop()
		load.check()
		t.Logf("soak: %d faults, %d events: none lost, none doubled", count, load.written())
	})
}

// chance is a random source that logs its seed, so that a failure can be repeated.
func chance(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if text := os.Getenv("DAYBOOK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DAYBOOK_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A load is writers, each on its own stream, followers of the log, and a reader, all running until stopped.
type load struct {
	*testing.T
	store    *esdb.Store
	stopping atomic.Bool
	appended chan struct{} // one for each append, if somebody waits for it
	writing  sync.WaitGroup
	reading  sync.WaitGroup
	streams  [][]uuid.UUID // what was acknowledged; each belongs to its writer until that has stopped
	seen     [][]eventstore.Recorded
	all      chan struct{} // closed when the writers have stopped
	total    int
}

func startLoad(t *testing.T, store *esdb.Store) *load {
	const writers, followers = 8, 3
	l := &load{
		T: t, store: store, appended: make(chan struct{}), all: make(chan struct{}),
		streams: make([][]uuid.UUID, writers), seen: make([][]eventstore.Recorded, followers),
	}
	for w := range writers {
		l.writing.Go(func() { l.write(w) })
	}
	for f := range followers {
		l.reading.Go(func() { l.follow(f) })
	}
	l.reading.Go(l.read)
	return l
}

func (l *load) write(w int) {
	stream := fmt.Sprint("stream-", w)
	for !l.stopping.Load() {
		given := events(1 + len(l.streams[w])%3)
		got, err := eventstore.AppendTo(l.Context(), l.store, stream, eventstore.Revision(len(l.streams[w]))-1, given)
		if want := eventstore.Revision(len(l.streams[w]) + len(given) - 1); err != nil || got.Revision != want {
			l.Errorf("Append to %s: %+v, %v, want revision %d", stream, got, err, want)
			return
		}
		for _, e := range given {
			l.streams[w] = append(l.streams[w], e.ID)
		}
		select {
		case l.appended <- struct{}{}:
		default:
		}
	}
}

// goOn waits until the writers have made progress.
func (l *load) goOn() {
	for range 10 {
		<-l.appended
	}
}

// follow follows until it has seen as many events as were acknowledged.
func (l *load) follow(f int) {
	for batch, err := range l.store.Follow(l.Context(), eventstore.Start) {
		if err != nil {
			l.Errorf("Follow: %v", err)
			return
		}
		l.seen[f] = append(l.seen[f], batch...)
		select {
		case <-l.all:
			if len(l.seen[f]) >= l.total {
				return
			}
		default:
		}
	}
}

// read reads the end of a stream repeatedly.
func (l *load) read() {
	for !l.stopping.Load() {
		var last eventstore.Revision
		for e, err := range l.store.Read(l.Context(), "stream-0", eventstore.Last, eventstore.Backwards, 20) {
			if err != nil && !errors.Is(err, eventstore.ErrNotFound) || last > 0 && e.Revision != last-1 {
				l.Errorf("Read: revision %d, %v, after %d", e.Revision, err, last)
				return
			}
			last = e.Revision
		}
	}
}

// stop ends the load: first the writers, then with a last event the followers.
func (l *load) stop() {
	l.stopping.Store(true)
	l.writing.Wait()
	for _, s := range l.streams {
		l.total += len(s)
	}
	l.total++
	close(l.all)
	appends(l, l.store, "last", eventstore.NoStream, events(1))
	l.reading.Wait()
}

func (l *load) written() int { return l.total - 1 }

// check compares what each follower saw, and what the streams hold, with what was acknowledged.
func (l *load) check() {
	for f, seen := range l.seen {
		streams := map[string][]uuid.UUID{}
		last := eventstore.Start
		for _, e := range seen {
			if e.Position <= last {
				l.Fatalf("follower %d: position %d after %d", f, e.Position, last)
			}
			last = e.Position
			streams[e.Stream] = append(streams[e.Stream], e.ID)
		}
		for w, want := range l.streams {
			if got := streams[fmt.Sprint("stream-", w)]; !slices.Equal(want, got) {
				l.Errorf("follower %d saw %d events of stream %d, and %d were acknowledged", f, len(got), w, len(want))
			}
		}
	}
	for w, want := range l.streams {
		var got []uuid.UUID
		for e, err := range l.store.Read(l.Context(), fmt.Sprint("stream-", w), 0, eventstore.Forwards, 0) {
			if err != nil {
				l.Fatal(err)
			}
			got = append(got, e.ID)
		}
		if !slices.Equal(want, got) {
			l.Errorf("stream %d holds %d events, and %d were acknowledged", w, len(got), len(want))
		}
	}
}

// A trouble is what goes wrong in a cluster, one thing after the other.
type trouble struct {
	nodes  []*esdbtest.Server
	chance *rand.Rand
	leads  int
}

func newTrouble(nodes []*esdbtest.Server, chance *rand.Rand) *trouble {
	return &trouble{nodes: nodes, chance: chance}
}

// strike makes one thing go wrong, and returns when it has.
func (t *trouble) strike() {
	leader := t.nodes[t.leads]
	switch t.chance.IntN(8) {
	case 0:
		leader.ForgetIDs()
	case 1:
		leader.Stop()
		leader.Start()
	case 2:
		t.leads = t.chance.IntN(len(t.nodes))
		t.nodes[t.leads].Lead()
	case 3: // the leader dies between commit and reply, and another takes over
		t.during(leader, func(reached func() bool, proceed <-chan struct{}) esdbtest.Faults {
			return esdbtest.Faults{Committed: func(context.Context, string) error {
				if reached() {
					<-proceed
				}
				return nil
			}}
		}, func() {
			leader.Stop()
			t.leads = t.chance.IntN(len(t.nodes))
			t.nodes[t.leads].Lead()
			leader.Start()
		})
	case 4:
		t.once(leader, func(reached func() bool) esdbtest.Faults {
			said := t.refusal()
			return esdbtest.Faults{Committed: func(context.Context, string) error {
				if reached() {
					return said
				}
				return nil
			}}
		})
	case 5: // a call is refused, or hangs until its caller gives up
		t.once(leader, func(reached func() bool) esdbtest.Faults {
			said, hangs := t.refusal(), t.chance.IntN(4) == 0
			return esdbtest.Faults{Call: func(ctx context.Context, method string) error {
				if method != "Append" || !reached() {
					return nil
				}
				if hangs {
					<-ctx.Done()
				}
				return said
			}}
		})
	case 6: // a reading or a subscription is broken off
		t.once(leader, func(reached func() bool) esdbtest.Faults {
			said := t.refusal()
			return esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
				if reached() {
					return nil, said
				}
				return []*streams.ReadResp{m}, nil
			}}
		})
	case 7: // a reader is told something unexpected
		t.once(leader, func(reached func() bool) esdbtest.Faults {
			odd := t.odd()
			return esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
				switch {
				case m.GetEvent() == nil || !reached():
					return []*streams.ReadResp{m}, nil
				case odd.GetEvent() != nil: // in the place of an event it must not be passed over
					return []*streams.ReadResp{odd}, nil
				}
				return []*streams.ReadResp{odd, m}, nil
			}}
		})
	}
}

// once breaks a node with hooks that fail the first call that reaches them, and waits for that call.
func (t *trouble) once(node *esdbtest.Server, hooks func(reached func() bool) esdbtest.Faults) {
	t.during(node, func(reached func() bool, _ <-chan struct{}) esdbtest.Faults { return hooks(reached) }, func() {})
}

// during does the same, and runs a function before that call may proceed.
func (t *trouble) during(node *esdbtest.Server, hooks func(reached func() bool, proceed <-chan struct{}) esdbtest.Faults, work func()) {
	var struck atomic.Bool
	met, proceed := make(chan struct{}), make(chan struct{})
	reached := func() bool {
		first := struck.CompareAndSwap(false, true)
		if first {
			close(met)
		}
		return first
	}
	node.Break(hooks(reached, proceed))
	<-met
	work()
	close(proceed)
	node.Break(esdbtest.Faults{})
}

func (t *trouble) refusal() error {
	all := []error{
		esdbtest.ErrNotReady, esdbtest.ErrTooBusy, esdbtest.ErrTimeout, esdbtest.ErrTooSlow,
		status.Error(codes.Internal, "stream reset"), status.Error(codes.Canceled, ""), status.Error(codes.DeadlineExceeded, ""),
		status.Error(codes.Unknown, "Exception was thrown by handler."), esdbtest.NotLeader("127.0.0.1", 1),
	}
	return all[t.chance.IntN(len(all))]
}

func (t *trouble) odd() *streams.ReadResp {
	all := []*streams.ReadResp{
		{},
		{Content: &streams.ReadResp_FirstStreamPosition{}},
		{Content: &streams.ReadResp_FellBehind_{FellBehind: &streams.ReadResp_FellBehind{}}},
		{Content: &streams.ReadResp_Event{}},
		{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}, // and no time
		}}}},
	}
	return all[t.chance.IntN(len(all))]
}
