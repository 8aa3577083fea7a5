package postgres_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jmoiron/sqlx"
	"go.uber.org/goleak"

	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// TestSeveralWriters has two stores write to one log, as two processes do.
func TestSeveralWriters(t *testing.T) {
	t.Run("C34 two stores append at once, and no reader sees a gap or an event twice", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		url := testdb.URL(t)
		one, two := open(t, url, patient), open(t, url, patient)
		if one.ID() != two.ID() {
			t.Error("one log has two identities")
		}
		l := begin(t, 8, one, two)
		l.goOn(3000)
		l.end(one)
		shut(t, one)
		shut(t, two)
	})
	t.Run("two stores append while a process sleeps in its turn", func(t *testing.T) {
		url := testdb.URL(t)
		one, two := open(t, url, patient), open(t, url, patient)
		asleep := sqlx.MustConnect("postgres", url)
		defer asleep.Close()
		asleep.SetMaxOpenConns(1)
		asleep.MustExec("SELECT pg_advisory_lock(hashtextextended('eventlog', 0))")
		l := begin(t, 8, one, two)
		l.goOn(500)
		l.end(one)
		if held := 0; asleep.Get(&held, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") != nil || held != 1 {
			t.Error("the turn was not kept: this tests nothing")
		}
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

// scripted is the number of faults: few here, many in a soak.
func scripted(few, many int) int {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return many
	}
	return few
}

// TestFaults makes a server and the network before it fail in many ways while two stores write and are read.
func TestFaults(t *testing.T) {
	t.Cleanup(postgres.Silence(200 * time.Millisecond))
	server := testdb.NewServer(t)
	t.Run("C51 appends outlive the server and their connections, once each", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), // the proxy leaks goroutines
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"))
		proxy := newProxy(t, server)
		one, two := open(t, proxy.url, patient), open(t, proxy.url, patient)
		l := begin(t, 4, one, two)
		some := func() { l.goOn(20) }
		toxic := func(toxic string, meanwhile func()) func() {
			return func() { proxy.during(t, toxic, meanwhile) }
		}
		faults := []struct {
			kind   string
			strike func()
		}{
			{"cut", func() { proxy.cut(t) }},
			{"cut", func() { execute(t, server.URL(), hangUp) }},
			{"cut", toxic(`"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 1}`, some)},
			{"cut", toxic(`"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 1}`, some)},
			{"delayed", toxic(`"type": "latency", "stream": "upstream", "attributes": {"latency": 250, "jitter": 100}`, some)}, // about when the caller gives up
			{"delayed", toxic(`"type": "latency", "stream": "downstream", "attributes": {"latency": 10, "jitter": 10}`, some)},
			{"half-closed", toxic(`"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 2000}`, some)},   // in the middle of a query
			{"half-closed", toxic(`"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 2000}`, some)}, // or of an answer
			{"half-closed", toxic(`"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}`, some)},
			{"half-closed", toxic(`"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}`, some)}, // no answer ever
			{"half-closed", toxic(`"type": "slow_close", "stream": "downstream", "attributes": {"delay": 20}`, func() {
				execute(t, server.URL(), hangUp)
				some()
			})},
			{"killed", func() { server.Restart(t, syscall.SIGQUIT) }},
			{"killed", func() { server.Restart(t, syscall.SIGKILL) }},
			{"killed", func() { killSession(t, server) }},
		}
		struck := map[string]int{}
		for n := range scripted(len(faults), 1000) {
			fault := faults[n%len(faults)]
			fault.strike()
			l.allGoOn()
			struck[fault.kind]++
		}
		events := l.end(two)
		shut(t, one)
		shut(t, two)
		proxy.Stop()
		var counts []string
		for _, kind := range slices.Sorted(maps.Keys(struck)) {
			counts = append(counts, fmt.Sprint(struck[kind], " ", kind))
		}
		t.Logf("soak: %s, %d events: none lost, none doubled", strings.Join(counts, ", "), events)
	})
}

func TestHungUp(t *testing.T) {
	t.Run("C51 a connection that was lost is no loss to a log that closes", func(t *testing.T) {
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		appends(t, store)
		execute(t, url, hangUp)
		shut(t, store)
	})
}

// hangUp ends all sessions but its own.
const hangUp = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()"

// killSession kills the process of one session. The server then assumes that its memory is corrupt, and ends all sessions.
func killSession(t *testing.T, server *testdb.Server) {
	t.Helper()
	db, err := sqlx.Connect("postgres", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var pid int
	if err := db.Get(&pid, "SELECT pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	backend, err := os.FindProcess(pid)
	if err == nil {
		err = backend.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A proxy is a network before a server.
type proxy struct {
	*toxiproxy.Proxy
	url string // of the database, through it
}

func newProxy(t *testing.T, server *testdb.Server) *proxy {
	t.Helper()
	network, proxied := testdb.Proxy(t, server.URL())
	return &proxy{network, proxied}
}

// cut closes all connections.
func (p *proxy) cut(t *testing.T) {
	t.Helper()
	p.Stop()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

// during does something to half of the connections while something else is done.
func (p *proxy) during(t *testing.T, toxic string, meanwhile func()) {
	t.Helper()
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(`{"name": "it", "toxicity": 0.5, ` + toxic + `}`)); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	if err := p.Toxics.RemoveToxic(t.Context(), "it"); err != nil {
		t.Fatal(err)
	}
}
