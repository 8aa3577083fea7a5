// Package pgconn connects to PostgreSQL so that a silent server ends a connection. The driver itself would wait without end for a server
// that has disappeared, whatever the context.
package pgconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Parse parses the address of a database (postgres://…, as lib/pq reads it). Its error does not repeat the address, which may contain
// a password.
func Parse(database string) (*url.URL, error) {
	u, err := url.Parse(database)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the database's address must be a URL, like postgres://user@host:5432/database?sslmode=require")
	}
	if all := u.Query(); !all.Has("connect_timeout") {
		all.Set("connect_timeout", "5") // seconds
		u.RawQuery = all.Encode()
	}
	return u, nil
}

// A Dialer makes connections that end when an answer takes too long.
type Dialer struct {
	Limit func() time.Duration // how long the server may be silent; called for every answer; 0: no limit
}

var (
	_ pq.Dialer        = Dialer{}
	_ pq.DialerContext = Dialer{}
)

// Dial implements pq.Dialer.
func (d Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, 0)
}

// DialTimeout implements pq.Dialer.
func (d Dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, timeout)
	return &conn{Conn: c, limit: d.Limit}, err
}

// DialContext implements pq.DialerContext.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return &conn{Conn: c, limit: d.Limit}, err
}

type conn struct {
	net.Conn
	limit func() time.Duration
	end   atomic.Pointer[time.Time] // the driver's own deadline, if it has one
}

// SetDeadline implements net.Conn. The driver sets one while it connects, and a zero one after that.
func (c *conn) SetDeadline(t time.Time) error {
	c.end.Store(&t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) Read(b []byte) (int, error) {
	var until time.Time
	if limit := c.limit(); limit > 0 {
		until = time.Now().Add(limit)
	}
	if end := c.end.Load(); end != nil && !end.IsZero() && (until.IsZero() || end.Before(until)) {
		until = *end
	}
	if err := c.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Open returns a pool of at most so many connections, each a session with Daybook's settings and a caller's own. It does not connect
// yet.
func (d Dialer) Open(address *url.URL, connections int, own ...map[string]string) (*sqlx.DB, error) {
	return d.open(address, connections, set(append([]map[string]string{settings}, own...)...))
}

// open returns a pool of connections that begin with a statement, if there is one.
func (d Dialer) open(address *url.URL, connections int, first string) (*sqlx.DB, error) {
	connector, err := pq.NewConnector(address.String())
	if err != nil {
		return nil, fmt.Errorf("the database's address: %w", err)
	}
	connector.Dialer(d)
	db := sqlx.NewDb(sql.OpenDB(explaining{connector, first}), "postgres")
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Listen returns a channel that receives when a channel of the database is notified, and whenever a notification may have been missed.
// Nobody has to receive. It is closed some time after the context has ended: a silent server can delay that.
func (d Dialer) Listen(ctx context.Context, address *url.URL, channel string) <-chan struct{} {
	hints := make(chan struct{}, 1)
	hint := func() {
		select {
		case hints <- struct{}{}:
		default:
		}
	}
	listener := pq.NewDialListener(d, address.String(), 100*time.Millisecond, 5*time.Second, nil)
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	listening := make(chan struct{})
	go func() { // waits for the connection, or the end of the context
		defer close(listening)
		_ = listener.Listen(channel)
		hint()
	}()
	go func() {
		defer close(hints)
		defer func() { <-listening }()
		alive := time.NewTicker(d.Limit() / 3)
		defer alive.Stop()
		for {
			select {
			case _, open := <-listener.Notify: // also receives nil when the connection is back
				if !open {
					return
				}
				hint()
			case <-alive.C:
				go func() { _ = listener.Ping() }() // so that silence does not end it; waits for the answer
			}
		}
	}()
	return hints
}
