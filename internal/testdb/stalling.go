package testdb

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Stalling puts a network before a database, and returns its address there and what makes it swallow all that is said from
// then on, without a word.
func Stalling(t testing.TB, database string) (proxied string, stall func()) {
	t.Helper()
	there, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	address := there.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var stalled atomic.Bool
	var copying sync.WaitGroup
	join := func(to, from net.Conn) {
		defer to.Close()
		_, _ = io.Copy(swallowing{to, &stalled}, from) // until one side leaves
	}
	copying.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				client.Close()
				continue
			}
			copying.Go(func() { join(server, client) })
			copying.Go(func() { join(client, server) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		copying.Wait()
	})
	there.Host = listener.Addr().String()
	return there.String(), func() { stalled.Store(true) }
}

// swallowing is a connection that may come to take everything and pass on nothing.
type swallowing struct {
	net.Conn
	stalled *atomic.Bool
}

func (s swallowing) Write(b []byte) (int, error) {
	if s.stalled.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}
