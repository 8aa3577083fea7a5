package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"daybook/bench/history"
)

// programs are measures of the program in a process of its own.
var programs = []measure{
	{id: "P12", title: "start of the program until /readyz answers 200, 1 M events already projected, p50", reference: "with none", must: 1.5, aim: 1.1, times: true, start: startP12},
	{id: "P13", title: "resident memory while rebuilding 1 M events", unit: "MiB", must: 256, aim: 192, start: startP13},
	{id: "P13i", title: "resident memory while importing 1 M lines", unit: "MiB", must: 256, aim: 192, start: startP13i},
	{id: "P20", title: "resident memory per idle event stream, 2000 streams", unit: "KiB", must: 64, aim: 32, start: startP20("process_resident_memory_bytes", 1024)},
	{id: "P20g", title: "goroutines per idle event stream, 2000 streams", unit: "goroutines", must: 2, aim: 1, start: startP20("go_goroutines", 1)},
}

func startP12(s setting) (r rounds, err error) {
	starting := func(name string, events int) (func() (float64, error), error) {
		dir, err := projected(s, name, events)
		return func() (float64, error) {
			var took []time.Duration
			for start := time.Now(); time.Since(start) < s.time; {
				began := time.Now()
				server, err := serveProgram(s, dir)
				if err != nil {
					return 0, err
				}
				took = append(took, time.Since(began))
				if err := server.stop(); err != nil {
					return 0, err
				}
			}
			return percentile(50, took), nil
		}, err
	}
	if r.ours, err = starting("long", s.history); err == nil {
		r.reference, err = starting("empty", 0)
	}
	return r, err
}

func startP13(s setting) (rounds, error) {
	dir, err := projected(s, "desk", s.history)
	return rounds{ours: func() (float64, error) { return peak(s, "rebuild", "--data", dir) }}, err
}

func startP13i(s setting) (rounds, error) {
	path := filepath.Join(s.dir, "journal.ndjson")
	file, err := os.Create(path)
	if err != nil {
		return rounds{}, err
	}
	lines := bufio.NewWriter(file)
	writeJournal(lines, "bench", s.history)
	return rounds{ours: func() (float64, error) {
		dir, err := os.MkdirTemp(s.dir, "")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		return peak(s, "import", "--data", dir, path)
	}}, errors.Join(lines.Flush(), file.Close())
}

const idleStreams = 2000

// startP20 measures what an idle event stream adds to one of the server's metrics.
func startP20(metric string, unit float64) func(setting) (rounds, error) {
	return func(s setting) (rounds, error) {
		return rounds{ours: func() (each float64, err error) {
			dir, err := os.MkdirTemp(s.dir, "")
			if err != nil {
				return 0, err
			}
			server, err := serveProgram(s, dir, "--limit-streams", strconv.Itoa(idleStreams))
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, server.stop()) }()
			key, err := os.ReadFile(filepath.Join(dir, "owner.key"))
			if err != nil {
				return 0, err
			}
			c := newClient(strings.TrimSpace(string(key)))
			defer c.http.CloseIdleConnections()
			before, err := c.atRest(server.url, metric)
			if err != nil {
				return 0, err
			}
			for range idleStreams {
				stream, err := c.ask(http.MethodGet, server.url+"/v1/events/stream", nil)
				if err != nil {
					return 0, err
				}
				defer stream.Body.Close()
				if _, err := stream.Body.Read(make([]byte, 1)); err != nil { // the server follows the log from here on
					return 0, err
				}
			}
			after, err := c.atRest(server.url, metric)
			return (after - before) / idleStreams / unit, err
		}}, nil
	}
}

// atRest returns a metric of a server once it changes by less than a hundredth in two seconds.
func (c *client) atRest(url, metric string) (float64, error) {
	for last := 0.0; ; time.Sleep(2 * time.Second) {
		answer, err := c.ask(http.MethodGet, url+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return 0, err
		}
		now, err := numberAfter(metric, text)
		if err != nil || math.Abs(now-last) < last/100 {
			return now, err
		}
		last = now
	}
}

// projected makes a desk with a synthetic log in a folder of the measure's, and has the program project it.
func projected(s setting, name string, events int) (dir string, err error) {
	dir = filepath.Join(s.dir, name)
	d, err := openDesk(dir)
	if err != nil {
		return "", err
	}
	if err := errors.Join(history.Write(context.Background(), d.store, d.vault, events), d.close()); err != nil {
		return "", err
	}
	server, err := serveProgram(s, dir)
	if err != nil {
		return "", err
	}
	return dir, server.stop()
}

// buildProgram builds the program into a folder.
func buildProgram(dir string) (path string, err error) {
	path = filepath.Join(dir, "daybook")
	if out, err := exec.Command("go", "build", "-o", path, "daybook/cmd/daybook").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// A process runs the program.
type process struct {
	cmd  *exec.Cmd
	url  string       // where it serves
	talk bytes.Buffer // what it says to its operator
}

func newProcess(s setting, args ...string) (*process, error) {
	path, err := s.program()
	p := &process{cmd: exec.Command(path, args...)}
	p.cmd.Stderr = &p.talk
	return p, err
}

// serveProgram starts the program, and returns when it is ready.
func serveProgram(s setting, dir string, flags ...string) (*process, error) {
	p, err := newProcess(s, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanf(out, "Daybook serves %s\n", &p.url); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	for {
		answer, err := http.Get(p.url + "/readyz")
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return p, nil
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

func (p *process) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(p.cmd.Args, " "), err, p.talk.String())
	}
	return nil
}

// peak runs the program, and returns the most memory that was resident, in MiB.
func peak(s setting, args ...string) (mib float64, err error) {
	p, err := newProcess(s, args...)
	if err != nil {
		return 0, err
	}
	if err := p.cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.wait() }()
	status := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	for { // what the kernel keeps after the end may be this process's peak, from before the other became the program
		select {
		case err := <-ended:
			return mib, err
		case <-time.After(10 * time.Millisecond):
			text, _ := os.ReadFile(status)
			if kib, err := numberAfter("VmHWM:", text); err == nil { // otherwise it has just ended
				mib = kib / 1024
			}
		}
	}
}

// numberAfter returns the number after a name that begins a line.
func numberAfter(name string, text []byte) (n float64, err error) {
	_, after, _ := strings.Cut("\n"+string(text), "\n"+name)
	if _, err := fmt.Sscan(after, &n); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}
