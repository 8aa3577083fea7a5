package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

func event() []eventstore.Event {
	return []eventstore.Event{{ID: uuid.New(), Type: "happened", Data: []byte("{}")}}
}

// A load is writers that append to streams of their own, each event until it is acknowledged, and a follower of each store.
type load struct {
	head               atomic.Uint64 // up to which the followers go, once it is known
	writing, following sync.WaitGroup
	enough             context.CancelFunc

	mu           sync.Mutex
	acknowledged int
	grown        sync.Cond // it has
	last         map[string]eventstore.Revision
	followed     [][]eventstore.Recorded
}

// begin starts writers and a follower on each store.
func begin(t *testing.T, writers int, stores ...*postgres.Store) *load {
	ctx, enough := context.WithCancel(t.Context())
	l := &load{enough: enough, last: map[string]eventstore.Revision{}}
	l.grown.L = &l.mu
	for n, store := range stores {
		for w := range writers {
			l.writing.Go(func() { l.write(t, ctx, store, fmt.Sprintf("stream-%d-%d", n, w)) })
		}
		l.following.Go(func() { l.follow(t, store) })
	}
	return l
}

func (l *load) write(t *testing.T, ctx context.Context, store *postgres.Store, stream string) {
	revision := eventstore.NoStream
	for ctx.Err() == nil {
		given := event()
		got, err := store.Append(t.Context(), stream, revision, given)
		for ; err != nil; got, err = store.Append(t.Context(), stream, revision, given) {
			if conflict := (*eventstore.ConflictError)(nil); errors.As(err, &conflict) || t.Context().Err() != nil {
				t.Errorf("nobody else writes to it, and yet: %v", err)
				return
			}
		}
		revision = got.Revision
		l.mu.Lock()
		l.acknowledged++
		l.last[stream] = revision
		l.mu.Unlock()
		l.grown.Broadcast()
	}
}

// follow begins again where it was when the database has been away, as a projection does.
func (l *load) follow(t *testing.T, store *postgres.Store) {
	var followed []eventstore.Recorded
	after := eventstore.Start
	for t.Context().Err() == nil {
		for batch, err := range store.Follow(t.Context(), after) {
			if err != nil {
				break
			}
			followed = append(followed, batch...)
			if len(batch) > 0 {
				after = batch[len(batch)-1].Position
			}
			if head := l.head.Load(); head > 0 && uint64(after) >= head {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.followed = append(l.followed, followed)
				return
			}
		}
	}
}

// end stops the writers and says what was lost, doubled or out of order.
func (l *load) end(t *testing.T, store *postgres.Store) {
	t.Helper()
	l.enough()
	l.writing.Wait()
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if int(head) != l.acknowledged {
		t.Errorf("%d appends were acknowledged, and the log has %d events", l.acknowledged, head)
	}
	l.head.Store(uint64(head) + 1)
	if _, err := store.Append(t.Context(), "end", eventstore.NoStream, event()); err != nil {
		t.Fatal(err)
	}
	l.following.Wait()
	for _, followed := range l.followed {
		revisions := map[string]eventstore.Revision{}
		for i, e := range followed {
			if e.Position != eventstore.Position(i+1) {
				t.Fatalf("a follower saw position %d in place %d", e.Position, i+1)
			}
			if before, ok := revisions[e.Stream]; ok && e.Revision != before+1 || !ok && e.Revision != 0 {
				t.Fatalf("a follower saw revision %d of %s after %d", e.Revision, e.Stream, before)
			}
			revisions[e.Stream] = e.Revision
		}
		for stream, revision := range l.last {
			if revisions[stream] != revision {
				t.Errorf("a follower saw %s up to revision %d, and %d was acknowledged", stream, revisions[stream], revision)
			}
		}
	}
}

// waitFor waits until so many more appends were acknowledged.
func (l *load) waitFor(more int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.acknowledged + more; l.acknowledged < until; {
		l.grown.Wait()
	}
}

// TestSeveralWriters has two processes' stores on one log, and both write.
func TestSeveralWriters(t *testing.T) {
	t.Run("C34 two stores append at once, and nobody sees a gap or anything twice", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		url := testdb.URL(t)
		one, two := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
		if one.ID() != two.ID() {
			t.Error("one log has two identities")
		}
		l := begin(t, 8, one, two)
		l.waitFor(3000)
		l.end(t, one)
		shut(t, one)
		shut(t, two)
	})
}

func shut(t testing.TB, store *postgres.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// scripted is how many faults there are: few here, many in a soak.
func scripted(few, many int) int {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return many
	}
	return few
}

// TestServerDies kills the server and starts it again, while two stores write.
func TestServerDies(t *testing.T) {
	t.Run("C51 appends outlive the server, once each", func(t *testing.T) {
		server := testdb.NewServer(t)
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		one, two := open(t, server.URL(), postgres.Options{}), open(t, server.URL(), postgres.Options{})
		l := begin(t, 4, one, two)
		for range scripted(3, 30) {
			l.waitFor(200)
			server.Restart(t)
		}
		l.waitFor(200)
		l.end(t, two)
		shut(t, one)
		shut(t, two)
	})
}

// TestConnectionFails has a proxy before the server do to connections what networks do, to half of them at least.
func TestConnectionFails(t *testing.T) {
	t.Cleanup(postgres.Silence(300 * time.Millisecond))
	server := testdb.NewServer(t)
	t.Run("C51 appends outlive their connections, once each", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), // the proxy loses its own
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"))
		proxy, url := newProxy(t, server)
		store := open(t, url, postgres.Options{})
		l := begin(t, 8, store)
		toxics := []string{
			`"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 2000}`,   // cut in the middle of a question
			`"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 2000}`, // or of an answer
			`"type": "latency", "stream": "downstream", "attributes": {"latency": 20, "jitter": 20}`,
			`"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}`, // no answer ever
			`"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}`,
			`"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 10}`,
			`"type": "slow_close", "stream": "downstream", "attributes": {"delay": 50}`,
		}
		for n := range scripted(16, 400) {
			l.waitFor(50)
			kind := n % (len(toxics) + 1)
			if kind == len(toxics) {
				proxy.Stop()
				if err := proxy.Start(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name": "it", "toxicity": 0.5, ` + toxics[kind] + `}`)); err != nil {
				t.Fatal(err)
			}
			l.waitFor(20)
			if err := proxy.Toxics.RemoveToxic(t.Context(), "it"); err != nil {
				t.Fatal(err)
			}
		}
		l.waitFor(50)
		l.end(t, store)
		shut(t, store)
		proxy.Stop()
	})
}

// newProxy starts a proxy before a server, and returns the database's address through it.
func newProxy(t *testing.T, server *testdb.Server) (proxy *toxiproxy.Proxy, through string) {
	t.Helper()
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	proxy = toxiproxy.NewProxy(toxiproxy.NewServer(metrics, zerolog.Nop()), "postgres", "127.0.0.1:0", server.Address())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	return proxy, strings.Replace(server.URL(), server.Address(), proxy.Listen, 1)
}
