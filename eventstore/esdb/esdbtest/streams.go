package esdbtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf16"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

const (
	readBatch    = 32 // events that the server reads at a time
	liveBuffer   = 32 // events that a live subscriber may lag behind
	contentJSON  = "application/json"
	contentBytes = "application/octet-stream"
)

// streamsServer answers the calls about streams.
type streamsServer struct {
	streams.UnimplementedStreamsServer
	node *Server
}

func (s *streamsServer) log() *log { return s.node.cluster.shared() }

// Append receives a header and then one event per message, and writes when the caller has closed the stream.
func (s *streamsServer) Append(call streams.Streams_AppendServer) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	options := first.GetOptions()
	if options == nil {
		return errHandler
	}
	expected, err := expectation(options)
	if err != nil {
		return err
	}
	events, err := s.receive(call)
	if err != nil {
		return err
	}
	name := string(options.StreamIdentifier.GetStreamName())
	if name == "" {
		return errHandler
	}
	if hook := s.node.broken().Served; hook != nil {
		hook("Append", name)
	}
	v, position := s.log().append(name, expected, events)
	if v.refusal != nil {
		return v.refusal
	}
	if hook := s.node.broken().Committed; hook != nil && !v.conflict {
		if err := hook(call.Context(), name); err != nil {
			return err
		}
	}
	reply := appended(v, position)
	if v.conflict {
		reply = conflict(options, v.current)
	}
	if hook := s.node.broken().Reply; hook != nil {
		hook(reply)
	}
	return call.SendAndClose(reply)
}

// sizeOf is what the server counts of an event: only its data, because of a bug that later versions fixed.
func (s *streamsServer) sizeOf(e *streams.AppendReq_ProposedMessage) int {
	if s.node.opts.modern() {
		return len(e.Data) + len(e.CustomMetadata) + 2*len(utf16.Encode([]rune(e.Metadata["type"])))
	}
	return len(e.Data)
}

// receive receives the events of an append.
func (s *streamsServer) receive(call streams.Streams_AppendServer) ([]*record, error) {
	var events []*record
	size := 0
	for {
		next, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		e := next.GetProposedMessage()
		if e == nil {
			return nil, errHandler
		}
		kind, typed := e.Metadata["type"]
		content, tells := e.Metadata["content-type"]
		id, err := idOf(e.Id)
		size += s.sizeOf(e)
		switch {
		case !typed:
			return nil, missingProperty("type")
		case !tells:
			return nil, missingProperty("content-type")
		case size > s.node.opts.MaxAppendSize:
			return nil, tooLarge(s.node.opts.MaxAppendSize)
		case kind == "" || err != nil || id == uuid.Nil:
			return nil, errHandler
		}
		events = append(events, &record{id: id, kind: kind, json: content == contentJSON, data: e.Data, custom: e.CustomMetadata})
	}
}

func appended(v verdict, position uint64) *streams.AppendResp {
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(v.current)},
		PositionOption: &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: position, PreparePosition: position},
		},
	}
	if v.current < 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// conflict returns the expected and the actual revision, once for today's clients and once for those of version 20.6.
func conflict(asked *streams.AppendReq_Options, current int64) *streams.AppendResp {
	wrong := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:        &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)},
		CurrentRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(current)},
	}
	if current < 0 {
		wrong.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		wrong.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	}
	old := func(revision uint64) {
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: revision}
	}
	switch e := asked.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Any:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	case *streams.AppendReq_Options_StreamExists:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	case *streams.AppendReq_Options_NoStream:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
		old(math.MaxUint64)
	case *streams.AppendReq_Options_Revision:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: e.Revision}
		old(e.Revision)
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong}}
}

// revision decodes a revision of the protocol, whose largest number means that there is no stream.
func revision(n uint64) (int64, error) {
	switch {
	case n == math.MaxUint64:
		return noStream, nil
	case n > math.MaxInt64:
		return 0, errHandler
	}
	return int64(n), nil
}

// An expecting is a request with an expected revision, as all that write are.
type expecting interface {
	GetAny() *shared.Empty
	GetNoStream() *shared.Empty
	GetStreamExists() *shared.Empty
	GetRevision() uint64
}

func expectation(asked expecting) (int64, error) {
	switch {
	case asked.GetAny() != nil:
		return anyRevision, nil
	case asked.GetNoStream() != nil:
		return noStream, nil
	case asked.GetStreamExists() != nil:
		return streamExists, nil
	}
	return revision(asked.GetRevision())
}

// Delete soft-deletes a stream: it can be written again, and continues its numbers.
func (s *streamsServer) Delete(_ context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	position, err := s.delete(req.GetOptions().GetStreamIdentifier(), req.GetOptions(), false)
	if err != nil {
		return nil, err
	}
	at := &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: at}}, nil
}

// Tombstone deletes a stream permanently.
func (s *streamsServer) Tombstone(_ context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	position, err := s.delete(req.GetOptions().GetStreamIdentifier(), req.GetOptions(), true)
	if err != nil {
		return nil, err
	}
	at := &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: at}}, nil
}

func (s *streamsServer) delete(stream *shared.StreamIdentifier, asked expecting, forEver bool) (uint64, error) {
	name := string(stream.GetStreamName())
	expected, err := expectation(asked)
	if err != nil {
		return 0, err
	}
	v, position := s.log().delete(name, expected, forEver)
	if v.conflict {
		return 0, wrongExpectedVersion(name, expected, v.current)
	}
	return position, v.refusal
}

func idOf(given *shared.UUID) (uuid.UUID, error) {
	halves := given.GetStructured()
	if halves == nil {
		id, err := uuid.Parse(given.GetString_())
		if err != nil {
			return uuid.Nil, fmt.Errorf("read an id: %w", err)
		}
		return id, nil
	}
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(halves.MostSignificantBits))
	binary.BigEndian.PutUint64(id[8:], uint64(halves.LeastSignificantBits))
	return id, nil
}
