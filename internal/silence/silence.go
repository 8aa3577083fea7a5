// Package silence ends connections to PostgreSQL over which nothing comes though an answer is owed. The driver itself would
// wait for ever for a server that is gone without a word, whatever becomes of the context.
package silence

import (
	"context"
	"net"
	"time"

	"github.com/lib/pq"
)

// A Dialer connects such that silence ends a connection.
type Dialer struct {
	Limit func() time.Duration // how long the server may say nothing, asked for every answer; 0: as long as it likes
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
	return conn{c, d.Limit}, err
}

// DialContext implements pq.DialerContext.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return conn{c, d.Limit}, err
}

type conn struct {
	net.Conn
	limit func() time.Duration
}

func (c conn) Read(b []byte) (int, error) {
	var until time.Time
	if limit := c.limit(); limit > 0 {
		until = time.Now().Add(limit)
	}
	if err := c.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}
