// Package esdbtest simulates an EventStoreDB server for tests.
//
// It speaks the server's protocol over real gRPC, so the real client works with it. It follows the rules of version 23.10.6, or of
// 25.0.0 where they differ, as read from the server's source: which append counts as a repetition, positions with gaps, deletion,
// metadata, filters, checkpoints, limits, what a scavenge removes. It keeps everything in memory. It has no persistent subscriptions,
// projections, links, access lists or batch appends, and a scavenge is started by Scavenge, because the protocol of the client has no
// call for it. Faults make it fail as servers do, and Stop and Start restart it with its data. A test that passes
// here shows that the rules as read are kept; only a real server can show that they were read correctly (docs/conformance.md
// says what was run on one).
package esdbtest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxMessage is the largest message that the server accepts, in bytes: 16 MiB less the overhead of a record in the log.
const maxMessage = 16<<20 - 10_000

// Options are how a server is started. The zero value is a server without TLS.
type Options struct {
	// Version is the version that the server reports, default 23.10.6. From 24 on it follows the rules of 25.0.0.
	Version string
	// MaxAppendSize is how many bytes one append may have, default 1 MiB.
	MaxAppendSize int
	// User and Password switch TLS on, and are then required. They are an administrator's.
	User, Password string
	// Others are the passwords of users who are not administrators. They may read and write streams, but neither $all nor the
	// server's own streams.
	Others map[string]string
	// Certificate is for TLS, default one of net/http/httptest, valid on this machine.
	Certificate *tls.Certificate
	// Now is the server's clock, by which events are stamped, default time.Now.
	Now func() time.Time
}

// modern reports whether the server is later than 23.10, after which some of its answers changed.
func (o Options) modern() bool { return !strings.HasPrefix(o.Version, "23.10.") }

// Faults are what goes wrong. Each hook may be nil, and is called by many goroutines at once; methods are named as in the protocol:
// Append, Read, Delete, Tombstone, Gossip, GetSupportedMethods.
type Faults struct {
	// Call is called before a call is carried out. It may wait until the context ends, or refuse the call with an error.
	Call func(ctx context.Context, method string) error
	// Served is called with each append to a stream, and each read of one, that is carried out.
	Served func(method, stream string)
	// Committed is called after an append is carried out and before it is answered. An error replaces the answer.
	Committed func(ctx context.Context, stream string) error
	// Answer may replace a message that is about to be sent to a reader, or end the call.
	Answer func(*streams.ReadResp) ([]*streams.ReadResp, error)
	// Reply may change the answer to an append.
	Reply func(*streams.AppendResp)
}

// A Server is a node of a cluster, which may have no other.
type Server struct {
	opts    Options
	cluster *cluster

	mu      sync.Mutex
	address string
	running *grpc.Server // nil: stopped
	served  chan struct{}
	faults  Faults
}

// A cluster is some nodes with one log. Replication takes no time.
type cluster struct {
	nodes []*Server

	mu     sync.Mutex
	log    *log
	leader *Server
}

// NewServer starts a server on a free port of this machine.
func NewServer(opts Options) *Server { return NewCluster(1, opts)[0] }

// NewCluster starts n nodes with one log. The first leads.
func NewCluster(n int, opts Options) []*Server {
	if opts.Version == "" {
		opts.Version = "23.10.6"
	}
	if opts.MaxAppendSize == 0 {
		opts.MaxAppendSize = 1 << 20
	}
	if opts.Certificate == nil {
		opts.Certificate = new(certificate())
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &cluster{log: newLog(opts.Now)}
	for range n {
		c.nodes = append(c.nodes, &Server{opts: opts, cluster: c, address: "127.0.0.1:0"})
	}
	c.leader = c.nodes[0]
	for _, s := range c.nodes {
		s.Start()
	}
	return c.nodes
}

// Lead makes this node the leader. The new one remembers no ids.
func (s *Server) Lead() {
	s.cluster.mu.Lock()
	s.cluster.leader = s
	s.cluster.mu.Unlock()
	s.ForgetIDs()
}

func (s *Server) leads() bool { return s.cluster.leading() == s }

func (c *cluster) shared() *log {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log
}

func (c *cluster) leading() *Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

// ForgetIDs empties the memory of recent writes, as a restart or an election does: appends at any revision are then not idempotent
// any more.
func (s *Server) ForgetIDs() { s.cluster.shared().forgetIDs() }

// Break sets what goes wrong from now on.
func (s *Server) Break(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

func (s *Server) broken() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// Address is the host and port, the same after a restart.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// ConnectionString is for a client that knows only this node. With TLS it needs a tlsCaFile, which must hold Certificate.
func (s *Server) ConnectionString() string {
	if s.opts.User == "" {
		return fmt.Sprintf("esdb://%s?tls=false", s.Address())
	}
	return fmt.Sprintf("esdb://%s:%s@%s?tls=true", s.opts.User, s.opts.Password, s.Address())
}

// DiscoverString is for a client that finds whichever node leads.
func (s *Server) DiscoverString() string {
	var addresses []string
	for _, n := range s.cluster.nodes {
		addresses = append(addresses, n.Address())
	}
	_, options, _ := strings.Cut(s.ConnectionString(), "?")
	return fmt.Sprintf("esdb://%s?%s", strings.Join(addresses, ","), options)
}

// Certificate is the server's TLS certificate, in PEM.
func (s *Server) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.opts.Certificate.Certificate[0]})
}

// certificate is that of net/http/httptest, valid on this machine.
var certificate = sync.OnceValue(func() tls.Certificate {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return server.TLS.Certificates[0]
})

// Start serves, after NewServer or Stop. It panics if the port has been taken.
func (s *Server) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		panic(fmt.Sprintf("esdbtest: %v", err))
	}
	s.address = listener.Addr().String()
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		// The default policy would close connections of clients that ping as often as EventStoreDB's do.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	}
	if s.opts.User != "" {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(s.opts.Certificate)))
	}
	server, served := grpc.NewServer(options...), make(chan struct{})
	streams.RegisterStreamsServer(server, &streamsServer{node: s})
	gossip.RegisterGossipServer(server, &gossipServer{node: s})
	features.RegisterServerFeaturesServer(server, &featuresServer{node: s})
	s.running, s.served = server, served
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends when it is stopped
	}()
}

// Stop closes all connections and refuses new ones until Start. The log stays; the memory of recent writes is lost.
func (s *Server) Stop() {
	s.mu.Lock()
	server, served := s.running, s.served
	s.running = nil
	s.mu.Unlock()
	if server != nil {
		server.Stop()
		<-served
		s.ForgetIDs()
	}
}

// Scavenge removes for good what cannot be read by stream any more, as POST /admin/scavenge does on a server.
func (s *Server) Scavenge() { s.cluster.shared().scavenge() }

// A Backup is a copy of the log.
type Backup struct{ log *log }

// Backup copies the log.
func (s *Server) Backup() Backup { return Backup{s.cluster.shared().copy()} }

// Restore replaces the log by a backup, even one of another database. It closes all connections.
func (s *Server) Restore(b Backup) {
	for _, n := range s.cluster.nodes {
		n.Stop()
	}
	s.cluster.mu.Lock()
	s.cluster.log = b.log.copy()
	s.cluster.mu.Unlock()
	for _, n := range s.cluster.nodes {
		n.Start()
	}
}

// Close stops all nodes of the cluster.
func (s *Server) Close() {
	for _, n := range s.cluster.nodes {
		n.Stop()
	}
}

// admit does what comes before any call: the hook, authentication, and whether this node may answer.
func (s *Server) admit(ctx context.Context, method string) error {
	if hook := s.broken().Call; hook != nil {
		if err := hook(ctx, method[strings.LastIndex(method, "/")+1:]); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(method, "/event_store.client.streams.") {
		return nil
	}
	headers, _ := grpcmd.FromIncomingContext(ctx)
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	if required := headers.Get("requires-leader"); len(required) > 0 && required[0] == "true" && !s.leads() {
		host, port := split(s.cluster.leading().Address())
		return NotLeader(host, port)
	}
	return nil
}

// authenticate checks who calls, if the server has users.
func (s *Server) authenticate(ctx context.Context) error {
	if s.opts.User == "" {
		return nil
	}
	headers, _ := grpcmd.FromIncomingContext(ctx)
	switch given := headers.Get("authorization"); {
	case len(given) == 0:
		return accessDenied()
	case given[0] == basic(s.opts.User, s.opts.Password):
		return nil
	default:
		for user, password := range s.opts.Others {
			if given[0] == basic(user, password) {
				return nil
			}
		}
		return status.Error(codes.Unauthenticated, "")
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// mayRead refuses to show others than administrators what only those may read.
func (s *Server) mayRead(ctx context.Context, options *streams.ReadReq_Options) error {
	headers, _ := grpcmd.FromIncomingContext(ctx)
	if given := headers.Get("authorization"); s.opts.User == "" || given[0] == basic(s.opts.User, s.opts.Password) {
		return nil
	}
	name, _ := strings.CutPrefix(string(options.GetStream().GetStreamIdentifier().GetStreamName()), "$$")
	if options.GetAll() != nil || strings.HasPrefix(name, "$") {
		return accessDenied()
	}
	return nil
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	err := s.admit(ctx, named(info.FullMethod))
	var answer any
	if err == nil {
		answer, err = handle(ctx, req)
	}
	var r *refusal
	if errors.As(err, &r) {
		_ = grpc.SetTrailer(ctx, r.trailers) // fails if the caller has left
	}
	return answer, err
}

func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := s.admit(stream.Context(), info.FullMethod)
	if err == nil {
		err = handle(srv, stream)
	}
	var r *refusal
	if errors.As(err, &r) {
		stream.SetTrailer(r.trailers)
	}
	return err
}

// named tells the Read of Gossip from that of Streams.
func named(method string) string {
	if strings.HasPrefix(method, "/event_store.client.gossip.") {
		return "/Gossip"
	}
	return method
}

type gossipServer struct {
	gossip.UnimplementedGossipServer
	node *Server
}

func (g *gossipServer) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	info, leader := &gossip.ClusterInfo{}, g.node.cluster.leading()
	for _, n := range g.node.cluster.nodes {
		host, port := split(n.Address())
		n.mu.Lock()
		alive := n.running != nil
		n.mu.Unlock()
		state := gossip.MemberInfo_Follower
		if n == leader {
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, &gossip.MemberInfo{
			State: state, IsAlive: alive, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(port)},
		})
	}
	return info, nil
}

type featuresServer struct {
	features.UnimplementedServerFeaturesServer
	node *Server
}

func (f *featuresServer) GetSupportedMethods(context.Context, *shared.Empty) (*features.SupportedMethods, error) {
	const service = "event_store.client.streams.streams"
	supported := &features.SupportedMethods{EventStoreServerVersion: f.node.opts.Version}
	for _, method := range []string{"append", "read", "delete", "tombstone"} {
		supported.Methods = append(supported.Methods, &features.SupportedMethod{ServiceName: service, MethodName: method})
	}
	return supported, nil
}

func split(address string) (host string, port int) {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(fmt.Sprintf("esdbtest: %v", err)) // it is one that was listened on
	}
	return a.IP.String(), a.Port
}
