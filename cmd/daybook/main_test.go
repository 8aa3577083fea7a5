package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"daybook/internal/testdesk"
)

// TestMain lets the test binary act as the program: a test that runs "daybook" runs main in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"daybook": main})
}

// tests runs all tests and cleans up after them.
type tests struct{ *testing.M }

// Run runs the tests.
func (t tests) Run() int { return testdesk.Run(t.M) }

// inProcess runs main's own function in this process.
var inProcess = testdesk.InProcess(func(ctx context.Context, args []string, out, talk io.Writer) int {
	err := run(ctx, args, out, talk)
	if err != nil {
		fmt.Fprintln(talk, err)
	}
	return exitStatus(err)
})

// reexec runs the test binary as the program, in a process of its own that can be killed.
var reexec = testdesk.At("daybook")

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		e.Setenv(testdesk.RaceOptions, os.Getenv(testdesk.RaceOptions))
		return os.WriteFile(filepath.Join(e.WorkDir, "desk.journal.ndjson"), testdesk.Journal(t), 0o600)
	}})
}

// TestInPostgreSQL runs tests once more, with the read models in PostgreSQL.
func TestInPostgreSQL(t *testing.T) {
	t.Parallel()
	testdesk.InPostgreSQL(t, map[string]func(*testing.T){"ConcurrentCommandsAndKill": TestConcurrentCommandsAndKill, "VerifyAtOnce": TestVerifyAtOnce})
}
