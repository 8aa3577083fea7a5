package esdb

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/metadata"

	"daybook/eventstore"
)

// Append implements eventstore.Store. If the outcome is unknown it repeats the same append until it knows or patience ends. It first
// asks, of all streams side by side, whether the server was told to forget events of them, but not of those that were just read.
func (s *Store) Append(ctx context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	if err := eventstore.Check(to); err != nil {
		return nil, err
	}
	steps := map[int][]int{} // which appends are part of each
	for i, a := range to {
		steps[a.Step] = append(steps[a.Step], i)
	}
	var asking errgroup.Group
	for _, a := range to {
		if !s.justRead.take(a.Stream) {
			asking.Go(func() error { return s.mustBeWhole(ctx, a.Stream) })
		}
	}
	if err := asking.Wait(); err != nil {
		return nil, err
	}
	done := make([]eventstore.Appended, len(to))
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		var together errgroup.Group
		for _, i := range steps[step] {
			together.Go(func() (err error) {
				done[i], err = s.appendTo(ctx, to[i].Stream, to[i].Expected, to[i].Events)
				return err
			})
		}
		if err := together.Wait(); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// appendTo appends to one stream.
func (s *Store) appendTo(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (eventstore.Appended, error) {
	joined, leave, err := s.accept(ctx)
	if err != nil {
		return eventstore.Appended{}, err
	}
	defer leave()
	var done eventstore.Appended
	err = s.try(joined, s.patience, func(_ context.Context, n *node, _ *effort) (err error) {
		// Close does not end an append in progress; the caller's context does.
		done, err = n.append(ctx, s.prefix+stream, expected, events)
		if errors.Is(err, errBuried) {
			return damaged(stream, tombstoned)
		}
		if want := expected + eventstore.Revision(len(events)); err == nil && done.Revision != want {
			return damaged(stream, jumps(expected, done.Revision))
		}
		return err
	})
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return eventstore.Appended{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: conflict.Actual}
	}
	if err != nil {
		return eventstore.Appended{}, explain("append to stream "+stream, err)
	}
	return done, nil
}

// mustBeWhole returns an error if the server was told to forget events of a stream.
func (s *Store) mustBeWhole(ctx context.Context, stream string) error {
	joined, leave, err := s.join(ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = s.try(joined, s.patience, func(ctx context.Context, n *node, _ *effort) error { return s.forgetsNothing(ctx, n, stream) })
	if err != nil {
		return explain("append to stream "+stream, err)
	}
	return nil
}

// accept is join for appends, for which Close waits.
func (s *Store) accept(ctx context.Context) (context.Context, func(), error) {
	s.accepting.RLock()
	defer s.accepting.RUnlock()
	joined, leave, err := s.join(ctx)
	if err != nil {
		return nil, nil, err
	}
	s.appends.Add(1)
	return joined, func() { leave(); s.appends.Done() }, nil
}

// append appends once.
func (n *node) append(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (eventstore.Appended, error) {
	if expected < eventstore.NoStream { // the protocol has no number for it, and no stream is at it
		last, err := n.last(ctx, stream)
		if err != nil {
			return eventstore.Appended{}, err
		}
		return eventstore.Appended{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: last.Revision}
	}
	reply, err := n.send(ctx, stream, expected, events)
	if err != nil {
		return eventstore.Appended{}, err
	}
	switch result := reply.GetResult().(type) {
	case *streams.AppendResp_Success_:
		done := eventstore.Appended{
			Revision: eventstore.Revision(result.Success.GetCurrentRevision()),
			Position: eventstore.Position(result.Success.GetPosition().GetCommitPosition()),
		}
		if done.Position != 0 {
			return done, nil
		}
		// The server may report a repetition without the events' place.
		last := events[len(events)-1].ID
		err := n.stream(ctx, streamRequest(stream, done.Revision, eventstore.Forwards, 1), func(e eventstore.Recorded) error {
			if e.ID == last {
				done.Position = e.Position
			}
			return nil
		})
		if err == nil && done.Position == 0 {
			err = errUnexpected
		}
		return done, err
	case *streams.AppendResp_WrongExpectedVersion_:
		conflict := &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: eventstore.NoStream}
		if at, ok := result.WrongExpectedVersion.GetCurrentRevisionOption().(*streams.AppendResp_WrongExpectedVersion_CurrentRevision); ok {
			conflict.Actual = eventstore.Revision(at.CurrentRevision)
		}
		return eventstore.Appended{}, conflict
	}
	return eventstore.Appended{}, errUnexpected
}

// send sends an append and waits for the answer.
func (n *node) send(ctx context.Context, stream string, expected eventstore.Revision, events []eventstore.Event) (*streams.AppendResp, error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, n.headers...), n.limit)
	defer cancel()
	call, err := n.streams.Append(ctx)
	if err != nil {
		return nil, err
	}
	options := &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
		ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: uint64(expected)},
	}
	if expected == eventstore.NoStream {
		options.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	}
	err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}})
	for i := 0; err == nil && i < len(events); i++ {
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: proposed(events[i])}})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	// The end of the stream while sending means that there is an answer already.
	reply, err := call.CloseAndRecv()
	if err != nil {
		err = refused(err, call.Trailer())
		var tooLarge *eventstore.TooLargeError
		if errors.As(err, &tooLarge) {
			tooLarge.Bytes, tooLarge.Events = eventstore.Size(events), len(events)
		}
		return nil, err
	}
	return reply, nil
}

func proposed(e eventstore.Event) *streams.AppendReq_ProposedMessage {
	content := "application/octet-stream"
	if json.Valid(e.Data) { // so that the server shows it as JSON
		content = "application/json"
	}
	return &streams.AppendReq_ProposedMessage{
		Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits:  int64(binary.BigEndian.Uint64(e.ID[:8])),
			LeastSignificantBits: int64(binary.BigEndian.Uint64(e.ID[8:])),
		}}},
		Metadata:       map[string]string{"type": e.Type, "content-type": content},
		CustomMetadata: e.Meta,
		Data:           e.Data,
	}
}

// idOf decodes an id, which servers send in two halves or as text.
func idOf(given *shared.UUID) (uuid.UUID, error) {
	halves := given.GetStructured()
	if halves == nil {
		id, err := uuid.Parse(given.GetString_())
		if err != nil {
			return uuid.Nil, fmt.Errorf("%w: %w", errUnexpected, err)
		}
		return id, nil
	}
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(halves.GetMostSignificantBits()))
	binary.BigEndian.PutUint64(id[8:], uint64(halves.GetLeastSignificantBits()))
	return id, nil
}
