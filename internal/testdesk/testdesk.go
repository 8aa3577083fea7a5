// Package testdesk gives HTTP tests a whole desk: the program in a process of its own, and a client that checks every
// answer against the OpenAPI document.
//
//	c := testdesk.Serve(t, t.TempDir())
//	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
//
// The desk ends with the test. A data race in it, or a bad exit, fails the test.
package testdesk

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"daybook/internal/testdb"
)

// RaceOptions is the environment variable with the options of the race detector.
const RaceOptions = "GORACE"

// Run runs a package's tests and removes what they built and share. Call it in TestMain.
func Run(m *testing.M) (code int) {
	defer func() { os.RemoveAll(builtIn) }()
	os.Setenv(RaceOptions, "atexit_sleep_ms=10 "+os.Getenv(RaceOptions)) // otherwise each process takes a second to end
	return testdb.Run(m)
}

// Serve serves the desk in a folder until the test ends, and returns a client with the owner's key.
func Serve(t *testing.T, folder string, args ...string) Client {
	t.Helper()
	c, _ := Built(t).Serve(t, folder, args...)
	return c
}

// Key creates an API key of the desk that is served from a folder.
func Key(t *testing.T, folder, role, agent string) string {
	t.Helper()
	return Built(t).Key(t, folder, role, agent)
}

// Eventually waits until a condition holds, at most as long as the test may last.
func Eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.Now().Add(2 * time.Minute)
	if deadline, ok := t.Deadline(); ok {
		limit = deadline.Add(-10 * time.Second)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(limit) {
			t.Fatalf("timed out waiting for this: %s", what)
		}
		<-tick.C
	}
}

// Soak reports whether to run the long tests: whole journals, ten kills, a thousand requests.
func Soak() bool { return os.Getenv("DAYBOOK_SOAK") != "" }

// Chance returns a source of random numbers and logs its seed. Set DAYBOOK_SEED to the seed to reproduce a failure.
func Chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("DAYBOOK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DAYBOOK_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// LeaveOut skips a test because the machine lacks something, or fails it if no test may be skipped.
func LeaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("DAYBOOK_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip("left out: " + why)
}
