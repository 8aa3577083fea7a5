package postgres_test

import (
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/internal/testdb"
)

// TestAsleep suspends a process at a random moment, lets another write, and resumes it.
func TestAsleep(t *testing.T) {
	t.Run("C34 a process suspended while it writes continues after others wrote, and no reader sees a gap or an event twice", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		url := testdb.URL(t)
		store := open(t, url, postgres.Options{})
		defer shut(t, store)
		c := newChild(t, url)
		var last eventstore.Position
		beyond := func(p eventstore.Position) bool { return p > last }
		for range scripted(20, 400) {
			c.listen(t, beyond) // it writes
			c.stop(t)
			last = appends(t, store)
			if err := c.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		}
		c.listen(t, beyond)
		c.kill(t)
		appends(t, store)
		c.mustHold(t, rest(t, store, eventstore.Start))
	})
}

// stop stops the child, and returns when it has.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var is syscall.WaitStatus
	for !is.Stopped() {
		if _, err := syscall.Wait4(c.Process.Pid, &is, syscall.WUNTRACED, nil); err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}
