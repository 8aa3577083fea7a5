package esdb

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"daybook/eventstore"
)

const (
	maxMessage = 17 << 20         // bytes that a server may send in a message
	callLimit  = 10 * time.Second // for a call with one answer, unless the connection string has a defaultDeadline
)

// errLost is returned instead of reconnecting a node.
var errLost = errors.New("the connection was lost")

// A cluster is the servers that a connection string names, and the connection to the leader. Concurrent callers share the search for
// the leader; each waits under its own context.
type cluster struct {
	config   *client.Configuration
	seeds    []string // servers to ask for the leader; none if there is only one server
	headers  []string // sent with every call
	options  []grpc.DialOption
	trust    credentials.TransportCredentials // TLS, or none
	identify func(context.Context, *node) error

	life    context.Context // the store's, for the search for the leader
	looking singleflight.Group
	mu      sync.Mutex           // held during the search
	current atomic.Pointer[node] // the last known leader, or nil
}

// A node is one connection to one server. A lost connection is not restored, because it might lead to another database: the next is a
// new node, whose log is identified again.
type node struct {
	address string
	conn    *grpc.ClientConn
	trust   handshake
	streams streams.StreamsClient
	headers []string
	limit   time.Duration // of a call with one answer

	doubted atomic.Bool            // before the next call, find out whether it still leads
	told    atomic.Pointer[string] // the leader's address, according to this node
}

func newCluster(life context.Context, config *client.Configuration, identify func(context.Context, *node) error) (*cluster, error) {
	c := &cluster{
		config:   config,
		headers:  []string{"requires-leader", "true"}, // the client is meant to send it, and does not
		identify: identify,
		life:     life,
	}
	for _, seed := range config.GossipSeeds {
		c.seeds = append(c.seeds, seed.String())
	}
	if config.DnsDiscover && len(c.seeds) == 0 {
		c.seeds = []string{config.Address}
	}
	c.trust = insecure.NewCredentials()
	if !config.DisableTLS {
		if config.Username != "" {
			password := base64.StdEncoding.EncodeToString([]byte(config.Username + ":" + config.Password))
			c.headers = append(c.headers, "authorization", "Basic "+password)
		}
		trust := &tls.Config{InsecureSkipVerify: config.SkipCertificateVerification, RootCAs: config.RootCAs}
		if config.UserCertFile != "" {
			own, err := tls.LoadX509KeyPair(config.UserCertFile, config.UserKeyFile)
			if err != nil {
				return nil, fmt.Errorf("loading the user's certificate: %w", err)
			}
			trust.Certificates = []tls.Certificate{own}
		}
		c.trust = credentials.NewTLS(trust)
	}
	c.options = []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithIdleTimeout(0),
	}
	if config.KeepAliveInterval >= 0 {
		c.options = append(c.options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: config.KeepAliveInterval, Timeout: config.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	return c, nil
}

func (c *cluster) dial(address string) (*node, error) {
	var made atomic.Bool
	once := grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		if made.Load() {
			return nil, errLost
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			made.Store(true)
		}
		return conn, err
	})
	conn, trust, err := c.connect(address, once)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	n := &node{address: address, conn: conn, trust: trust, streams: streams.NewStreamsClient(conn), headers: c.headers, limit: callLimit}
	if set := c.config.DefaultDeadline; set != nil && *set > 0 {
		n.limit = *set
	}
	n.doubted.Store(true)
	return n, nil
}

// connect returns a connection to a server, and its TLS.
func (c *cluster) connect(address string, more ...grpc.DialOption) (*grpc.ClientConn, handshake, error) {
	trust := handshake{c.trust.Clone(), new(atomic.Pointer[error])}
	options := append(slices.Clip(c.options), grpc.WithTransportCredentials(trust))
	conn, err := grpc.NewClient(address, append(options, more...)...)
	return conn, trust, err
}

// leader returns the node that leads and holds this log, as far as is known.
func (c *cluster) leader(ctx context.Context) (*node, error) {
	if n := c.current.Load(); n != nil && !n.doubted.Load() {
		return n, nil
	}
	found := c.looking.DoChan("leader", func() (any, error) { return c.look() })
	select {
	case result := <-found:
		n, _ := result.Val.(*node)
		return n, result.Err
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// look finds the leader, and checks that it holds this log.
func (c *cluster) look() (n *node, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() != nil {
		return nil, eventstore.ErrClosed
	}
	last := c.current.Load()
	stands := last != nil && last.conn.GetState() == connectivity.Ready
	address := c.config.Address
	switch {
	case last != nil && last.told.Load() != nil:
		address = *last.told.Swap(nil)
	case len(c.seeds) > 0:
		if address, err = c.find(); err != nil {
			return nil, err
		}
	case stands:
		address = last.address
	}
	n = last
	if !stands || address != last.address {
		if n, err = c.dial(address); err != nil {
			return nil, err
		}
	}
	c.current.Store(n)
	if last != nil && last != n {
		last.conn.Close() // ends subscriptions to the old leader
	}
	if err := c.identify(c.life, n); err != nil {
		err = c.unlessTLS(address, n.trust.explained(err))
		n.doubt(err)
		if n == last {
			n.conn.Close() // another node may get its address
		}
		return nil, err
	}
	n.doubted.Store(false)
	return n, nil
}

// find asks the servers for the leader, until one knows it.
func (c *cluster) find() (string, error) {
	var failed error
	for _, i := range rand.Perm(len(c.seeds)) {
		address, err := c.ask(c.seeds[i])
		if err == nil {
			return address, nil
		}
		failed = errors.Join(failed, fmt.Errorf("asking %s for the leader: %w", c.seeds[i], err))
	}
	return "", failed
}

// ask asks one server for the leader's address.
func (c *cluster) ask(seed string) (string, error) {
	conn, trust, err := c.connect(seed)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	limit := time.Duration(c.config.GossipTimeout) * time.Second
	if limit <= 0 {
		limit = callLimit
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(c.life, c.headers...), limit)
	defer cancel()
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return "", c.unlessTLS(seed, trust.explained(err))
	}
	for _, member := range info.GetMembers() {
		if member.GetState() == gossip.MemberInfo_Leader && member.GetIsAlive() {
			at := member.GetHttpEndPoint()
			return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPort()))), nil
		}
	}
	return "", errNoLeader
}

// doubt records that a call on the node failed: the next call finds the leader first.
func (n *node) doubt(err error) {
	var elsewhere *notLeaderError
	if errors.As(err, &elsewhere) {
		n.told.Store(&elsewhere.address)
	}
	n.doubted.Store(true)
}

// close closes the connection, at the end of the store's life. No node is handed out afterwards.
func (c *cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.current.Load(); n != nil {
		n.conn.Close()
	}
}
