package clients_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"daybook/internal/testdesk"
)

var write = flag.Bool("write", false, "write openapi.json, unless that breaks clients")

func TestMain(m *testing.M) {
	flag.Parse()
	code := testdesk.Run(m)
	if folder != "" {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// run runs a command in a folder, and returns what it says.
func run(t *testing.T, folder string, env []string, command ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Dir, c.Env = folder, append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// must runs a command that must succeed.
func must(t *testing.T, folder string, env []string, command ...string) string {
	t.Helper()
	out, err := run(t, folder, env, command...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

var (
	folder  string // of the npm packages
	install = sync.OnceValues(func() (string, error) {
		var err error
		if folder, err = os.MkdirTemp("", "daybook-clients-"); err != nil {
			return "", err
		}
		if err := os.CopyFS(folder, os.DirFS(".")); err != nil {
			return "", err
		}
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")
		npm.Dir = folder
		out, err := npm.CombinedOutput()
		return string(out), err
	})
)

// packages returns a copy of this folder with the npm packages of package-lock.json, or skips the test on a machine that cannot
// install them.
func packages(t *testing.T) string {
	t.Helper()
	const needs = "left out: this test needs npm, and Node.js 20.19 or later"
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip(needs)
	}
	if _, err := run(t, ".", nil, "node", "-e", `const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a === 20 && b >= 19 ? 0 : 1)`); err != nil {
		t.Skip(needs)
	}
	if out, err := install(); err != nil {
		t.Skipf("left out: npm cannot install the packages: %v\n%s", err, out)
	}
	return folder
}

// served returns the contract that a desk serves, indented.
func served(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, testdesk.Serve(t, t.TempDir()).Get(t, "/openapi.json").Body, "", " "); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n')
}

// breaking returns what oasdiff says of the changes that break clients; empty: there are none.
func breaking(t *testing.T, before, after string) string {
	t.Helper()
	out, err := run(t, "..", nil, "go", "tool", "-modfile=tools/contract.mod", "oasdiff", "breaking", "--fail-on", "WARN", "--severity-levels", "clients/levels.txt", before, after)
	if err == nil {
		return ""
	}
	return out
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestContractIsKept compares the contract that is served with the one that was promised. Case 3.18.
func TestContractIsKept(t *testing.T) {
	t.Parallel()
	now, promised := served(t), absolute(t, "openapi.json")
	then, err := os.ReadFile(promised)
	if err != nil && !*write {
		t.Fatal(err)
	}
	if bytes.Equal(now, then) {
		return
	}
	changed := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(changed, now, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(then) > 0 {
		if broken := breaking(t, promised, changed); broken != "" {
			t.Fatalf("generated clients would break:\n%s", broken)
		}
	}
	if !*write {
		t.Fatal("the contract has changed, and breaks no client: run go test ./clients -write, and commit openapi.json")
	}
	if err := os.WriteFile(promised, now, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenPromises takes from the contract what clients use.
func TestBrokenPromises(t *testing.T) {
	t.Parallel()
	promised := absolute(t, "openapi.json")
	contract, err := os.ReadFile(promised)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"a path": {`"/v1/contacts/{id}/tickets": {`, `"/v1/contacts/{id}/history": {`}, "a parameter": {`"name": "q",`, `"name": "words",`}, "a limit": {`"maxLength": 255`, `"maxLength": 20`},
	} {
		changed := filepath.Join(t.TempDir(), "openapi.json")
		broken := strings.ReplaceAll(string(contract), change[0], change[1])
		if broken == string(contract) {
			t.Errorf("the contract does not have %s", change[0])
		}
		if err := os.WriteFile(changed, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if breaking(t, promised, changed) == "" {
			t.Errorf("nobody notices that %s has changed", what)
		}
	}
}

// TestLint checks the contract with Spectral and Redocly: no errors and no warnings. Case 3.18.
func TestLint(t *testing.T) {
	t.Parallel()
	in := packages(t)
	must(t, in, nil, "node_modules/.bin/spectral", "lint", "--fail-severity", "warn", "--ruleset", "spectral.yaml", "openapi.json")
	out := must(t, in, []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"}, "node_modules/.bin/redocly", "lint", "--max-problems", "1000", "--format", "json", "--config", "redocly.yaml", "openapi.json")
	var found struct {
		Totals struct{ Errors, Warnings int }
	}
	if at := strings.Index(out, "{"); at < 0 || json.NewDecoder(strings.NewReader(out[at:])).Decode(&found) != nil || found.Totals.Errors+found.Totals.Warnings > 0 {
		t.Errorf("%s", out)
	}
}

// demo serves the desk of the README's tour, and returns the environment of the tours.
func demo(t *testing.T) []string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "demo")
	program := testdesk.Shipped(t)
	program.Must(t, 0, "simulate", "--data", folder, "--days", "14")
	desk, _ := program.Serve(t, folder)
	desk.CaughtUp(t)
	return []string{"DESK=" + desk.URL, "KEY=" + desk.Key}
}

// TestGo generates a Go client and has it do the README's tour. Case 3.18.
func TestGo(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	if err := os.CopyFS(in, os.DirFS("go")); err != nil {
		t.Fatal(err)
	}
	must(t, "..", nil, "go", "tool", "-modfile=tools/contract.mod", "oapi-codegen", "-config", "clients/go/oapi-codegen.yaml", "-o", filepath.Join(in, "daybook.gen.go"), "clients/openapi.json")
	must(t, in, nil, "go", "vet", ".")
	must(t, in, demo(t), "go", "run", ".")
}

// TestTypeScript generates a TypeScript client, compiles it as strictly as the compiler can, and has it do the README's tour.
// Case 3.18.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	in := packages(t)
	must(t, in, nil, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "typescript/daybook.d.ts")
	must(t, in, nil, "node_modules/.bin/tsc", "--project", "typescript")
	must(t, in, demo(t), "node", "built/tour.js")
}
