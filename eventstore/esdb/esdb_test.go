package esdb_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
	"daybook/eventstore/storetest"
)

// realServer is the environment variable with the connection string of a server to which tests may write.
const realServer = "DAYBOOK_TEST_ESDB"

// TestStore runs in one database, in which every case finds what the others have left.
func TestStore(t *testing.T) {
	server := start(t)
	storetest.Run(t, func(t testing.TB) eventstore.Store { return open(t, server.ConnectionString()) }, storetest.Shared)
}

// TestClock sets the server's clock back. The store passes on what the server recorded, as real servers do.
func TestClock(t *testing.T) {
	t.Run("C59 the server's clock is set back", func(t *testing.T) {
		watch(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		clock := func() time.Time { return now }
		server := esdbtest.NewServer(esdbtest.Options{Now: clock})
		t.Cleanup(server.Close)
		store := openWith(t, server.ConnectionString(), esdb.Options{Prefix: prefix(), Now: clock})
		mustBeAhead := func(want time.Duration) {
			t.Helper()
			if ahead, err := store.Ahead(t.Context()); err != nil || ahead != want {
				t.Errorf("ahead by %v, %v, want %v", ahead, err, want)
			}
		}
		first := appends(t, store, "a", eventstore.NoStream, events(1))
		mustBeAhead(0)
		now = noon.Add(-time.Hour)
		mustBeAhead(time.Hour)
		if p, err := store.Settle(t.Context(), noon); err != nil || p != first.Position {
			t.Errorf("settled at %d, %v", p, err)
		}
		second := appends(t, store, "a", 0, events(1))
		mustBeAhead(0)
		for e, err := range store.Read(t.Context(), "a", 1, eventstore.Forwards, 1) {
			if err != nil || !e.RecordedAt.Equal(now) {
				t.Errorf("recorded at %v, %v, want %v", e.RecordedAt, err, now)
			}
		}
		if p, err := store.Settle(t.Context(), now); err != nil || p != second.Position {
			t.Errorf("settled at %d, %v", p, err)
		}
		if p, err := store.Settle(t.Context(), noon); !errors.Is(err, eventstore.ErrFuture) {
			t.Errorf("settled at %d, %v", p, err)
		}
	})
}

func TestRealServer(t *testing.T) {
	connection := connectionToServer(t)
	storetest.Run(t, func(t testing.TB) eventstore.Store { return open(t, connection) }, storetest.Shared)
}

// connectionToServer skips a test if there is no real server.
func connectionToServer(t *testing.T) (connection string) {
	if connection = os.Getenv(realServer); connection == "" {
		t.Skip(realServer + " names no server")
	}
	return connection
}

// onBoth runs a test that needs no fault on the simulated server and on a real one.
func onBoth(t *testing.T, test func(t *testing.T, connection string)) {
	t.Run("stand-in", func(t *testing.T) { watch(t); test(t, start(t).ConnectionString()) })
	t.Run("server", func(t *testing.T) { watch(t); test(t, connectionToServer(t)) })
}

func start(t testing.TB) *esdbtest.Server { return startCluster(t, 1)[0] }

func startVersion(t testing.TB, version string) *esdbtest.Server {
	t.Helper()
	server := esdbtest.NewServer(esdbtest.Options{Version: version})
	t.Cleanup(server.Close)
	return server
}

func startCluster(t testing.TB, n int) []*esdbtest.Server {
	t.Helper()
	nodes := esdbtest.NewCluster(n, esdbtest.Options{})
	t.Cleanup(nodes[0].Close)
	return nodes
}

// prefix is one that no other test has.
func prefix() string { return "test-" + uuid.NewString() + "." }

// open opens a log that no other test has, and closes it before the test ends.
func open(t testing.TB, connection string) *esdb.Store {
	t.Helper()
	return openWith(t, connection, esdb.Options{Prefix: prefix()})
}

func openWith(t testing.TB, connection string, opts esdb.Options) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(t.Context(), connection, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// watch fails the test if it leaves goroutines behind. It comes first, so that it looks last.
func watch(t testing.TB) {
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, others) })
}

func events(n int) []eventstore.Event {
	made := make([]eventstore.Event, n)
	for i := range made {
		made[i] = eventstore.Event{ID: uuid.New(), Type: "happened", Data: []byte(`{"a":1}`), Meta: []byte("{}")}
	}
	return made
}

func appends(t testing.TB, store *esdb.Store, stream string, expected eventstore.Revision, given []eventstore.Event) eventstore.Appended {
	t.Helper()
	got, err := eventstore.AppendTo(t.Context(), store, stream, expected, given)
	if err != nil {
		t.Fatalf("Append at %d: %v", expected, err)
	}
	return got
}

// rest follows until it has caught up.
func rest(t testing.TB, store *esdb.Store, after eventstore.Position) []eventstore.Recorded {
	t.Helper()
	var got []eventstore.Recorded
	for batch, err := range store.Follow(t.Context(), after) {
		if err != nil {
			t.Fatalf("Follow after %d: %v", after, err)
		}
		if len(batch) == 0 {
			break
		}
		got = append(got, batch...)
	}
	return got
}

// holds checks that the log consists of the events, once each and in this order.
func holds(t testing.TB, store *esdb.Store, want []eventstore.Event) {
	t.Helper()
	got := slices.Collect(func(yield func(uuid.UUID) bool) {
		for _, e := range rest(t, store, eventstore.Start) {
			yield(e.ID)
		}
	})
	if !slices.EqualFunc(want, got, func(e eventstore.Event, id uuid.UUID) bool { return e.ID == id }) {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

// once returns a hook that fails the first call of a method, and is told how often it was called.
func once(method string, err error) (hook func(context.Context, string) error, calls *atomic.Int32) {
	calls = new(atomic.Int32)
	return func(_ context.Context, called string) error {
		if called == method && calls.Add(1) == 1 {
			return err
		}
		return nil
	}, calls
}

// TestUnexpected has servers that send what no client expects.
func TestUnexpected(t *testing.T) {
	watch(t)
	odd := map[string]func(m *streams.ReadResp) []*streams.ReadResp{
		"an empty message": func(m *streams.ReadResp) []*streams.ReadResp { return []*streams.ReadResp{{}, m} },
		"a position unasked": func(m *streams.ReadResp) []*streams.ReadResp {
			return []*streams.ReadResp{{Content: &streams.ReadResp_LastStreamPosition{}}, m}
		},
		"fallen behind": func(m *streams.ReadResp) []*streams.ReadResp {
			return []*streams.ReadResp{{Content: &streams.ReadResp_FellBehind_{}}, m}
		},
		"a message twice": func(m *streams.ReadResp) []*streams.ReadResp { return []*streams.ReadResp{m, m} },
		"an event of nothing": func(*streams.ReadResp) []*streams.ReadResp {
			return []*streams.ReadResp{{Content: &streams.ReadResp_Event{}}}
		},
		"no time": func(*streams.ReadResp) []*streams.ReadResp {
			return []*streams.ReadResp{{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
				Event: &streams.ReadResp_ReadEvent_RecordedEvent{Id: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}},
			}}}}
		},
		"no id": func(*streams.ReadResp) []*streams.ReadResp {
			return []*streams.ReadResp{{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
				Event: &streams.ReadResp_ReadEvent_RecordedEvent{Metadata: map[string]string{"created": "1"}},
			}}}}
		},
	}
	for name, instead := range odd {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			store := open(t, server.ConnectionString())
			given := events(3)
			appends(t, store, "a", eventstore.NoStream, given)
			var said atomic.Int32
			server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
				if m.GetEvent() != nil && said.Add(1) == 2 {
					return instead(m), nil
				}
				return []*streams.ReadResp{m}, nil
			}})
			holds(t, store, given)
			if said.Load() < 2 {
				t.Error("nothing unexpected was said")
			}
		})
	}
	t.Run("an event that stays without a time ends a subscription, after a while", func(t *testing.T) {
		server := start(t)
		store := openWith(t, server.ConnectionString(), esdb.Options{Patience: 50 * time.Millisecond})
		given := events(3)
		appends(t, store, "a", eventstore.NoStream, given)
		server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
			if m.GetEvent().GetEvent().GetStreamRevision() == 1 {
				return odd["no time"](m), nil
			}
			return []*streams.ReadResp{m}, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a test that hangs; no result depends on it
		defer cancel()
		var got []eventstore.Recorded
		var last error
		for batch, err := range store.Follow(ctx, eventstore.Start) {
			got, last = append(got, batch...), err
		}
		if len(got) != 1 || got[0].ID != given[0].ID || last == nil || !strings.Contains(last.Error(), "has no time") {
			t.Errorf("Follow: %v, after %v", last, got)
		}
	})
	t.Run("an empty answer to an append", func(t *testing.T) {
		server := start(t)
		store := open(t, server.ConnectionString())
		var said atomic.Int32
		server.Break(esdbtest.Faults{Reply: func(reply *streams.AppendResp) {
			if said.Add(1) == 1 {
				reply.Result = nil
			}
		}})
		given := events(2)
		appends(t, store, "a", eventstore.NoStream, given)
		holds(t, store, given)
	})
}

func TestWhatIsOurs(t *testing.T) {
	t.Run("C35 neither the server's own events nor others' are shown", func(t *testing.T) {
		onBoth(t, func(t *testing.T, connection string) {
			one, two := open(t, connection), open(t, connection)
			given, others := events(2), events(3)
			appends(t, two, "a", eventstore.NoStream, others[:2])
			appends(t, one, "a", eventstore.NoStream, given)
			appends(t, two, "a", 1, others[2:])
			holds(t, one, given)
			holds(t, two, others)
			all := rest(t, one, eventstore.Start)
			if all[0].Stream != "a" {
				t.Errorf("the stream is called %s", all[0].Stream)
			}
			head, err := one.Head(t.Context())
			if err != nil || head != all[1].Position {
				t.Errorf("the head is %d, %v, want %d", head, err, all[1].Position)
			}
		})
	})
	t.Run("C45 a follower skips thousands of other logs' events", func(t *testing.T) {
		onBoth(t, func(t *testing.T, connection string) {
			one, two := open(t, connection), open(t, connection)
			given := events(2)
			appends(t, one, "a", eventstore.NoStream, given[:1])
			for i := range eventstore.Revision(5) {
				appends(t, two, "a", i*4000-1, events(4000))
			}
			appends(t, one, "a", 0, given[1:])
			holds(t, one, given)
		})
	})
	t.Run("C48 a log keeps its identity, and no other has it", func(t *testing.T) {
		onBoth(t, func(t *testing.T, connection string) {
			ids, opts := make([]uuid.UUID, 8), esdb.Options{Prefix: prefix()}
			var all sync.WaitGroup
			for i := range ids {
				all.Go(func() { ids[i] = openWith(t, connection, opts).ID() })
			}
			all.Wait()
			if ids = slices.Compact(ids); len(ids) != 1 {
				t.Errorf("a log begun by many at once has the identities %v", ids)
			}
			if again := openWith(t, connection, opts); again.ID() != ids[0] {
				t.Errorf("the log was %v and is %v", ids[0], again.ID())
			}
			if other := open(t, connection); other.ID() == ids[0] {
				t.Error("two logs have one identity")
			}
		})
	})
	t.Run("C48 a log keeps its identity when the server restarts", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := openWith(t, server.ConnectionString(), esdb.Options{})
		server.Stop()
		server.Start()
		if again := openWith(t, server.ConnectionString(), esdb.Options{}); again.ID() != store.ID() {
			t.Errorf("the log was %v and is %v", store.ID(), again.ID())
		}
	})
	t.Run("C48 a replaced database is noticed", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		last := appends(t, store, "a", eventstore.NoStream, events(3))
		server.Restore(start(t).Backup())
		if _, err := eventstore.AppendTo(t.Context(), store, "a", 2, events(1)); !errors.Is(err, esdb.ErrReplaced) {
			t.Errorf("Append: %v", err)
		}
		for _, err := range store.Follow(t.Context(), last.Position) {
			if !errors.Is(err, esdb.ErrReplaced) {
				t.Errorf("Follow: %v", err)
			}
		}
	})
	t.Run("C47 a position from before a restore of an older backup is refused", func(t *testing.T) {
		watch(t)
		for _, version := range []string{"23.10.6", "25.0.0"} {
			server := startVersion(t, version)
			store := openWith(t, server.ConnectionString(), esdb.Options{Patience: 200 * time.Millisecond})
			appends(t, store, "a", eventstore.NoStream, events(3))
			backup := server.Backup()
			lost := appends(t, store, "a", 2, events(2)).Position
			server.Restore(backup)
			refused := func(when string) {
				for batch, err := range store.Follow(t.Context(), lost) {
					if !errors.Is(err, eventstore.ErrAhead) {
						t.Errorf("%s, %s: %v, %v", version, when, batch, err)
						return
					}
				}
			}
			refused("before the log has grown")
			appends(t, store, "other", eventstore.NoStream, events(50))
			refused("when it has grown beyond")
		}
	})
	t.Run("C47 a follower learns that the last event it saw was replaced", func(t *testing.T) {
		watch(t)
		server := start(t)
		opts := esdb.Options{Prefix: prefix()}
		store, other := openWith(t, server.ConnectionString(), opts), openWith(t, server.ConnectionString(), opts)
		appends(t, store, "a", eventstore.NoStream, events(3))
		backup := server.Backup()
		lost := appends(t, store, "a", 2, events(2)).Position
		var last error
		for batch, err := range store.Follow(t.Context(), eventstore.Start) {
			if last = err; err == nil && len(batch) == 0 {
				server.Restore(backup)
				if again := appends(t, other, "a", 2, events(2)).Position; again != lost {
					t.Fatalf("what replaces the event at %d stands at %d", lost, again)
				}
				appends(t, other, "a", 4, events(1))
			}
			if len(batch) > 0 && batch[0].Revision == 5 {
				t.Fatal("the follower skipped what replaced it")
			}
		}
		if !errors.Is(last, eventstore.ErrAhead) {
			t.Errorf("Follow: %v", last)
		}
	})
	t.Run("C47 an error that passes is not taken for a position that is ahead", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		given := events(2)
		first := appends(t, store, "a", eventstore.NoStream, given[:1])
		appends(t, store, "a", 0, given[1:])
		var said atomic.Int32
		server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
			if m.GetEvent() != nil && said.Add(1) == 1 {
				return nil, status.Error(codes.Unknown, "Unexpected ReadAllResult: Error")
			}
			return []*streams.ReadResp{m}, nil
		}})
		if got := rest(t, store, first.Position); len(got) != 1 || got[0].ID != given[1].ID {
			t.Errorf("followed %v", got)
		}
	})
	t.Run("C47 a follower at work during the restore learns of it", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		appends(t, store, "a", eventstore.NoStream, events(3))
		backup := server.Backup()
		appends(t, store, "a", 2, events(2))
		var last error
		for batch, err := range store.Follow(t.Context(), eventstore.Start) {
			if last = err; err == nil && len(batch) == 0 {
				server.Restore(backup)
			}
		}
		if !errors.Is(last, eventstore.ErrAhead) {
			t.Errorf("Follow: %v", last)
		}
	})
}

// TestRefused: errors that retrying cannot help are returned at once.
func TestRefused(t *testing.T) {
	watch(t)
	server := start(t)
	for _, prefix := range []string{"$a", "log:a", "a b", "ä", "\x00"} {
		if _, err := esdb.Open(t.Context(), server.ConnectionString(), esdb.Options{Prefix: prefix}); err == nil {
			t.Errorf("the prefix %q was taken", prefix)
		}
	}
	for _, connection := range []string{"", "http://127.0.0.1", "esdb://", "esdb://a:b:c"} {
		if _, err := esdb.Open(t.Context(), connection, esdb.Options{}); err == nil {
			t.Errorf("the connection string %q was taken", connection)
		}
	}
	secret := "geh%eim"
	if _, err := esdb.Open(t.Context(), "esdb://desk:"+secret+"@host", esdb.Options{}); err == nil || strings.Contains(err.Error(), "geh") {
		t.Errorf("the password was told: %v", err)
	}
	if _, err := esdb.Open(t.Context(), "esdb://host?tlsCaFile=/nowhere", esdb.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestSizes(t *testing.T) {
	t.Run("C17 a server with a lower limit is reported", func(t *testing.T) {
		watch(t)
		for _, version := range []string{"23.10.6", "25.0.0"} {
			server := esdbtest.NewServer(esdbtest.Options{Version: version, MaxAppendSize: 1000})
			t.Cleanup(server.Close)
			store := open(t, server.ConnectionString())
			large := events(2)
			large[1].Data = bytes.Repeat([]byte("x"), 2000)
			want := eventstore.TooLargeError{Bytes: eventstore.Size(large), Events: 2, Limit: 1000}
			_, err := eventstore.AppendTo(t.Context(), store, "a", eventstore.NoStream, large)
			if got := new(eventstore.TooLargeError); !errors.As(err, &got) || *got != want {
				t.Errorf("%s: Append: %v, want %v", version, err, &want)
			}
			holds(t, store, nil)
		}
	})
	t.Run("C17 a server with default settings accepts the contract's limit", func(t *testing.T) {
		watch(t)
		store := open(t, startVersion(t, "25.0.0").ConnectionString())
		given := []eventstore.Event{
			{ID: uuid.New(), Type: strings.Repeat("t", 1000), Meta: make([]byte, eventstore.MaxAppendSize-2000)},
		}
		appends(t, store, "a", eventstore.NoStream, given)
		holds(t, store, given)
		given[0].Type += "t"
		if _, err := eventstore.AppendTo(t.Context(), store, "a", 0, given); err == nil || strings.Contains(err.Error(), "server") {
			t.Errorf("one letter more: %v", err)
		}
	})
}

func TestTLS(t *testing.T) {
	watch(t)
	server := esdbtest.NewServer(esdbtest.Options{User: "desk", Password: "changeit"})
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	connection := server.ConnectionString() + "&tlsCaFile=" + ca
	store := open(t, connection)
	given := events(1)
	appends(t, store, "a", eventstore.NoStream, given)
	holds(t, store, given)

	var told atomic.Value
	server.Break(esdbtest.Faults{Call: func(ctx context.Context, method string) error {
		if headers, _ := metadata.FromIncomingContext(ctx); method == "Gossip" {
			told.Store(headers.Get("authorization"))
		}
		return nil
	}})
	open(t, strings.Replace(connection, "esdb://", "esdb+discover://", 1)+"&gossipTimeout=0")
	if got, _ := told.Load().([]string); len(got) != 1 {
		t.Errorf("the answer to who leads is %v", got)
	}

	for wrong, want := range map[string]codes.Code{
		strings.Replace(connection, "changeit", "secret", 1):           codes.Unauthenticated,
		strings.Replace(connection, "desk:changeit@", "", 1):           codes.PermissionDenied,
		strings.Replace(server.ConnectionString(), "true", "false", 1): codes.Unavailable,
		server.ConnectionString():                                      codes.Unavailable,
	} {
		_, err := esdb.Open(t.Context(), wrong, esdb.Options{Patience: time.Millisecond})
		if status.Code(err) != want {
			t.Errorf("%s: %v, want %v", wrong, err, want)
		}
	}
}
