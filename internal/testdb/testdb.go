// Package testdb gives tests a real PostgreSQL: a server of their own, from the programs that are installed, gone with them.
package testdb

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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver
)

var shared = struct {
	sync.Mutex
	server *Server
	made   int // databases on it
}{}

// Run runs a package's tests and stops the server that they share. It belongs into TestMain.
func Run(m *testing.M) (code int) {
	defer func() {
		if s := shared.server; s != nil {
			s.remove()
		}
	}()
	return m.Run()
}

// URL makes an empty database on the server that the tests of a package share, and returns its address.
func URL(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := create("initdb", fresh...)
		if err != nil {
			missing(t, err)
		}
		shared.server = s
	}
	shared.made++
	name := fmt.Sprintf("test_%d", shared.made)
	db, err := sqlx.Connect("postgres", shared.server.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return shared.server.url(name)
}

// missing ends a test that has no server, as a failure where none may be left out.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("DAYBOOK_TEST_REQUIRE") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// A Server is a PostgreSQL server of a test's own, which it may kill.
type Server struct {
	dir   string
	port  int
	cmd   *exec.Cmd
	alive *os.File // ends when the server has, and all that it had begun
}

// fresh is how initdb makes a server's files.
var fresh = []string{"-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"}

// NewServer starts a server, which ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := create("initdb", fresh...)
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(s.remove)
	return s
}

// Standby starts a server that copies what this one does, and ends with the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := create("pg_basebackup", "-d", s.URL(), "-R", "-c", "fast", "--no-sync")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.remove)
	return standby
}

// URL is the address of its database.
func (s *Server) URL() string { return s.url("postgres") }

// Address is where it listens.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: s.Address(), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Restart ends it by a signal and starts it again at the same address: SIGQUIT has it drop everything at once, SIGKILL
// leaves its children to find out.
func (s *Server) Restart(t testing.TB, signal os.Signal) {
	t.Helper()
	s.Stop(signal)
	s.Start(t)
}

// Start starts it again.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// create has a program make the files of a server, and starts it.
func create(program string, args ...string) (*Server, error) {
	program, err := find(program)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testdb-")
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
		return nil, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, port: free.Addr().(*net.TCPAddr).Port}
	if err := free.Close(); err != nil {
		return nil, err
	}
	return s, s.start()
}

func (s *Server) start() error {
	postgres, err := find("postgres")
	if err != nil {
		return err
	}
	talk, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer talk.Close()
	s.cmd = exec.Command(postgres, "-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "fsync=off",
		"-c", "wal_retrieve_retry_interval=50ms")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, talk, talk
	if s.cmd.SysProcAttr, err = unprivileged(s.dir); err != nil {
		return err
	}
	alive, inherited, err := os.Pipe()
	if err != nil {
		return err
	}
	defer inherited.Close()
	s.alive, s.cmd.ExtraFiles = alive, []*os.File{inherited}
	if err := s.cmd.Start(); err != nil {
		alive.Close()
		return err
	}
	_, err = backoff.Retry(context.Background(), func() (any, error) {
		db, err := sqlx.Connect("postgres", s.URL())
		if err != nil {
			return nil, err
		}
		return nil, db.Close()
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(30*time.Second))
	if err == nil {
		return nil
	}
	s.Stop(syscall.SIGQUIT)
	said, _ := os.ReadFile(talk.Name())
	return fmt.Errorf("PostgreSQL does not start: %s", said)
}

// Stop ends it by a signal, and returns when it and all that it had begun have ended.
func (s *Server) Stop(signal os.Signal) {
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
	io.Copy(io.Discard, s.alive)
	s.alive.Close()
}

func (s *Server) remove() {
	s.Stop(syscall.SIGINT)
	os.RemoveAll(s.dir)
}

// find looks for a program where distributions put it, of the newest version.
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
		return "", errors.New("the tests of PostgreSQL need its server: initdb and postgres")
	}
	return newest, nil
}
