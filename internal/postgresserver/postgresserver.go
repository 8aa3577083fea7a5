// Package postgresserver starts a private PostgreSQL server from the installed programs.
package postgresserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver
)

// A Server is a PostgreSQL server that listens on this machine only. Call Stop after use.
type Server struct {
	dir      string
	port     int
	settings []string
	cmd      *exec.Cmd
	alive    *os.File // reaches its end when the server and all its children have ended
}

// Create creates a server's files in an empty folder, and starts it with settings such as "fsync=off". If this process runs as root,
// the folder is given to the user who runs PostgreSQL. The caller removes it.
func Create(dir string, settings ...string) (*Server, error) {
	return create(dir, settings, "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
}

// Standby starts a server, with its files in an empty folder, that replicates this one.
func (s *Server) Standby(dir string) (*Server, error) {
	return create(dir, s.settings, "pg_basebackup", "-d", s.URL("postgres"), "-R", "-c", "fast", "--no-sync")
}

// URL is the address of a database; "postgres" exists from the start.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: s.Address(), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Address is its host and port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// create creates a server's files with a program, and starts it.
func create(dir string, settings []string, program string, args ...string) (*Server, error) {
	program, err := find(program)
	if err == nil {
		dir, err = filepath.Abs(dir) // both programs run in it
	}
	if err != nil {
		return nil, err
	}
	attributes, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, append([]string{"-D", filepath.Join(dir, "data")}, args...)...)
	cmd.SysProcAttr, cmd.Dir = attributes, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %s", program, dir, err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, port: free.Addr().(*net.TCPAddr).Port, settings: settings}
	if err := free.Close(); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// Start starts it again, at the same address.
func (s *Server) Start() error {
	postgres, err := find("postgres")
	if err != nil {
		return err
	}
	talk, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer talk.Close()
	args := []string{"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port), "-k", s.dir}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "max_connections=200"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.cmd = exec.Command(postgres, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, talk, talk
	if s.cmd.SysProcAttr, err = unprivileged(s.dir); err != nil {
		return err
	}
	alive, inherited, err := os.Pipe()
	if err != nil {
		return err
	}
	s.alive, s.cmd.ExtraFiles = alive, []*os.File{inherited}
	if err := errors.Join(s.cmd.Start(), inherited.Close()); err != nil {
		return errors.Join(err, alive.Close())
	}
	_, err = backoff.Retry(context.Background(), func() (any, error) {
		db, err := sqlx.Connect("postgres", s.URL("postgres"))
		if err != nil {
			return nil, err
		}
		return nil, db.Close()
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(30*time.Second))
	if err == nil {
		return nil
	}
	said, readErr := os.ReadFile(talk.Name())
	return errors.Join(fmt.Errorf("PostgreSQL does not start: %s", said), readErr, s.Stop(syscall.SIGQUIT))
}

// Stop sends it a signal, and returns when it and all its children have ended. SIGINT shuts it down cleanly, SIGQUIT at once; after
// SIGKILL its children have to notice.
func (s *Server) Stop(signal os.Signal) error {
	err := s.cmd.Process.Signal(signal)
	if errors.Is(err, os.ErrProcessDone) { // it has ended already
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.cmd.Process.Wait() // whatever its exit status
	_, readErr := io.Copy(io.Discard, s.alive)
	return errors.Join(err, readErr, s.alive.Close())
}

// find looks for a program in the folders of distributions, for its newest version.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	var newest string
	var version int
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	for _, path := range paths {
		if v, _ := strconv.Atoi(strings.Split(path, "/")[4]); v >= version {
			newest, version = path, v
		}
	}
	if newest == "" {
		return "", errors.New("PostgreSQL's server is not installed (initdb and postgres; apt-get install postgresql)")
	}
	return newest, nil
}
