package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
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

func TestOutage(t *testing.T) {
	t.Run("C53 callers get errors, none hangs, and all continue when the server is back", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := openWith(t, server.ConnectionString(), esdb.Options{Patience: time.Millisecond})
		server.Stop()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				_, err := eventstore.AppendTo(t.Context(), store, fmt.Sprint(i), eventstore.NoStream, events(1))
				if _, err2 := store.Head(t.Context()); status.Code(err) != codes.Unavailable || status.Code(err2) != codes.Unavailable {
					t.Errorf("Append: %v; Head: %v", err, err2)
				}
				for _, err := range store.Read(t.Context(), "0", 0, eventstore.Forwards, 0) {
					if status.Code(err) != codes.Unavailable {
						t.Errorf("Read: %v", err)
					}
				}
			})
		}
		all.Wait()
		server.Start()
		given := events(1)
		for i := range 16 {
			for {
				_, err := eventstore.AppendTo(t.Context(), store, fmt.Sprint(i), eventstore.NoStream, given)
				if err == nil {
					break
				}
				if status.Code(err) != codes.Unavailable {
					t.Fatal(err)
				}
			}
		}
	})
	t.Run("C53 patient callers only wait", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		server.Stop()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if _, err := eventstore.AppendTo(t.Context(), store, fmt.Sprint(i), eventstore.NoStream, events(1)); err != nil {
					t.Errorf("Append: %v", err)
				}
			})
		}
		server.Start()
		all.Wait()
	})
	t.Run("C54 not ready and too busy are retried", func(t *testing.T) {
		watch(t)
		for _, refusal := range []error{esdbtest.ErrNotReady, esdbtest.ErrTooBusy, esdbtest.ErrTimeout} {
			server := start(t)
			store := open(t, server.ConnectionString())
			hook, calls := once("Append", refusal)
			server.Break(esdbtest.Faults{Call: hook})
			given := events(2)
			appends(t, store, "a", eventstore.NoStream, given)
			if calls.Load() != 2 {
				t.Errorf("%v: %d appends were sent", refusal, calls.Load())
			}
			holds(t, store, given)
		}
	})
	t.Run("C30 a caller can leave a silent server", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		reached := make(chan struct{}, 100)
		server.Break(esdbtest.Faults{Call: func(ctx context.Context, _ string) error {
			reached <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}})
		for name, call := range map[string]func(context.Context) error{
			"Append": func(ctx context.Context) error {
				_, err := eventstore.AppendTo(ctx, store, "a", eventstore.NoStream, events(1))
				return err
			},
			"Head": func(ctx context.Context) error { _, err := store.Head(ctx); return err },
			"Read": func(ctx context.Context) (last error) {
				for _, last = range store.Read(ctx, "a", 0, eventstore.Forwards, 0) {
				}
				return last
			},
			"Follow": func(ctx context.Context) (last error) {
				for _, last = range store.Follow(ctx, eventstore.Start) {
				}
				return last
			},
			"Open": func(ctx context.Context) error {
				_, err := esdb.Open(ctx, server.ConnectionString(), esdb.Options{})
				return err
			},
		} {
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-reached; leave() }()
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("C31 a call that hangs is given up and repeated", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString()+"&defaultDeadline=50")
		var calls atomic.Int32
		server.Break(esdbtest.Faults{Call: func(ctx context.Context, method string) error {
			if method == "Append" && calls.Add(1) == 1 {
				<-ctx.Done()
			}
			return nil
		}})
		given := events(1)
		appends(t, store, "a", eventstore.NoStream, given)
		holds(t, store, given)
	})
	t.Run("C31 a read that hangs is given up and continued where it was", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString()+"&defaultDeadline=50")
		given := events(3)
		appends(t, store, "a", eventstore.NoStream, given)
		var said, calls atomic.Int32
		again := make(chan struct{})
		server.Break(esdbtest.Faults{
			Call: func(context.Context, string) error {
				if calls.Add(1) == 2 {
					close(again)
				}
				return nil
			},
			Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
				if said.Add(1) == 2 {
					<-again
				}
				return []*streams.ReadResp{m}, nil
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a test that hangs; no result depends on it
		defer cancel()
		var got []uuid.UUID
		for e, err := range store.Read(ctx, "a", 0, eventstore.Forwards, 0) {
			if err != nil {
				close(again)
				t.Fatal(err)
			}
			got = append(got, e.ID)
		}
		if want := []uuid.UUID{given[0].ID, given[1].ID, given[2].ID}; !slices.Equal(want, got) {
			t.Errorf("read %v, want %v", got, want)
		}
	})
}

// TestSilence has servers that fall silent when they should send something.
func TestSilence(t *testing.T) {
	t.Cleanup(esdb.SetSilence(50 * time.Millisecond))
	for name, lost := range map[string]func(*streams.ReadResp) bool{
		"an event that is lost": func(m *streams.ReadResp) bool { return m.GetEvent().GetEvent().GetStreamRevision() == 1 },
		"a subscription that is never confirmed": func(m *streams.ReadResp) bool {
			return m.GetConfirmation() != nil || m.GetCaughtUp() != nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			watch(t)
			server := start(t)
			store := open(t, server.ConnectionString())
			given := events(2)
			first := appends(t, store, "a", eventstore.NoStream, given[:1])
			var left atomic.Int32
			left.Store(2) // two calls get no answer: the subscription, and the check that it is still alive
			server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
				if lost(m) && left.Add(-1) >= 0 {
					return nil, nil
				}
				return []*streams.ReadResp{m}, nil
			}})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a test that hangs; no result depends on it
			defer cancel()
			for batch, err := range store.Follow(ctx, first.Position) {
				if err != nil {
					t.Fatal(err)
				}
				if len(batch) > 0 {
					if batch[0].ID != given[1].ID {
						t.Errorf("followed %v", batch)
					}
					break
				}
				appends(t, store, "a", 0, given[1:])
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Run("C50 closing under load ends all callers, and tells what was written", func(t *testing.T) {
		watch(t)
		server := start(t)
		opts := esdb.Options{Prefix: "closed."}
		store := openWith(t, server.ConnectionString(), opts)
		var all sync.WaitGroup
		var busy sync.WaitGroup
		written := make([]eventstore.Revision, 16)
		for i := range written {
			busy.Add(1)
			all.Go(func() {
				for next := eventstore.NoStream; ; {
					got, err := eventstore.AppendTo(t.Context(), store, fmt.Sprint(i), next, events(1))
					if err != nil {
						if !errors.Is(err, eventstore.ErrClosed) {
							t.Errorf("Append: %v", err)
						}
						return
					}
					if next, written[i] = got.Revision, got.Revision; next == 3 {
						busy.Done()
					}
				}
			})
		}
		for range 4 {
			all.Go(func() {
				var last error
				for _, last = range store.Follow(t.Context(), eventstore.Start) {
				}
				if !errors.Is(last, eventstore.ErrClosed) {
					t.Errorf("Follow: %v", last)
				}
			})
		}
		busy.Wait()
		if err := errors.Join(store.Close(), store.Close()); err != nil {
			t.Error(err)
		}
		all.Wait()
		again := openWith(t, server.ConnectionString(), opts)
		for i, last := range written {
			for e, err := range again.Read(t.Context(), fmt.Sprint(i), eventstore.Last, eventstore.Backwards, 1) {
				if err != nil || e.Revision < last {
					t.Errorf("stream %d: %d, %v, and %d was acknowledged", i, e.Revision, err, last)
				}
			}
		}
	})
	t.Run("C50 closing during an outage does not wait", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		failing := make(chan struct{}, 100)
		server.Break(esdbtest.Faults{Call: func(context.Context, string) error {
			select {
			case failing <- struct{}{}:
			default:
			}
			return esdbtest.ErrNotReady
		}})
		ended := make(chan error, 1)
		go func() {
			_, err := eventstore.AppendTo(t.Context(), store, "a", eventstore.NoStream, events(1))
			ended <- err
		}()
		<-failing
		store.Close()
		if err := <-ended; !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("Append: %v", err)
		}
	})
}

func TestRestart(t *testing.T) {
	t.Run("C43 a follower continues where it was, and sees each event once", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		var want, got []uuid.UUID
		append3 := func() {
			given := events(3)
			appends(t, store, "a", eventstore.Revision(len(want))-1, given)
			want = append(want, given[0].ID, given[1].ID, given[2].ID)
		}
		append3()
		empty := 0
		for batch, err := range store.Follow(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if len(batch) == 0 {
				empty++
			}
			for _, e := range batch {
				got = append(got, e.ID)
			}
			if len(got) < len(want) {
				continue
			}
			if len(want) == 30 {
				break
			}
			server.Stop()
			server.Start()
			append3()
		}
		if !slices.Equal(want, got) || empty > 1 {
			t.Errorf("followed %v with %d empty batches, want %v", got, empty, want)
		}
	})
	t.Run("C43 an interrupted read continues with the next event", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		given := events(200)
		for i := range given {
			given[i].Data = make([]byte, 5000)
		}
		appends(t, store, "a", eventstore.NoStream, given)
		for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
			first := map[eventstore.Direction]eventstore.Revision{eventstore.Forwards: 0, eventstore.Backwards: eventstore.Last}[way]
			var got []uuid.UUID
			for e, err := range store.Read(t.Context(), "a", first, way, 150) {
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, e.ID); len(got)%40 == 0 {
					server.Stop()
					server.Start()
				}
			}
			want := slices.Clone(given)
			if way == eventstore.Backwards {
				slices.Reverse(want)
			}
			if !slices.EqualFunc(want[:150], got, func(e eventstore.Event, id uuid.UUID) bool { return e.ID == id }) {
				t.Errorf("read %d events, not those given", len(got))
			}
		}
	})
}

func TestUnknownOutcome(t *testing.T) {
	t.Run("C51 a lost reply is settled by the same append", func(t *testing.T) {
		watch(t)
		for _, said := range []error{
			esdbtest.ErrTimeout, esdbtest.ErrNotReady, status.Error(codes.Canceled, ""), status.Error(codes.Internal, ""),
			status.Error(codes.DeadlineExceeded, ""), status.Error(codes.Unknown, ""),
		} {
			server := start(t)
			store := open(t, server.ConnectionString())
			lost := false
			server.Break(esdbtest.Faults{Committed: func(context.Context, string) error {
				if lost = !lost; lost {
					server.ForgetIDs() // it is found in the index
					return said
				}
				return nil
			}})
			given := events(5)
			appends(t, store, "a", eventstore.NoStream, given[:2])
			appends(t, store, "a", 1, given[2:])
			holds(t, store, given)
		}
	})
	t.Run("C51 a server that dies between commit and reply loses and duplicates nothing", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		var died atomic.Bool
		committed := make(chan struct{})
		server.Break(esdbtest.Faults{Committed: func(ctx context.Context, _ string) error {
			if died.CompareAndSwap(false, true) {
				close(committed)
				<-ctx.Done()
			}
			return nil
		}})
		go func() {
			<-committed
			server.Stop()
			server.Start()
		}()
		given := events(2)
		appends(t, store, "a", eventstore.NoStream, given)
		holds(t, store, given)
	})
	t.Run("C21 a position that the server does not report is looked up", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		given := events(2)
		want := appends(t, store, "a", eventstore.NoStream, given)
		appends(t, store, "a", 1, events(1))
		server.Break(esdbtest.Faults{Reply: func(reply *streams.AppendResp) {
			reply.GetSuccess().PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}
		}})
		if got := appends(t, store, "a", eventstore.NoStream, given); got != want {
			t.Errorf("appended at %+v, want %+v", got, want)
		}
	})
}

func TestCluster(t *testing.T) {
	t.Run("C44 the leader is killed", func(t *testing.T) {
		watch(t)
		nodes := startCluster(t, 3)
		store := open(t, nodes[0].DiscoverString())
		var given []eventstore.Event
		for i := range 9 {
			e := events(1)
			appends(t, store, "a", eventstore.Revision(i)-1, e)
			given = append(given, e...)
			nodes[i%3].Stop()
			nodes[(i+1)%3].Lead()
			nodes[i%3].Start()
		}
		holds(t, store, given)
	})
	t.Run("C52 calls go to the leader, even if only one node is known", func(t *testing.T) {
		watch(t)
		nodes := startCluster(t, 2)
		store := open(t, nodes[0].ConnectionString())
		given := events(2)
		appends(t, store, "a", eventstore.NoStream, given[:1])
		for i, call := range []func(){
			func() { appends(t, store, "a", 0, given[1:]) },
			func() {
				for _, err := range store.Read(t.Context(), "a", 0, eventstore.Forwards, 0) {
					if err != nil {
						t.Error(err)
					}
				}
			},
			func() {
				if _, err := store.Head(t.Context()); err != nil {
					t.Error(err)
				}
			},
			func() { rest(t, store, eventstore.Start) },
		} {
			nodes[(i+1)%2].Lead()
			var asked atomic.Int32
			nodes[(i+1)%2].Break(esdbtest.Faults{Call: func(context.Context, string) error { asked.Add(1); return nil }})
			call()
			if asked.Load() == 0 {
				t.Errorf("call %d: the leader was not asked", i)
			}
		}
		holds(t, store, given)
	})
	t.Run("C52 a connection to a useless node is given up", func(t *testing.T) {
		watch(t)
		nodes := startCluster(t, 2)
		via := startBalancer(t, nodes[0].Address())
		store := open(t, "esdb://"+via.address()+"?tls=false")
		given := events(1)
		nodes[0].Break(esdbtest.Faults{Call: func(context.Context, string) error { return esdbtest.ErrNotReady }})
		nodes[1].Lead()
		via.to.Store(nodes[1].Address())
		appends(t, store, "a", eventstore.NoStream, given)
		holds(t, store, given)
	})
	t.Run("C52 a subscription to a node that was cut off is noticed", func(t *testing.T) {
		t.Cleanup(esdb.SetSilence(20 * time.Millisecond))
		watch(t)
		nodes := startCluster(t, 2)
		opts := esdb.Options{Prefix: "cut."}
		store, other := openWith(t, nodes[0].ConnectionString(), opts), openWith(t, nodes[0].ConnectionString(), opts)
		given := events(1)
		for batch, err := range store.Follow(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if len(batch) > 0 {
				if batch[0].ID != given[0].ID {
					t.Errorf("followed %v", batch)
				}
				break
			}
			nodes[1].Lead()
			nodes[0].Break(esdbtest.Faults{Answer: func(*streams.ReadResp) ([]*streams.ReadResp, error) { return nil, nil }})
			appends(t, other, "a", eventstore.NoStream, given)
		}
	})
}

// A balancer forwards new connections to a node, and leaves open ones where they are.
type balancer struct {
	net.Listener
	to atomic.Value // the node's address
}

func startBalancer(t *testing.T, to string) *balancer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{Listener: listener}
	b.to.Store(to)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := b.Accept()
			if err != nil {
				return // it is closed
			}
			all.Go(func() { b.pass(in) })
		}
	})
	t.Cleanup(func() { b.Close(); all.Wait() })
	return b
}

func (b *balancer) address() string { return b.Addr().String() }

// pass copies data in both directions until one side closes.
func (b *balancer) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", b.to.Load().(string))
	if err != nil {
		return
	}
	defer out.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { _, _ = io.Copy(way[0], way[1]); ended <- struct{}{} }()
	}
	<-ended
}
