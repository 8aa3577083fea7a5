// Package esdb stores events in EventStoreDB, on one server or a cluster.
//
// It uses the protocol of the EventStoreDB client, with its connection strings and its messages, over its own connections: the
// client's Client gives up for good after an outage, leaves callers hanging, ignores contexts while it looks for a node, and ends the
// process on an event without a time. Everything is asked of the leader, because a follower's answer may be outdated. A call that finds
// no leader, or whose outcome is unknown, is repeated unchanged. That is harmless because appends name their revision and their
// events' ids; so outages, elections and dropped subscriptions only take time. Streams have a prefix in the database, so that several
// logs and other streams can share it. Positions are offsets in the server's log, with gaps.
//
// An administrator can tell the server to forget events of a stream. Reading such a stream, and appending to it, is refused with an
// eventstore.DamageError; followers are told of it (see docs/decisions/18).
package esdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// Options are how a log is opened. The zero value is right if the database has one desk.
type Options struct {
	// Prefix is the prefix of this log's streams in the database, default "daybook.": printable ASCII. No log's prefix may begin
	// with another's, or the other log would contain its events too.
	Prefix string
	// Patience is how long a call is retried while there is no leader, default 30 s. An election takes some of it. Follow retries
	// without end, but not while the server keeps sending what cannot be understood.
	Patience time.Duration
	// Now is this machine's clock, default time.Now. The server records by its own. Tests set it.
	Now func() time.Time
}

// ErrReplaced means that the server holds another log than when this one was opened: its database was replaced.
var ErrReplaced = errors.New("the server holds another log than before: reopen it, and rebuild what was projected from it")

const (
	patience  = 30 * time.Second
	firstWait = 10 * time.Millisecond // before a call is repeated; it doubles
	longWait  = time.Second
)

// A Store is a log in a database. It owns its connection.
type Store struct {
	prefix   string
	patience time.Duration
	now      func() time.Time
	cluster  *cluster
	id       uuid.UUID
	justRead justRead

	life      context.Context // ends with Close
	end       context.CancelFunc
	accepting sync.RWMutex // held for reading while an append is counted, so that Close knows the last one
	appends   sync.WaitGroup
}

var _ eventstore.Store = (*Store)(nil)

// Open opens the log in the database of a connection string, esdb:// or esdb+discover://, and creates it if it is missing. It waits
// for a leader until the context or patience ends; what waiting does not mend, such as a wrong password, it returns at once. The string's nodePreference, discoveryInterval and maxDiscoverAttempts have no
// effect. Its user must be allowed to read $all.
func Open(ctx context.Context, connection string, opts Options) (*Store, error) {
	s, err := open(ctx, connection, opts)
	if err != nil {
		return nil, fmt.Errorf("opening the event log in EventStoreDB: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, connection string, opts Options) (*Store, error) {
	config, err := client.ParseConnectionString(connection)
	var file *fs.PathError // the tlsCaFile
	if errors.As(err, &file) {
		return nil, file
	}
	if err != nil { // it contains the password
		return nil, errors.New("the server's address must be a URL like esdb://user:password@host:2113?tls=true, with the settings of EventStoreDB's clients")
	}
	s := &Store{prefix: opts.Prefix, patience: opts.Patience, now: opts.Now}
	if s.prefix == "" {
		s.prefix = "daybook."
	}
	if s.patience <= 0 {
		s.patience = patience
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := checkPrefix(s.prefix); err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancel(context.Background())
	if s.cluster, err = newCluster(s.life, config, s.identify); err != nil {
		s.end()
		return nil, err
	}
	// Finding the leader creates the log, or identifies it.
	err = s.try(ctx, s.patience, func(context.Context, *node, *effort) error { return nil })
	if err != nil {
		s.end()
		s.cluster.close()
		return nil, err
	}
	return s, nil
}

// identities is the prefix of the streams that identify the log of each prefix. They belong to no log.
const identities = "log:"

func checkPrefix(prefix string) error {
	plain := strings.IndexFunc(prefix, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	if !plain || strings.HasPrefix(prefix, "$") || strings.HasPrefix(prefix, identities) {
		return fmt.Errorf("%q cannot be a prefix of streams: it must be printable ASCII, and begin with neither $ nor %s", prefix, identities)
	}
	return nil
}

// ID implements eventstore.Store. It is the id of the event that created the log, in a stream of its own. A database that is restored
// from a backup keeps it; that later events were projected is then noticed by their positions.
func (s *Store) ID() uuid.UUID { return s.id }

// Dense implements eventstore.Store.
func (s *Store) Dense() bool { return false }

// identify reads which log a node holds, and refuses to continue in another. The first time it may create the log, if what can be
// written can be followed too.
func (s *Store) identify(ctx context.Context, n *node) error {
	if s.id == uuid.Nil {
		if err := n.stream(ctx, lastOfAll(), func(eventstore.Recorded) error { return errEnough }); status.Code(err) == codes.PermissionDenied {
			return s.cluster.mayNotReadAll(err)
		}
	}
	id, err := s.readIdentity(ctx, n)
	if errors.Is(err, eventstore.ErrNotFound) && s.id == uuid.Nil {
		began := eventstore.Event{ID: uuid.New(), Type: "log-began", Data: fmt.Appendf(nil, `{"prefix":%q}`, s.prefix)}
		_, err = n.append(ctx, identities+s.prefix, eventstore.NoStream, []eventstore.Event{began})
		var conflict *eventstore.ConflictError
		if err == nil || errors.As(err, &conflict) { // another process may have created it
			id, err = s.readIdentity(ctx, n)
		}
	}
	switch {
	case errors.Is(err, eventstore.ErrNotFound):
		return ErrReplaced
	case err != nil:
		return fmt.Errorf("identifying the log: %w", err)
	case s.id == uuid.Nil:
		s.id = id
	case s.id != id:
		return ErrReplaced
	}
	return nil
}

// readIdentity reads the event that created the log. If the server was told to forget it, no other may take its place.
func (s *Store) readIdentity(ctx context.Context, n *node) (id uuid.UUID, err error) {
	stream := identities + s.prefix
	err = n.stream(ctx, streamRequest(stream, 0, eventstore.Forwards, 1), func(e eventstore.Recorded) error {
		if e.Revision == 0 {
			id = e.ID
		}
		return nil
	})
	if id != uuid.Nil || err != nil && !errors.Is(err, eventstore.ErrNotFound) && !errors.Is(err, errBuried) {
		return id, err
	}
	what, failed := n.forgotten(ctx, stream)
	switch {
	case failed != nil:
		return id, failed
	case what != "":
		return id, damaged(stream, what)
	case err == nil:
		return id, damaged(stream, truncated)
	}
	return id, err
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	last, err := s.last(ctx)
	return last.Position, err
}

// Settle implements eventstore.Store.
func (s *Store) Settle(ctx context.Context, at time.Time) (eventstore.Position, error) {
	last, err := s.last(ctx)
	if err == nil && at.After(last.RecordedAt) && at.After(s.now()) {
		return 0, eventstore.ErrFuture
	}
	return last.Position, err
}

// Ahead implements eventstore.Store. It compares the server's clock with this machine's, and small differences between them are usual.
func (s *Store) Ahead(ctx context.Context) (time.Duration, error) {
	last, err := s.last(ctx)
	return max(0, last.RecordedAt.Sub(s.now())), err
}

// last reads the log's last event.
func (s *Store) last(ctx context.Context) (last eventstore.Recorded, err error) {
	ctx, leave, err := s.join(ctx)
	if err != nil {
		return last, err
	}
	defer leave()
	err = s.try(ctx, s.patience, func(ctx context.Context, n *node, _ *effort) (err error) {
		last, err = s.lastOf(ctx, n)
		return err
	})
	if err != nil {
		return eventstore.Recorded{}, explain("read the end of the event log", err)
	}
	return last, nil
}

func (s *Store) lastOf(ctx context.Context, n *node) (last eventstore.Recorded, err error) {
	err = n.stream(ctx, s.lastRequest(), func(e eventstore.Recorded) error {
		last = e
		return errEnough // otherwise the server would look for one more
	})
	return last, err
}

// Close implements eventstore.Store. It waits for appends in progress, which are not repeated. A second Close does nothing.
func (s *Store) Close() error {
	s.accepting.Lock()
	s.end()
	s.accepting.Unlock()
	s.appends.Wait()
	s.cluster.close()
	return nil
}

// join returns a context that ends with the caller's and with the store.
func (s *Store) join(ctx context.Context) (joined context.Context, leave func(), err error) {
	if s.life.Err() != nil {
		return nil, nil, eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	joined, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(eventstore.ErrClosed) })
	return joined, func() { stop(); cancel(nil) }, nil
}

// ended returns why a context has ended, if it has.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, eventstore.ErrClosed) {
		return err
	}
	return ctx.Err()
}

// An effort is the state of retrying a call.
type effort struct {
	since  time.Time // the first failure since the last progress
	pauses backoff.ExponentialBackOff
}

// progress records that a call got somewhere: patience starts again.
func (e *effort) progress() {
	e.since = time.Time{}
	e.pauses.Reset()
}

// try makes a call on the leader until it succeeds, fails for good, or the context or patience ends. Patience 0 never ends.
func (s *Store) try(ctx context.Context, patience time.Duration, call func(context.Context, *node, *effort) error) error {
	e := effort{pauses: backoff.ExponentialBackOff{InitialInterval: firstWait, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: longWait}}
	for {
		n, err := s.cluster.leader(ctx)
		if err == nil {
			err = call(ctx, n, &e)
		}
		err = s.cluster.explained(err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ended(ctx)
		case !temporary(err):
			return err
		case e.since.IsZero():
			e.since = time.Now()
		case patience > 0 && time.Since(e.since) > patience:
			return fmt.Errorf("no leader answered for %v: %w", patience, err)
		}
		if n != nil {
			n.doubt(err)
		}
		select {
		case <-time.After(e.pauses.NextBackOff()):
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// explain adds what was being done to an error. It leaves errors of the contract as they are.
func explain(doing string, err error) error {
	if damage, is := errors.AsType[*eventstore.DamageError](err); is {
		return damage
	}
	for _, plain := range []error{eventstore.ErrClosed, eventstore.ErrNotFound, eventstore.ErrAhead, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, plain) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
