package testdesk

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// A Process is the program in a process of its own.
type Process struct {
	cmd   *exec.Cmd
	talk  lockedBuffer
	ended chan struct{}
	err   error       // once ended
	asked atomic.Bool // to end
}

// Start starts the program. It is killed when the test ends.
func (p Program) Start(t *testing.T, out io.Writer, args ...string) *Process {
	t.Helper()
	started := &Process{cmd: exec.Command(p.path, withReadModels(t, args)...), ended: make(chan struct{})}
	started.cmd.Stdout, started.cmd.Stderr = out, &started.talk
	if err := started.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		started.err = started.cmd.Wait()
		if closer, ok := out.(io.Closer); ok {
			closer.Close()
		}
		close(started.ended)
	}()
	t.Cleanup(func() {
		started.Kill()
		noRace(t, started.Talk())
	})
	return started
}

// StartServer serves the desk in a folder from a process of its own, which must not end by itself. The client has the
// owner's key.
func (p Program) StartServer(t *testing.T, folder string, args ...string) (Client, *Process) {
	t.Helper()
	out, in := io.Pipe()
	started := p.Start(t, in, serving(folder, args)...)
	url := servedAt(out)
	if url == "" {
		<-started.ended
		t.Fatalf("the server ended: %v\n%s", started.err, started.Talk())
	}
	t.Cleanup(func() {
		if started.Over() && !started.asked.Load() {
			t.Errorf("the server ended by itself: %v\n%s", started.err, started.Talk())
		}
	})
	return newClient(t, url, folder), started
}

// noRace fails the test if the race detector has reported a data race, or the program has logged a panic.
func noRace(t *testing.T, talk string) {
	t.Helper()
	for line := range strings.Lines(talk) {
		if strings.Contains(line, `"msg":"panic"`) {
			t.Errorf("the program panicked:\n%s", line)
		}
	}
	if strings.Contains(talk, "WARNING: DATA RACE") {
		t.Errorf("the program has a data race:\n%s", talk)
	}
}

// Kill sends SIGKILL and waits for the end of the process.
func (p *Process) Kill() {
	p.asked.Store(true)
	p.cmd.Process.Kill()
	<-p.ended
}

// Terminate sends SIGTERM. The program must exit with status 0.
func (p *Process) Terminate(t *testing.T) {
	t.Helper()
	p.asked.Store(true)
	p.Signal(syscall.SIGTERM)
	<-p.ended
	if p.err != nil {
		t.Errorf("after SIGTERM: %v\n%s", p.err, p.Talk())
	}
}

// Pid returns the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to a process that may have ended.
func (p *Process) Signal(s os.Signal) { p.cmd.Process.Signal(s) }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Over reports whether the process has ended.
func (p *Process) Over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Talk returns what the process has written to standard error.
func (p *Process) Talk() string { return p.talk.String() }

// A lockedBuffer is a buffer that a process writes and a test reads.
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
