// Package testdb gives tests a real PostgreSQL: a server of their own, from the programs that are installed, gone with them.
package testdb

import (
	"context"
	"errors"
	"fmt"
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
			s.stop(syscall.SIGINT)
			os.RemoveAll(s.dir)
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
		s, err := create()
		if err == nil {
			err = s.start()
		}
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
	dir  string
	port int
	cmd  *exec.Cmd
}

// NewServer starts a server, which ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := create()
	if err == nil {
		err = s.start()
	}
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		s.stop(syscall.SIGINT)
		os.RemoveAll(s.dir)
	})
	return s
}

// URL is the address of its database.
func (s *Server) URL() string { return s.url("postgres") }

// Address is where it listens.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: s.Address(), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Restart kills it, and all that it had begun, and starts it again at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.stop(syscall.SIGQUIT)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// create makes the server's files.
func create() (*Server, error) {
	initdb, err := find("initdb")
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
	cmd := exec.Command(initdb, "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = attributes, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer free.Close()
	return &Server{dir: dir, port: free.Addr().(*net.TCPAddr).Port}, nil
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
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "fsync=off")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, talk, talk
	if s.cmd.SysProcAttr, err = unprivileged(s.dir); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	_, err = backoff.Retry(context.Background(), func() (any, error) {
		db, err := sqlx.Connect("postgres", s.URL())
		if err != nil {
			return nil, err
		}
		return nil, db.Close()
	}, backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)), backoff.WithMaxElapsedTime(30*time.Second))
	if err == nil {
		return nil
	}
	s.stop(syscall.SIGQUIT)
	said, _ := os.ReadFile(talk.Name())
	return fmt.Errorf("PostgreSQL does not start: %s", said)
}

func (s *Server) stop(signal os.Signal) {
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
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
