package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"daybook/internal/testdb"
)

// readModelsVariable has the tests keep the read models of their desks in PostgreSQL.
const readModelsVariable = "DAYBOOK_TEST_READ_MODELS"

// databases are those of the desks, by their folders.
var databases sync.Map

// inPostgreSQL adds to a command line where the read models are, if they are to be there.
func inPostgreSQL(t *testing.T, args []string) []string {
	t.Helper()
	data := slices.Index(args, "--data")
	if os.Getenv(readModelsVariable) == "" || data < 0 || slices.Contains(args, "--read-models") || slices.Contains(args, "--url") {
		return args
	}
	if !slices.Contains([]string{"serve", "import", "replay", "rebuild", "verify", "simulate"}, args[0]) {
		return args
	}
	make := func() string { return testdb.URL(t) }
	url, _ := databases.LoadOrStore(args[data+1], sync.OnceValue(make))
	return append(slices.Clip(args), "--read-models", url.(func() string)())
}

// TestInPostgreSQL runs the tests of what is asked of read models once more, with them in PostgreSQL.
func TestInPostgreSQL(t *testing.T) {
	t.Parallel()
	testdb.URL(t) // or it is left out
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []string{
		"Roles", "AgentsSeeTheirDepartments", "ReadYourWrites", "AsOf", "ConditionalRequests", "NotModified", "AnswersOfReplies", "Cursors", "BadInput",
		"ReportOverClockChanges", "ReportIsKnownForEver", "ReportKeepsNames", "ReportFigures", "ReportOfNothing", "ReportMistakes",
		"Rows", "ConcurrentCommandsAndKill", "ConcurrentRepeats",
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^Test("+strings.Join(tests, "|")+")$")
	cmd.Env = append(os.Environ(), readModelsVariable+"=postgres")
	out, err := cmd.CombinedOutput()
	if passed := strings.Count(string(out), "\n--- PASS: "); err != nil || passed != len(tests) {
		t.Errorf("%v, %d tests of %d pass\n%s", err, passed, len(tests), out)
	}
}
