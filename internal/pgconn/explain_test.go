package pgconn_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"daybook/eventstore/postgres"
	"daybook/internal/pgconn"
	"daybook/internal/testcert"
	"daybook/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// TestWhatWaitingDoesNotMend: what must be changed is said at once, in a sentence without the password.
func TestWhatWaitingDoesNotMend(t *testing.T) {
	server := testdb.NewServer(t)
	admin := sqlx.MustConnect("postgres", server.URL())
	defer admin.Close()
	for _, statement := range []string{"CREATE ROLE locked LOGIN PASSWORD 'changeit'", "CREATE ROLE outsider LOGIN", "CREATE DATABASE narrow", "REVOKE CONNECT ON DATABASE narrow FROM PUBLIC"} {
		admin.MustExec(statement)
	}
	allow(t, admin, "local all all trust", "host all locked all scram-sha-256", "hostnossl all outsider all reject", "host all all all trust")
	at := func(user *url.Userinfo, database, settings string) string {
		u := url.URL{Scheme: "postgres", User: user, Host: server.Address(), Path: database, RawQuery: settings}
		return u.String()
	}
	const off = "sslmode=disable"
	fails(t, map[string]struct{ database, says string }{
		"a wrong password":   {at(url.UserPassword("locked", "geheim"), "postgres", off), "does not accept the user's password"},
		"no such role":       {at(url.User("nobody"), "postgres", off), "does not let the user in"},
		"a user kept out":    {at(url.User("outsider"), "postgres", off), "pg_hba.conf"},
		"no such database":   {at(url.User("postgres"), "nothing", off), "has no such database"},
		"no right to it":     {at(url.UserPassword("locked", "changeit"), "narrow", off), "grant it CONNECT"},
		"TLS, and it has no": {at(url.User("postgres"), "postgres", "sslmode=require"), "does not speak TLS"},
	})

	certified := func(host, port, ca string) string {
		return fmt.Sprintf("postgres://postgres@%s:%s/postgres?sslmode=verify-full&sslrootcert=%s", host, port, ca)
	}
	good, ca := speaksTLS(t, time.Now().Add(time.Hour))
	late, lateCA := speaksTLS(t, time.Now().Add(-time.Hour))
	fails(t, map[string]struct{ database, says string }{
		"a certificate of nobody":        {certified("127.0.0.1", good, lateCA), "nobody that this machine trusts"},
		"a certificate of another name":  {certified("localhost", good, ca), "for another name"},
		"a certificate that has expired": {certified("127.0.0.1", late, lateCA), "has expired"},
	})
}

// fails opens what cannot be opened.
func fails(t *testing.T, cases map[string]struct{ database, says string }) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			address, err := pgconn.Parse(c.database)
			if err != nil {
				t.Fatal(err)
			}
			db, err := pgconn.Dialer{Limit: func() time.Duration { return 0 }}.Open(address, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for range 1000 { // the server heeds its new rules in a moment
				if err = db.PingContext(t.Context()); err != nil && strings.Contains(err.Error(), c.says) {
					break
				}
				db.SetMaxIdleConns(0)
			}
			_, failed := postgres.Open(t.Context(), c.database, postgres.Options{})
			for _, err := range []error{err, failed} {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
				if err != nil && (strings.Contains(err.Error(), "changeit") || strings.Contains(err.Error(), "geheim")) {
					t.Errorf("it tells the password: %v", err)
				}
			}
		})
	}
}

// allow replaces who may connect, in a file that the server itself writes.
func allow(t *testing.T, admin *sqlx.DB, lines ...string) {
	t.Helper()
	var path string
	if err := admin.Get(&path, "SHOW hba_file"); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		lines[i] = "(" + pq.QuoteLiteral(line) + ")"
	}
	if _, err := admin.Exec(fmt.Sprintf("COPY (VALUES %s) TO %s", strings.Join(lines, ", "), pq.QuoteLiteral(path))); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
}

// speaksTLS answers as a server with TLS does, as far as its certificate, which vouches for itself until an instant. It returns the
// address, and the certificate's file.
func speaksTLS(t *testing.T, until time.Time) (port, file string) {
	t.Helper()
	issued := testcert.Issued(t, until)
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	config := &tls.Config{Certificates: []tls.Certificate{*issued}}
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			asked := make([]byte, 8) // for TLS
			if _, err := io.ReadFull(conn, asked); err == nil {
				_, _ = conn.Write([]byte("S"))
				_ = tls.Server(conn, config).Handshake() // the client gives up
			}
			conn.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, file
}
