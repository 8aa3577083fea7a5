package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/metadata"

	"daybook/eventstore"
)

// errEnough ends a read whose caller wants no more.
var errEnough = errors.New("the reader has left")

// Read implements eventstore.Store. An interrupted read continues with the next event. What the server was told to forget is asked
// beside it, for a reader of the last events would not notice.
func (s *Store) Read(ctx context.Context, stream string, from eventstore.Revision, way eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		ctx, leave, err := s.join(ctx)
		if err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		defer leave()
		if from == eventstore.Last && way == eventstore.Forwards {
			way, limit = eventstore.Backwards, 1
		}
		r := reader{Store: s, stream: stream, from: from, way: way, left: uint64(math.MaxUint64), yield: yield}
		if way == eventstore.Forwards {
			r.from, r.exact = max(from, 0), true
		}
		if limit > 0 {
			r.left = uint64(limit)
		}
		if err := s.try(ctx, s.patience, r.read); err != nil {
			yield(eventstore.Recorded{}, explain("read stream "+stream, err))
		}
	}
}

// Tails implements eventstore.Store: side by side, each from the event that is known.
func (s *Store) Tails(ctx context.Context, after ...eventstore.Known) ([]eventstore.Tail, error) {
	tails := make([]eventstore.Tail, len(after))
	var together errgroup.Group
	for i, k := range after {
		together.Go(func() error {
			err := s.tail(ctx, k, &tails[i])
			damage := (*eventstore.DamageError)(nil)
			if errors.Is(err, eventstore.ErrNotFound) || errors.Is(err, eventstore.ErrGone) || errors.As(err, &damage) {
				tails[i] = eventstore.Tail{Err: err}
				return nil
			}
			return err
		})
	}
	return tails, together.Wait()
}

func (s *Store) tail(ctx context.Context, k eventstore.Known, t *eventstore.Tail) error {
	from, limit := max(k.Revision, 0), eventstore.TailEvents
	knows := k.Revision > eventstore.NoStream
	if knows {
		limit++
	}
	found := !knows
	for e, err := range s.Read(ctx, k.Stream, from, eventstore.Forwards, limit) {
		switch {
		case err != nil:
			return err
		case !found && e.ID != k.ID:
			return eventstore.ErrGone
		case !found:
			found = true
		default:
			t.Events = append(t.Events, e)
		}
	}
	if t.More = len(t.Events) == eventstore.TailEvents; !found {
		return eventstore.ErrGone
	}
	return nil
}

// A reader is the state of one Read.
type reader struct {
	*Store
	stream string
	from   eventstore.Revision // of the next event
	exact  bool                // it must have that revision; otherwise a lower one will do
	way    eventstore.Direction
	left   uint64
	yield  func(eventstore.Recorded, error) bool
}

// read reads until the server has no more; it returns nil if the caller has left.
func (r *reader) read(ctx context.Context, n *node, effort *effort) error {
	if r.left == 0 || r.from < 0 {
		return nil
	}
	asking, stop := context.WithCancel(ctx)
	whole := r.ask(asking, n, r.stream)
	defer func() { stop(); _ = whole() }()
	first, gone := r.from, false
	err := n.stream(ctx, streamRequest(r.prefix+r.stream, r.from, r.way, r.left), func(e eventstore.Recorded) error {
		if err := whole(); err != nil {
			return err
		}
		effort.progress()
		if err := ended(ctx); err != nil {
			return err
		}
		if e.Revision != r.from && (r.exact || e.Revision > r.from) {
			return r.missing(first)
		}
		e.Stream = r.stream
		if gone = !r.yield(e, nil); gone {
			return errEnough
		}
		r.left--
		r.exact = true
		if r.from = e.Revision + 1; r.way == eventstore.Backwards {
			r.from -= 2
		}
		return nil
	})
	switch {
	case errors.Is(err, errBuried):
		return damaged(r.stream, tombstoned)
	case err != nil && !errors.Is(err, eventstore.ErrNotFound), gone:
		return err
	}
	if not := whole(); not != nil {
		return not
	}
	if err == nil && r.left > 0 && (r.way == eventstore.Backwards && r.from >= 0 || r.way == eventstore.Forwards && r.from == 0) {
		return damaged(r.stream, truncated) // every stream that exists has a first event
	}
	r.justRead.add(r.stream)
	return err
}

// missing returns the error for an event that is not where it should be in the stream.
func (r *reader) missing(first eventstore.Revision) error {
	if r.way == eventstore.Forwards && r.from == first {
		return damaged(r.stream, truncated)
	}
	return damaged(r.stream, fmt.Sprintf("revision %d is missing", r.from))
}

// streamRequest asks for at most limit events of a stream.
func streamRequest(stream string, from eventstore.Revision, way eventstore.Direction, limit uint64) *streams.ReadReq_Options {
	options := &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)},
	}
	if from == eventstore.Last {
		options.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	}
	request := &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: options},
		CountOption:  &streams.ReadReq_Options_Count{Count: limit},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}
	if way == eventstore.Backwards {
		request.ReadDirection = streams.ReadReq_Options_Backwards
	}
	return request
}

// at asks for the event at a position, or the next one after it.
func at(position eventstore.Position) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: allFrom(position),
		CountOption:  &streams.ReadReq_Options_Count{Count: 1},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}
}

// lastRequest asks for the log's last event.
func (s *Store) lastRequest() *streams.ReadReq_Options {
	request := lastOfAll()
	request.FilterOption = s.filter()
	return request
}

// lastOfAll asks for the last event of the server.
func lastOfAll() *streams.ReadReq_Options {
	end := &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	return &streams.ReadReq_Options{
		StreamOption:  &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: end}},
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}
}

// subscription asks for everything after a position, without end.
func (s *Store) subscription(after eventstore.Position) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: allFrom(after),
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		FilterOption: s.filter(),
	}
}

func allFrom(position eventstore.Position) *streams.ReadReq_Options_All {
	all := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
		Position: &streams.ReadReq_Options_Position{CommitPosition: uint64(position), PreparePosition: uint64(position)},
	}}
	if position == eventstore.Start {
		all.AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}
	}
	return &streams.ReadReq_Options_All{All: all}
}

// filter makes the server leave out what is not this log's: other logs, other streams, the server's own events. Metadata of this
// log's streams are left in, because they tell what the server forgets.
func (s *Store) filter() *streams.ReadReq_Options_Filter {
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{s.prefix, described + s.prefix}},
		},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 1024}, // events examined at a time
		CheckpointIntervalMultiplier: 1,
	}}
}

// last reads the last event of a stream. A missing stream is at NoStream.
func (n *node) last(ctx context.Context, stream string) (eventstore.Recorded, error) {
	last := eventstore.Recorded{Revision: eventstore.NoStream}
	err := n.stream(ctx, streamRequest(stream, eventstore.Last, eventstore.Backwards, 1), func(e eventstore.Recorded) error {
		last = e
		return nil
	})
	if errors.Is(err, eventstore.ErrNotFound) {
		err = nil
	}
	return last, err
}

// stream calls take with events until the server has no more or take returns an error.
func (n *node) stream(ctx context.Context, request *streams.ReadReq_Options, take func(eventstore.Recorded) error) error {
	return n.messages(ctx, request, n.limit, func(m *streams.ReadResp) error {
		switch content := m.GetContent().(type) {
		case *streams.ReadResp_StreamNotFound_:
			return eventstore.ErrNotFound
		case *streams.ReadResp_Event:
			e, err := recorded(content.Event)
			if err != nil {
				return err
			}
			return take(e)
		}
		return nil // servers may send other messages too
	})
}

// messages calls take with what the server sends. Each message may take as long as the limit.
func (n *node) messages(ctx context.Context, request *streams.ReadReq_Options, limit time.Duration, take func(*streams.ReadResp) error) error {
	ctx, cancel := context.WithCancelCause(metadata.AppendToOutgoingContext(ctx, n.headers...))
	defer cancel(nil)
	waiting := time.AfterFunc(limit, func() { cancel(errSilent) })
	defer waiting.Stop()
	request.UuidOption = &streams.ReadReq_Options_UUIDOption{
		Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
	}
	call, err := n.streams.Read(ctx, &streams.ReadReq{Options: request})
	if err != nil {
		return unlessSilent(ctx, err)
	}
	for {
		waiting.Reset(limit)
		m, err := call.Recv()
		waiting.Stop() // the caller's time does not count
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unlessSilent(ctx, refused(err, call.Trailer()))
		}
		if err := take(m); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// unlessSilent returns the error of a call, or errSilent if it was given up.
func unlessSilent(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// recorded decodes an event. The server counts time in units of 100 ns.
func recorded(m *streams.ReadResp_ReadEvent) (eventstore.Recorded, error) {
	e := m.GetEvent()
	id, err := idOf(e.GetId())
	if err != nil {
		return eventstore.Recorded{}, err
	}
	created, err := strconv.ParseInt(e.GetMetadata()["created"], 10, 64)
	if err != nil {
		return eventstore.Recorded{}, fmt.Errorf("%w: event %v has no time", errUnexpected, id)
	}
	if e.GetCommitPosition() > math.MaxInt64 {
		return eventstore.Recorded{}, fmt.Errorf("%w: event %v has no position", errUnexpected, id)
	}
	return eventstore.Recorded{
		ID:         id,
		Type:       e.GetMetadata()["type"],
		Data:       e.GetData(),
		Meta:       e.GetCustomMetadata(),
		Stream:     string(e.GetStreamIdentifier().GetStreamName()),
		Revision:   eventstore.Revision(e.GetStreamRevision()),
		Position:   eventstore.Position(e.GetCommitPosition()),
		RecordedAt: time.UnixMicro(created / 10).UTC(),
	}, nil
}

// ours removes the prefix from the name of an event's stream. It returns false if the stream does not have it. Metadata and a
// tombstone become notices.
func (s *Store) ours(e *eventstore.Recorded) (ours bool) {
	name, about := strings.CutPrefix(e.Stream, described)
	if e.Stream, ours = strings.CutPrefix(name, s.prefix); about || e.Revision == eventstore.Last {
		e.Notice, e.Revision, e.Data, e.Meta = true, eventstore.NoStream, nil, nil
	}
	return ours
}
