package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// either is the address of a database on two servers, one of which accepts writes.
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

// promote promotes a standby, and returns when it accepts writes.
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
		t.Run("C51 appends continue at the standby when the primary "+name, func(t *testing.T) {
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
	t.Run("C34 a log that lost its end in a failover has no gap, and followers that saw more learn of it", func(t *testing.T) {
		primary := testdb.NewServer(t)
		standby := primary.Standby(t)
		store := open(t, either(t, primary, standby), patient)
		defer shut(t, store)
		appends(t, store)
		hasTables(t, standby)
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

// hasTables waits until a standby has the log's tables.
func hasTables(t *testing.T, standby *testdb.Server) {
	t.Helper()
	db, err := sql.Open("postgres", standby.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for has := false; !has; {
		if err := db.QueryRowContext(t.Context(), "SELECT to_regclass('eventlog.events') IS NOT NULL").Scan(&has); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDemoted refuses an append on a connection to a server that has stopped accepting writes.
func TestDemoted(t *testing.T) {
	t.Run("C51 a server that may only be read judges nothing", func(t *testing.T) {
		server := testdb.NewServer(t)
		store := open(t, server.URL(), postgres.Options{Patience: 1})
		defer shut(t, store)
		appends(t, store)
		set(t, server, "default_transaction_read_only = on")
		var refused *pq.Error
		for begin := time.Now(); refused == nil && time.Since(begin) < 10*time.Second; { // its sessions notice one after the other
			_, err := eventstore.AppendTo(t.Context(), store, "a", 7, event())
			refused, _ = errors.AsType[*pq.Error](err)
		}
		if refused == nil || refused.Code != "25006" {
			t.Errorf("got %v", refused)
		}
	})
}

// put writes events past the writer.
func put(t *testing.T, store *postgres.Store, stream string, revision eventstore.Revision, at eventstore.Position, n int) {
	t.Helper()
	for i := range n {
		e := eventstore.Recorded{
			ID: uuid.New(), Type: "happened", Stream: stream, Revision: revision + eventstore.Revision(i), Position: at + eventstore.Position(i),
			RecordedAt: time.Now().UTC().Truncate(time.Microsecond), Data: []byte{}, Meta: []byte{},
		}
		if err := store.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUntold: what a process wrote that was killed before it told others of it is found all the same.
func TestUntold(t *testing.T) {
	store := open(t, testdb.URL(t), postgres.Options{})
	defer shut(t, store)
	for batch, err := range store.Follow(t.Context(), eventstore.Start) {
		switch {
		case err != nil:
			t.Fatal(err)
		case len(batch) == 0: // it has caught up, and waits to be told
			put(t, store, "a", 0, 1, 1)
		case len(batch) == 1 && batch[0].Stream == "a":
			return
		default:
			t.Fatalf("it reads %+v", batch)
		}
	}
}

// TestLostEnd takes from a log what a failover can lose: the last events.
func TestLostEnd(t *testing.T) {
	const cut = "DELETE FROM eventlog.events WHERE position > 1;"
	t.Run("C51 an append is judged by what is left", func(t *testing.T) {
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		defer shut(t, store)
		var given []eventstore.Event
		for i := range eventstore.Revision(4) {
			given = event()
			if _, err := eventstore.AppendTo(t.Context(), store, "a", i-1, given); err != nil {
				t.Fatal(err)
			}
		}
		execute(t, url, cut)
		conflict := (*eventstore.ConflictError)(nil)
		if _, err := eventstore.AppendTo(t.Context(), store, "a", 2, given); !errors.As(err, &conflict) || conflict.Actual != 0 {
			t.Errorf("an append that was lost, again: %v", err)
		}
		if got, err := eventstore.AppendTo(t.Context(), store, "a", 0, event()); err != nil || got != (eventstore.Appended{Revision: 1, Position: 2, New: true}) {
			t.Errorf("an append to what is left: %+v, %v", got, err)
		}
		execute(t, url, cut)
		if got, err := eventstore.AppendTo(t.Context(), store, "a", 0, event()); err != nil || got != (eventstore.Appended{Revision: 1, Position: 2, New: true}) {
			t.Errorf("another, in the place of a lost one: %+v, %v", got, err)
		}
	})
	t.Run("C34 what others wrote in the place of lost events is noticed", func(t *testing.T) {
		url := testdb.URL(t)
		one, two := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
		defer shut(t, one)
		defer shut(t, two)
		if _, err := eventstore.AppendTo(t.Context(), one, "a", eventstore.NoStream, batch()); err != nil {
			t.Fatal(err)
		}
		execute(t, url, "DELETE FROM eventlog.events")
		appends(t, two)
		conflict := (*eventstore.ConflictError)(nil)
		if got, err := eventstore.AppendTo(t.Context(), one, "a", childBatch-1, event()); !errors.As(err, &conflict) || conflict.Actual != eventstore.NoStream {
			t.Errorf("an append after what was lost: %+v, %v", got, err)
		}
	})
	for name, grown := range map[string]bool{
		"C47 followers learn that the log lost its end":                     false,
		"C47 followers learn that the log lost its end and has grown since": true,
	} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []eventstore.Position{eventstore.Start, 1, childBatch} {
				url := testdb.URL(t)
				store := open(t, url, postgres.Options{})
				defer shut(t, store)
				appends(t, store)
				next, stop := iter.Pull2(store.Follow(t.Context(), after))
				defer stop()
				mustCatchUp(t, next)
				execute(t, url, cut)
				if grown {
					put(t, store, "other", 0, 2, childBatch)
				}
				if got, err, _ := next(); !errors.Is(err, eventstore.ErrAhead) {
					t.Errorf("a follower from %d got %d events, %v", after, len(got), err)
				}
			}
		})
	}
	t.Run("C47 a server that may only be read may lack events for a while", func(t *testing.T) {
		owner, address := mayWrite(t)
		store := open(t, owner, postgres.Options{})
		defer shut(t, store)
		appends(t, store)
		execute(t, owner, "ALTER ROLE "+role(t, address)+" SET default_transaction_read_only = on")
		reader := open(t, address, postgres.Options{})
		defer shut(t, reader)
		next, stop := iter.Pull2(reader.Follow(t.Context(), eventstore.Start))
		defer stop()
		mustCatchUp(t, next)
		execute(t, owner, "CREATE TABLE lacking AS SELECT * FROM eventlog.events WHERE position > 1; "+cut+"NOTIFY eventlog")
		followed := make(chan error, 1)
		go func() {
			got, err, _ := next()
			if err == nil && (len(got) != 1 || got[0].Position != childBatch+1) {
				err = fmt.Errorf("followed %d events", len(got))
			}
			followed <- err
		}()
		select {
		case err := <-followed:
			t.Fatal("followed what is not there: ", err)
		case <-time.After(300 * time.Millisecond): // long enough for it to have checked
		}
		execute(t, owner, "INSERT INTO eventlog.events TABLE lacking")
		put(t, store, "other", 0, childBatch+1, 1)
		if err := <-followed; err != nil {
			t.Error(err)
		}
	})
}

// mustCatchUp follows until there is no more.
func mustCatchUp(t *testing.T, next func() ([]eventstore.Recorded, error, bool)) {
	t.Helper()
	for {
		got, err, _ := next()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return
		}
	}
}

// TestRefusedForAWhile has a server refuse a role's queries for a while.
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
				execute(t, owner, hangUp) // open sessions keep the previous setting
				_, err := eventstore.AppendTo(t.Context(), impatient, "nothing", 0, event())
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
		for err := errors.New("not asked"); err != nil; { // until there is a new connection, which keeps its setting
			_, err = store.Head(t.Context())
		}
		execute(t, owner, "ALTER ROLE "+role(t, address)+" RESET default_transaction_read_only")
		appends(t, store)
	})
	t.Run("C51 in an outage each waits for its own patience, in whatever batch, and Close no longer", func(t *testing.T) {
		const patience, callers = 300 * time.Millisecond, 100
		owner, address := mayWrite(t)
		store := open(t, address, postgres.Options{Patience: patience, MaxBatch: 1})
		outage := func(ctx context.Context) {
			execute(t, owner, "ALTER ROLE "+role(t, address)+" SET default_transaction_read_only = on")
			execute(t, owner, hangUp)
			var appending sync.WaitGroup
			for range callers {
				appending.Go(func() {
					if _, err := eventstore.AppendTo(ctx, store, uuid.NewString(), eventstore.NoStream, event()); err == nil {
						t.Error("appended in an outage")
					}
				})
			}
			appending.Wait()
		}
		soon := func(what string, since time.Time) {
			t.Helper()
			if took := time.Since(since); took > callers*patience/5 {
				t.Errorf("%s took %v, and patience is %v", what, took, patience)
			}
		}
		begin := time.Now()
		outage(t.Context())
		soon("an outage", begin)
		execute(t, owner, "ALTER ROLE "+role(t, address)+" RESET default_transaction_read_only")
		appends(t, store)
		leaving, cancel := context.WithTimeout(t.Context(), patience/3)
		defer cancel()
		outage(leaving)
		begin = time.Now()
		shut(t, store)
		soon("Close", begin)
	})
}

// mayWrite creates an empty log, and returns its address for its owner, and for another role that may write to it.
func mayWrite(t *testing.T) (owner, other string) {
	t.Helper()
	owner = testdb.URL(t)
	shut(t, open(t, owner, postgres.Options{}))
	return owner, stranger(t, owner, "GRANT USAGE ON SCHEMA eventlog TO %[1]s; GRANT ALL ON ALL TABLES IN SCHEMA eventlog TO %[1]s")
}
