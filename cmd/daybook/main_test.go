package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"daybook/api"
	"daybook/internal/testdb"
)

// TestMain makes the test binary the program too: wherever a test runs "daybook", it runs main in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"daybook": main})
}

// tests are all tests, and the cleaning up after them.
type tests struct{ *testing.M }

// Run runs the tests.
func (t tests) Run() int {
	defer func() { os.RemoveAll(builtIn) }()
	return testdb.Run(t.M)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		for _, name := range []string{"desk.journal.ndjson"} {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err == nil {
				err = os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o600)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}})
}

// soak reports whether the long tests are wanted: the whole journals, ten kills, a thousand requests.
func soak() bool { return os.Getenv("DAYBOOK_SOAK") != "" }

// chance is a source of chance that says its seed, so that a failure can be had again: DAYBOOK_SEED.
func chance(t *testing.T) *rand.Rand {
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

// An executable is how the program is run: in a process of its own, by this path or name, or in this process, where the race
// detector sees it.
type executable string

// inProcess runs main's own function in this process.
const inProcess executable = ""

// reexec is the test binary as the program, in a process of its own that can be killed.
const reexec executable = "daybook"

// built is the program as it ships, without the race detector: for whole histories, which take ten times as long with it.
// Without a compiler it is the test binary.
func built(t *testing.T) executable {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Logf("using the test binary: %v", err)
		return reexec
	}
	return executable(path)
}

var builtIn string // the folder of what buildOnce built

var buildOnce = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "daybook-built-")
	if err != nil {
		return "", err
	}
	builtIn = folder
	path := filepath.Join(folder, "daybook")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// run runs a command line and returns what it wrote and its exit status.
func (p executable) run(t *testing.T, args ...string) (out, talk string, exit int) {
	t.Helper()
	args = inPostgreSQL(t, args)
	var o, e bytes.Buffer
	if p == inProcess {
		err := run(t.Context(), args, &o, &e)
		if err != nil {
			fmt.Fprintln(&e, err)
		}
		return o.String(), e.String(), exitStatus(err)
	}
	cmd := exec.CommandContext(t.Context(), string(p), args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// must runs a command line that must end with an exit status, and returns its data.
func (p executable) must(t *testing.T, exit int, args ...string) string {
	t.Helper()
	out, talk, got := p.run(t, args...)
	if got != exit {
		t.Fatalf("daybook %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, exit, out, talk)
	}
	return out
}

// serve serves a folder until stop, which may be called again and is called when the test ends.
func (p executable) serve(t *testing.T, folder string, args ...string) (c client, stop func()) {
	t.Helper()
	if p == inProcess {
		c, stop = serve(t, folder, args...)
	} else {
		server, process := p.startServer(t, folder, args...)
		c, stop = server, sync.OnceFunc(func() { process.terminate(t) })
	}
	t.Cleanup(stop)
	return c, stop
}

// eventually waits until a condition holds, as long as the test may last.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.Now().Add(2 * time.Minute)
	if deadline, ok := t.Deadline(); ok {
		limit = deadline.Add(-10 * time.Second)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(limit) {
			t.Fatalf("it never came to this: %s", what)
		}
		<-tick.C
	}
}

// A client talks to a desk that is served, with one key. Every answer is held against the OpenAPI document.
type client struct {
	url, key string
	http     *http.Client
}

// as is the same desk with another key.
func (c client) as(key string) client {
	c.key = key
	return c
}

// An answer is what the desk said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %v %s", a.status, a.header, a.body) }

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// object is the body as a JSON object.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	a.into(t, &o)
	return o
}

// id is the id of the thing that the desk answered with.
func (a answer) id(t *testing.T) string {
	t.Helper()
	id, _ := a.object(t)["id"].(string)
	if id == "" {
		t.Fatalf("no id: %s", a)
	}
	return id
}

func (a answer) position() string { return a.header.Get("Daybook-Position") }

// A with changes a request before it is sent.
type with func(*http.Request)

func header(name, value string) with { return func(r *http.Request) { r.Header.Set(name, value) } }

// try sends a request; the body is a string as it stands, bytes, or anything that JSON can write. It returns an error if
// there was no whole answer.
func (c client) try(ctx context.Context, method, path string, body any, change ...with) (answer, error) {
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	case []byte:
		data = b
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			return answer{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(data))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	for _, f := range change {
		f(request)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	a := answer{response.StatusCode, response.Header, got}
	if err != nil {
		return a, err
	}
	return a, keepsContract(request, data, a)
}

// do sends a request that must be answered as the OpenAPI document says.
func (c client) do(t *testing.T, method, path string, body any, change ...with) answer {
	t.Helper()
	a, err := c.try(t.Context(), method, path, body, change...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// must sends a request that must be answered with a status.
func (c client) must(t *testing.T, status int, method, path string, body any, change ...with) answer {
	t.Helper()
	a := c.do(t, method, path, body, change...)
	if a.status != status {
		t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	return a
}

// get asks for something that must be there.
func (c client) get(t *testing.T, path string, change ...with) answer {
	t.Helper()
	return c.must(t, http.StatusOK, http.MethodGet, path, nil, change...)
}

// refused sends a request that must be refused with a status and a code, and checks the form of the problem.
func (c client) refused(t *testing.T, status int, code, method, path string, body any, change ...with) api.Problem {
	t.Helper()
	a := c.must(t, status, method, path, body, change...)
	var p api.Problem
	a.into(t, &p)
	if p.Code != code || p.Type != "urn:daybook:problem:"+code || p.Status != status || p.Title == "" || p.Detail == "" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%s %s: %s, want a problem of code %s", method, path, a, code)
	}
	return p
}

// all reads a whole list, page by page.
func (c client) all(t *testing.T, path string) []map[string]any {
	t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	rows := []map[string]any{}
	for cursor := ""; ; {
		var page struct {
			Data []map[string]any
			Next *string
		}
		c.get(t, path+separator+"limit=200"+cursor).into(t, &page)
		rows = append(rows, page.Data...)
		if page.Next == nil {
			return rows
		}
		cursor = "&cursor=" + *page.Next
	}
}

// caughtUp waits until the read models have all that the log has.
func (c client) caughtUp(t *testing.T) {
	t.Helper()
	eventually(t, "the read models are at the end of the log", func() bool {
		var list struct{ Data []api.ProjectionStatus }
		a := c.do(t, http.MethodGet, "/v1/projections", nil)
		if a.status != http.StatusOK {
			return false
		}
		a.into(t, &list)
		for _, p := range list.Data {
			if p.LagEvents > 0 || p.State != "live" {
				return false
			}
		}
		return len(list.Data) > 0
	})
}

// import sends a journal.
func (c client) play(t *testing.T, journal []byte) api.ImportAnswer {
	t.Helper()
	var i api.ImportAnswer
	c.must(t, http.StatusOK, http.MethodPost, "/v1/import", journal, header("Content-Type", "application/x-ndjson")).into(t, &i)
	return i
}

// key makes an API key beside the desk that is served from a folder.
func key(t *testing.T, folder, role, agent string) string {
	t.Helper()
	args := []string{"key", "create", "--data", folder, "--name", "test " + role, "--role", role}
	if agent != "" {
		args = append(args, "--agent", agent)
	}
	return strings.TrimSpace(inProcess.must(t, 0, args...))
}

// mustServe serves the desk in a folder from this process until the test ends, and returns a client with the owner's key.
func mustServe(t *testing.T, folder string, args ...string) client {
	t.Helper()
	c, stop := serve(t, folder, args...)
	t.Cleanup(stop)
	return c
}

// serve is mustServe with a stop of its own, which may be called again.
func serve(t *testing.T, folder string, args ...string) (c client, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var talk bytes.Buffer
	ended := make(chan error, 1)
	args = inPostgreSQL(t, append([]string{"serve", "--data", folder, "--listen", "127.0.0.1:0"}, args...))
	go func() {
		err := run(ctx, args, in, &talk)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	url := servedAt(t, out)
	c = client{url, ownerKey(t, folder), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	stop = sync.OnceFunc(func() {
		cancel()
		c.http.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v\n%s", err, talk.String())
		}
	})
	return c, stop
}

// servedAt reads from a server's greeting where it listens.
func servedAt(t *testing.T, out io.Reader) string {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, found := strings.CutPrefix(lines.Text(), "Daybook serves "); found {
			go io.Copy(io.Discard, out)
			return url
		}
	}
	t.Fatal("the server did not say where it listens")
	return ""
}

func ownerKey(t *testing.T, folder string) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(folder, "owner.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// A process is the program in a process of its own.
type process struct {
	*exec.Cmd
	talk  lockedBuffer
	ended chan struct{}
	err   error // once ended
}

// start starts the program; it is killed at the latest when the test ends.
func (p executable) start(t *testing.T, out io.Writer, args ...string) *process {
	t.Helper()
	started := &process{Cmd: exec.Command(string(p), inPostgreSQL(t, args)...), ended: make(chan struct{})}
	started.Stdout, started.Stderr = out, &started.talk
	if err := started.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		started.err = started.Wait()
		if closer, ok := out.(io.Closer); ok {
			closer.Close()
		}
		close(started.ended)
	}()
	t.Cleanup(started.kill)
	return started
}

// kill is kill -9.
func (p *process) kill() {
	p.Process.Kill()
	<-p.ended
}

// terminate is SIGTERM: the program must end well.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	<-p.ended
	if p.err != nil {
		t.Errorf("after SIGTERM: %v\n%s", p.err, p.talk.String())
	}
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// startServer serves a folder from a process of its own.
func (p executable) startServer(t *testing.T, folder string, args ...string) (client, *process) {
	t.Helper()
	out, in := io.Pipe()
	started := p.start(t, in, append([]string{"serve", "--data", folder, "--listen", "127.0.0.1:0"}, args...)...)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, found := strings.CutPrefix(lines.Text(), "Daybook serves "); found {
			go io.Copy(io.Discard, out)
			c := client{url, ownerKey(t, folder), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
			t.Cleanup(c.http.CloseIdleConnections)
			return c, started
		}
	}
	<-started.ended
	t.Fatalf("the server ended: %v\n%s", started.err, started.talk.String())
	return client{}, nil
}

// A lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
