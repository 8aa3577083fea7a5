package table

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/internal/testdb"
)

// schemas are the home of generations in a database of the test's own.
func schemas(t *testing.T, lease time.Duration) *Schemas {
	t.Helper()
	home, err := NewSchemas(testdb.URL(t), SchemasOptions{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := home.Close(); err != nil {
			t.Error(err)
		}
	})
	return home
}

// held takes a term without waiting.
func held(t *testing.T, home *Schemas, schema string) Term {
	t.Helper()
	term, err := home.Hold(t.Context(), schema, func() { t.Error("somebody else has it") })
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// proving returns what proves a term to a generation.
func proving(t *testing.T, home Home) func(Term) error {
	db := laid(t, home)
	return func(term Term) error { return db.Write(t.Context(), term.Prove) }
}

// TestATermAtATime has eight processes compete for a lease that does not expire, each holding it for a moment.
func TestATermAtATime(t *testing.T) {
	home := schemas(t, time.Hour)
	prove := proving(t, home)
	other := held(t, home, "other") // keeps nobody away
	const all = 8
	turns, done := make(chan Term), make(chan error)
	for range all {
		go func() {
			term, err := home.Hold(t.Context(), "s", func() {})
			if err != nil {
				done <- err
				return
			}
			turns <- term
			done <- nil
		}()
	}
	for range all {
		term := <-turns
		if err := errors.Join(prove(term), <-done, term.Context().Err()); err != nil {
			t.Error(err)
		}
		select {
		case <-turns:
			t.Error("two have the term")
		default:
		}
		if err := term.End(t.Context()); err != nil { // wakes the next, which would wait for an hour
			t.Error(err)
		}
		if err := prove(term); !errors.Is(err, ErrTermOver) {
			t.Errorf("after its end: %v", err)
		}
	}
	if err := errors.Join(prove(other), other.End(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestATermRunsOut takes the lease from a holder that does not renew it, and the holder learns of it.
func TestATermRunsOut(t *testing.T) {
	home := schemas(t, 300*time.Millisecond)
	prove := proving(t, home)
	db := sqlx.MustConnect("postgres", home.address.String())
	defer db.Close()
	asleep := held(t, home, "s")
	update := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	update("UPDATE readmodels.terms SET holder = 'another', until = clock_timestamp() + interval '1 hour'")
	<-asleep.Context().Done()
	if why := context.Cause(asleep.Context()); !errors.Is(why, ErrTermOver) {
		t.Errorf("it ended because of %v", why)
	}
	if err := prove(asleep); !errors.Is(err, ErrTermOver) {
		t.Error(err)
	}
	update("UPDATE readmodels.terms SET until = clock_timestamp()")
	next := held(t, home, "s") // what the other had has run out
	if err := errors.Join(asleep.End(t.Context()), prove(next), next.End(t.Context())); err != nil {
		t.Error(err)
	}

	lost := held(t, home, "s")
	update("ALTER TABLE readmodels.terms RENAME TO away") // as good as a database that is away
	<-lost.Context().Done()
	if err := lost.End(t.Context()); err == nil {
		t.Error("it could be ended")
	}
}

// TestWaitingForATermEnds ends with its context.
func TestWaitingForATermEnds(t *testing.T) {
	home := schemas(t, time.Hour)
	term := held(t, home, "s")
	ctx, stop := context.WithCancel(t.Context())
	if _, err := home.Hold(ctx, "s", stop); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := term.End(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWhoLostATermDoesNotTakeItAgain removes the lease while it is held, as when it expired by the database's clock and
// another process had it for a while.
func TestWhoLostATermDoesNotTakeItAgain(t *testing.T) {
	home := schemas(t, 300*time.Millisecond)
	prove := proving(t, home)
	term := held(t, home, "s")
	home.control.MustExec("DELETE FROM readmodels.terms")
	<-term.Context().Done()
	if why := context.Cause(term.Context()); !errors.Is(why, ErrTermOver) {
		t.Errorf("it ended because of %v", why)
	}
	if err := prove(term); !errors.Is(err, ErrTermOver) {
		t.Error(err)
	}
}

// TestWhoSleepsInATransactionKeepsNobodyWaiting suspends the writer while it blocks the lease.
func TestWhoSleepsInATransactionKeepsNobodyWaiting(t *testing.T) {
	defer func(before time.Duration) { shortestSleep = before }(shortestSleep)
	shortestSleep = time.Millisecond
	home := schemas(t, 500*time.Millisecond)
	db := laid(t, home)
	asleep := held(t, home, "s")
	var next Term
	err := db.Write(t.Context(), func(tx Tx) error {
		if err := asleep.Prove(tx); err != nil {
			return err
		}
		var err error
		next, err = home.Hold(t.Context(), "s", func() {})
		return err
	})
	if err == nil || next == nil {
		t.Fatal(err)
	}
	if err := next.End(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestATermEndsInSilence has the database stop answering without closing connections.
func TestATermEndsInSilence(t *testing.T) {
	network, proxied := testdb.Proxy(t, testdb.URL(t))
	home, err := NewSchemas(proxied, SchemasOptions{Lease: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	term := held(t, home, "s")
	testdb.Stall(t, network)
	<-term.Context().Done()
	if why := context.Cause(term.Context()); !errors.Is(why, ErrTermOver) {
		t.Errorf("it ended because of %v", why)
	}
	ending, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := term.End(ending); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestATermOfTheFuture: a lease is void if the database's clock was set back since it was taken. // 8.3
func TestATermOfTheFuture(t *testing.T) {
	home := schemas(t, time.Hour)
	prove := proving(t, home)
	gone := held(t, home, "s") // its process is killed
	isHeld := func() bool {
		all, err := home.Generations(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0].Held
	}
	if !isHeld() {
		t.Error("nobody has the term")
	}
	home.control.MustExec("UPDATE readmodels.terms SET since = since + interval '1 hour', until = until + interval '1 hour'")
	if isHeld() {
		t.Error("it is held in the future")
	}
	next := held(t, home, "s")
	if err := errors.Join(prove(next), next.End(t.Context())); err != nil {
		t.Error(err)
	}
	if err := prove(gone); !errors.Is(err, ErrTermOver) {
		t.Error(err)
	}
}
