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
	"google.golang.org/grpc/metadata"

	"daybook/eventstore"
)

// errEnough ends a read whose caller wants no more.
var errEnough = errors.New("the reader has left")

// Read implements eventstore.Store. An interrupted read continues with the next event.
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
		left := uint64(math.MaxUint64)
		if limit > 0 {
			left = uint64(limit)
		}
		err = s.try(ctx, s.patience, func(ctx context.Context, n *node, effort *effort) error {
			if left == 0 || way == eventstore.Backwards && from < 0 {
				return nil
			}
			return n.stream(ctx, streamRequest(s.prefix+stream, max(from, 0), way, left), func(e eventstore.Recorded) error {
				effort.progress()
				if err := ended(ctx); err != nil {
					return err
				}
				e.Stream = stream
				if !yield(e, nil) {
					return errEnough
				}
				left--
				if from = e.Revision + 1; way == eventstore.Backwards {
					from -= 2
				}
				return nil
			})
		})
		if err != nil {
			yield(eventstore.Recorded{}, explain("read stream "+stream, err))
		}
	}
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
	end := &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	return &streams.ReadReq_Options{
		StreamOption:  &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: end}},
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption:  s.filter(),
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

// filter makes the server leave out what is not this log's: other logs, other streams, the server's own events.
func (s *Store) filter() *streams.ReadReq_Options_Filter {
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{s.prefix}},
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

// ours removes the prefix from the name of an event's stream. It returns false if the stream does not have it.
func (s *Store) ours(e *eventstore.Recorded) (ours bool) {
	e.Stream, ours = strings.CutPrefix(e.Stream, s.prefix)
	return ours
}
