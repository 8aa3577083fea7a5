package testdesk

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A Program says how to run daybook: in a process of its own, or in this one.
type Program struct {
	path string
	main Main
}

// Main runs a command line in this process and returns its exit status.
type Main func(ctx context.Context, args []string, out, talk io.Writer) (exit int)

// InProcess returns a program that runs in this process, where the race detector sees it.
func InProcess(main Main) Program { return Program{main: main} }

// At returns the program with a path, or with a name in PATH.
func At(path string) Program { return Program{path: path} }

// Built returns the program, built once for all tests of a package, with the race detector if the tests have it.
func Built(t *testing.T) Program {
	t.Helper()
	return builtBy(t, build)
}

// Shipped returns the program without the race detector, for whole histories, which take ten times as long with it.
func Shipped(t *testing.T) Program {
	t.Helper()
	if raced {
		return builtBy(t, buildShipped)
	}
	return builtBy(t, build)
}

func builtBy(t *testing.T, build func() (string, error)) Program {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return At(path)
}

var (
	builtIn      string // the folder of the built programs
	makeFolder   = sync.OnceValue(func() (err error) { builtIn, err = os.MkdirTemp("", "daybook-built-"); return err })
	build        = sync.OnceValues(func() (string, error) { return buildAs("daybook", fmt.Sprintf("-race=%t", raced)) })
	buildShipped = sync.OnceValues(func() (string, error) { return buildAs("daybook-shipped", "-race=false") })
)

const (
	program = "daybook/cmd/daybook"

	// sources lists what the program is built from: the folders of the project's packages, what they embed, and go.mod.
	sources = `{{if and .Module .Module.Main}}{{.Module.GoMod}}
{{.Dir}}{{range .EmbedFiles}}
{{$.Dir}}/{{.}}{{end}}{{end}}`
)

// buildAs builds the program as a file of builtIn.
func buildAs(name, flag string) (string, error) {
	if err := makeFolder(); err != nil {
		return "", err
	}
	// The go command caches the results of a test until a file changes that the test opened. It does not know which files
	// the go build here reads. So the test opens them too; opening a folder covers all files in it.
	list, err := exec.Command("go", "list", "-deps", "-f", sources, program).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	for path := range strings.Lines(string(list)) {
		file, err := os.Open(strings.TrimSpace(path))
		if err != nil {
			return "", err
		}
		file.Close()
	}
	path := filepath.Join(builtIn, name)
	if out, err := exec.Command("go", "build", flag, "-o", path, program).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// Path returns the path of the program.
func (p Program) Path(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(p.path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Run runs a command line and returns what it wrote and its exit status.
func (p Program) Run(t *testing.T, args ...string) (out, talk string, exit int) {
	t.Helper()
	args = withReadModels(t, args)
	var o, e bytes.Buffer
	if p.main != nil {
		exit = p.main(t.Context(), args, &o, &e)
		return o.String(), e.String(), exit
	}
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	noRace(t, e.String())
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// Must runs a command line that must end with an exit status, and returns its data.
func (p Program) Must(t *testing.T, exit int, args ...string) string {
	t.Helper()
	out, talk, got := p.Run(t, args...)
	if got != exit {
		t.Fatalf("daybook %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, exit, out, talk)
	}
	return out
}

// Key creates an API key of the desk in a folder, which may be being served.
func (p Program) Key(t *testing.T, folder, role, agent string) string {
	t.Helper()
	args := []string{"key", "create", "--data", folder, "--name", "test " + role, "--role", role}
	if agent != "" {
		args = append(args, "--agent", agent)
	}
	return strings.TrimSpace(p.Must(t, 0, args...))
}

// OwnerKey returns the API key that a desk created at its first start.
func OwnerKey(t *testing.T, folder string) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(folder, "owner.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// Serve serves the desk in a folder until stop, which may be called again and is called when the test ends. The client has
// the owner's key.
func (p Program) Serve(t *testing.T, folder string, args ...string) (c Client, stop func()) {
	t.Helper()
	if p.main == nil {
		server, process := p.StartServer(t, folder, args...)
		stop = sync.OnceFunc(func() {
			server.HTTP.CloseIdleConnections() // a connection that was never used would delay the stop
			process.Terminate(t)
		})
		t.Cleanup(stop)
		return server, stop
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var talk lockedBuffer
	ended := make(chan int, 1)
	args = withReadModels(t, serving(folder, args))
	go func() {
		exit := p.main(ctx, args, in, &talk)
		in.CloseWithError(io.EOF)
		ended <- exit
	}()
	url := servedAt(out)
	if url == "" {
		cancel()
		t.Fatalf("the server ended: exit %d\n%s", <-ended, talk.String())
	}
	c = newClient(t, url, folder)
	stop = sync.OnceFunc(func() {
		cancel()
		c.HTTP.CloseIdleConnections()
		if exit := <-ended; exit != 0 {
			t.Errorf("serve: exit %d\n%s", exit, talk.String())
		}
	})
	t.Cleanup(stop)
	return c, stop
}

// serving returns the command line of a server.
func serving(folder string, args []string) []string {
	return append([]string{"serve", "--data", folder, "--listen", "127.0.0.1:0"}, args...)
}

// servedAt reads a server's address from its greeting. It is empty if the server ends before that.
func servedAt(out io.Reader) string {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, found := strings.CutPrefix(lines.Text(), "Daybook serves "); found {
			go io.Copy(io.Discard, out)
			return url
		}
	}
	return ""
}

func newClient(t *testing.T, url, folder string) Client {
	t.Helper()
	return NewClient(t, url, OwnerKey(t, folder))
}

// NewClient returns a client of a desk that is served at an address.
func NewClient(t *testing.T, url, key string) Client {
	t.Helper()
	c := Client{URL: url, Key: key, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	if err := c.readContract(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}
