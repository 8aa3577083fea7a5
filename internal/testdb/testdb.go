// Package testdb gives tests a real PostgreSQL server, started from the installed programs and stopped with the tests.
package testdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/jmoiron/sqlx"

	"daybook/internal/pgconn"
	"daybook/internal/postgresserver"
)

var shared = struct {
	sync.Mutex
	server *Server
	made   int // databases created on it
}{}

// Run runs a package's tests and stops the server that they share. Call it in TestMain.
func Run(m *testing.M) (code int) {
	defer func() {
		if s := shared.server; s != nil {
			s.remove()
		}
	}()
	return m.Run()
}

// URL creates an empty database on the server that the tests of a package share, and returns its address.
func URL(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = start(t)
	}
	shared.made++
	name := fmt.Sprintf("test_%d", shared.made)
	db, err := sqlx.Connect("postgres", shared.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return shared.server.server.URL(name)
}

// A Server is a PostgreSQL server of one test, which may kill it.
type Server struct {
	server *postgresserver.Server
	dir    string
}

// NewServer starts a server with settings such as "jit=on", which ends with the test.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := start(t, settings...)
	t.Cleanup(s.remove)
	return s
}

// start skips a test if no server can be started, or fails it if DAYBOOK_TEST_REQUIRE is set.
func start(t testing.TB, settings ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "testdb-")
	if err != nil {
		t.Fatal(err)
	}
	server, err := postgresserver.Create(dir, append([]string{"fsync=off", pgconn.MayLoseData + "=on", "wal_retrieve_retry_interval=50ms"}, settings...)...)
	if err == nil {
		return &Server{server, dir}
	}
	os.RemoveAll(dir)
	if os.Getenv("DAYBOOK_TEST_REQUIRE") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

// URL is the address of its database.
func (s *Server) URL() string { return s.server.URL("postgres") }

// LogStatements makes it log every statement of new sessions.
func (s *Server) LogStatements(t testing.TB) {
	t.Helper()
	db, err := sqlx.Connect("postgres", s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, set := range []string{"ALTER SYSTEM SET log_statement = 'all'", "ALTER SYSTEM SET log_line_prefix = '%p|'", "SELECT pg_reload_conf()"} {
		if _, err := db.Exec(set); err != nil {
			t.Fatal(err)
		}
	}
}

// Log returns what it has logged.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// Address is its host and port.
func (s *Server) Address() string { return s.server.Address() }

// Standby starts a server that replicates this one, and ends with the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "testdb-")
	if err != nil {
		t.Fatal(err)
	}
	server, err := s.server.Standby(dir)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	standby := &Server{server, dir}
	t.Cleanup(standby.remove)
	return standby
}

// Start starts it again at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends it with a signal.
func (s *Server) Stop(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := s.server.Stop(signal); err != nil {
		t.Fatal(err)
	}
}

// Restart ends it with a signal and starts it again.
func (s *Server) Restart(t testing.TB, signal os.Signal) {
	t.Helper()
	s.Stop(t, signal)
	s.Start(t)
}

func (s *Server) remove() {
	s.server.Stop(syscall.SIGINT)
	os.RemoveAll(s.dir)
}
