package postgres_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// either is the address of a database that is on two servers, one of which is to be written to.
func either(t *testing.T, one, two *testdb.Server) string {
	t.Helper()
	var ports []string
	for _, s := range []*testdb.Server{one, two} {
		_, port, err := net.SplitHostPort(s.Address())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return "postgres://postgres@127.0.0.1,127.0.0.1/postgres?sslmode=disable&target_session_attrs=read-write&port=" + strings.Join(ports, ",")
}

// promote makes a standby the server that is written to, and returns when it is.
func promote(t *testing.T, standby *testdb.Server) {
	t.Helper()
	execute(t, standby.URL(), "SELECT pg_promote()")
}

// set changes a setting of a whole server.
func set(t *testing.T, server *testdb.Server, setting string) {
	t.Helper()
	execute(t, server.URL(), "ALTER SYSTEM SET "+setting)
	execute(t, server.URL(), "SELECT pg_reload_conf()")
}

// TestFailover has a standby take over from a server that confirmed nothing before the standby had it.
func TestFailover(t *testing.T) {
	t.Cleanup(postgres.Silence(300 * time.Millisecond))
	for name, end := range map[string]func(t *testing.T, primary *testdb.Server){
		"dies": func(t *testing.T, primary *testdb.Server) { primary.Stop(t, syscall.SIGQUIT) },
		// Its connections last, and it is still there to be read.
		"is demoted": func(t *testing.T, primary *testdb.Server) { set(t, primary, "default_transaction_read_only = on") },
	} {
		t.Run("C51 appends go on at the standby when the primary "+name, func(t *testing.T) {
			primary := testdb.NewServer(t)
			standby := primary.Standby(t)
			set(t, primary, "synchronous_standby_names = '*'")
			primary.Restart(t, syscall.SIGINT)
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			url := either(t, primary, standby)
			one, two := open(t, url, patient), open(t, url, patient)
			l := begin(t, 4, one, two)
			l.goOn(200)
			end(t, primary)
			promote(t, standby)
			l.goOn(200)
			l.allGoOn()
			l.end(one)
			shut(t, one)
			shut(t, two)
		})
	}
	t.Run("C34 a log that lost its end to a failover has no gap, and who saw more learns it", func(t *testing.T) {
		primary := testdb.NewServer(t)
		standby := primary.Standby(t)
		store := open(t, either(t, primary, standby), patient)
		defer shut(t, store)
		appends(t, store)
		standby.Stop(t, syscall.SIGINT) // it may have that batch, and has none that comes
		seen := appends(t, store)
		primary.Stop(t, syscall.SIGQUIT)
		standby.Start(t)
		promote(t, standby)
		for _, err := range store.Follow(t.Context(), seen) {
			if !errors.Is(err, eventstore.ErrAhead) {
				t.Errorf("following what was lost: %v", err)
			}
			break
		}
		last := appends(t, store)
		if got := rest(t, store, eventstore.Start); last > seen || len(got) != int(last) {
			t.Errorf("the log ends at %d and has %d events; it was at %d", last, len(got), seen)
		}
	})
}

// TestRefusedForAWhile has a server refuse, for a while, what a role asks.
func TestRefusedForAWhile(t *testing.T) {
	for code, test := range map[string]struct{ refuse, accept string }{
		"25006": {"ALTER ROLE %s SET default_transaction_read_only = on", "ALTER ROLE %s RESET default_transaction_read_only"},
		"53300": {"ALTER ROLE %s CONNECTION LIMIT 0", "ALTER ROLE %s CONNECTION LIMIT -1"},
	} {
		t.Run("C51 appends wait out SQLSTATE "+code, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			owner, address := mayWrite(t)
			store, impatient := open(t, address, patient), open(t, address, postgres.Options{Patience: 1})
			l := begin(t, 4, store)
			l.allGoOn()
			execute(t, owner, fmt.Sprintf(test.refuse, role(t, address)))
			for refused := (*pq.Error)(nil); refused == nil || string(refused.Code) != code; {
				execute(t, owner, hangUp) // what the sessions were told before lasts
				_, err := impatient.Append(t.Context(), "nothing", 0, event())
				refused, _ = errors.AsType[*pq.Error](err)
			}
			execute(t, owner, fmt.Sprintf(test.accept, role(t, address)))
			l.allGoOn()
			l.end(store)
			shut(t, store)
			shut(t, impatient)
		})
	}
	t.Run("C51 an append refused on a connection is tried on a new one", func(t *testing.T) {
		owner, address := mayWrite(t)
		store := open(t, address, postgres.Options{})
		defer shut(t, store)
		execute(t, owner, "ALTER ROLE "+role(t, address)+" SET default_transaction_read_only = on")
		execute(t, owner, hangUp)
		for err := errors.New("not asked"); err != nil; { // until there is a new connection, which stays what it is
			_, err = store.Head(t.Context())
		}
		execute(t, owner, "ALTER ROLE "+role(t, address)+" RESET default_transaction_read_only")
		appends(t, store)
	})
}

// mayWrite makes an empty log, and returns its address for its owner, and for another who may write to it.
func mayWrite(t *testing.T) (owner, other string) {
	t.Helper()
	owner = testdb.URL(t)
	shut(t, open(t, owner, postgres.Options{}))
	return owner, stranger(t, owner, "GRANT USAGE ON SCHEMA eventlog TO %[1]s; GRANT ALL ON ALL TABLES IN SCHEMA eventlog TO %[1]s")
}
