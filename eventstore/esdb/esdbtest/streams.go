package esdbtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

// A reading is one call of Read: its options, and the connection to the caller.
type reading struct {
	*log
	modern    bool
	ctx       context.Context
	send      func(*streams.ReadResp) error
	options   *streams.ReadReq_Options
	backwards bool
	wants     func(*record) bool
	window    int // events to examine before a checkpoint, 0 without a filter
}

// Read reads a stream or all of them, once or as a subscription.
func (s *streamsServer) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	r := &reading{
		log:       s.log(),
		modern:    s.node.opts.modern(),
		ctx:       call.Context(),
		options:   req.GetOptions(),
		backwards: req.GetOptions().GetReadDirection() == streams.ReadReq_Options_Backwards,
		wants:     func(*record) bool { return true },
	}
	r.send = func(m *streams.ReadResp) error {
		hook := s.node.broken().Answer
		if hook == nil {
			return call.Send(m)
		}
		instead, err := hook(m)
		for _, m := range instead {
			if err := call.Send(m); err != nil {
				return err
			}
		}
		return err
	}
	subscribes := r.options.GetSubscription() != nil
	if err := r.filter(r.options.GetFilter(), subscribes); err != nil {
		return err
	}
	limit := r.options.GetCount()
	switch {
	case subscribes && r.backwards:
		return status.Error(codes.InvalidArgument, "The combination of (Subscription, Backwards) is invalid.")
	case !subscribes && limit == 0:
		return errHandler
	case subscribes && r.options.GetStream() != nil:
		return r.followStream(r.options.GetStream())
	case subscribes && r.options.GetAll() != nil:
		return r.followAll(r.options.GetAll())
	case r.options.GetStream() != nil:
		return r.readStream(r.options.GetStream(), limit)
	case r.options.GetAll() != nil:
		return r.readAll(r.options.GetAll(), limit)
	}
	return invalidArgument("StreamOption")
}

// filter parses a filter: prefixes or a regular expression, on the stream's name or the event's type.
func (r *reading) filter(f *streams.ReadReq_Options_FilterOptions, subscribes bool) error {
	if f == nil {
		return nil
	}
	subject, expression := func(e *record) string { return e.stream }, f.GetStreamIdentifier()
	if expression == nil {
		subject, expression = func(e *record) string { return e.kind }, f.GetEventType()
	}
	if expression == nil {
		return invalidArgument("Filter")
	}
	if subscribes && f.CheckpointIntervalMultiplier == 0 {
		return errHandler
	}
	r.window = readBatch
	if bound, ok := f.Window.(*streams.ReadReq_Options_FilterOptions_Max); ok {
		r.window = int(bound.Max)
	}
	r.window *= int(max(f.CheckpointIntervalMultiplier, 1))
	if expression.Regex == "" {
		r.wants = func(e *record) bool {
			return slices.ContainsFunc(expression.Prefix, func(p string) bool { return strings.HasPrefix(subject(e), p) })
		}
		return nil
	}
	pattern, err := regexp.Compile(expression.Regex)
	if err != nil {
		return errHandler
	}
	r.wants = func(e *record) bool { return pattern.MatchString(subject(e)) }
	return nil
}

// readStream sends what can be read of a stream from a revision on, which is included.
func (r *reading) readStream(asked *streams.ReadReq_Options_StreamOptions, limit uint64) error {
	name := string(asked.StreamIdentifier.GetStreamName())
	if name == "" || !r.backwards && asked.GetEnd() != nil {
		return errHandler
	}
	from := int64(0)
	switch at := asked.RevisionOption.(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		var err error
		if from, err = revision(at.Revision); err != nil {
			return err
		}
	case *streams.ReadReq_Options_StreamOptions_End:
		from = math.MaxInt64
	}
	records, exists, gone, _ := r.stream(name)
	switch {
	case gone:
		return streamDeleted(name)
	case !exists:
		return r.send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: asked.StreamIdentifier},
		}})
	}
	return r.sendSome(records, limit, func(e *record) bool { return e.revision == from || (e.revision > from) == !r.backwards })
}

// readAll sends the log from a position on, which is included forwards and not backwards.
func (r *reading) readAll(asked *streams.ReadReq_Options_AllOptions, limit uint64) error {
	records, _ := r.after(0)
	switch at := asked.AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		index, valid := r.find(at.Position.CommitPosition)
		if !valid && r.modern {
			return errReadingInvalid
		}
		if !valid {
			return errReading
		}
		index = min(index, len(records))
		if r.backwards {
			records = records[:index]
		} else {
			records = records[index:]
		}
	case *streams.ReadReq_Options_AllOptions_Start:
		if r.backwards {
			return nil
		}
	case *streams.ReadReq_Options_AllOptions_End:
		if !r.backwards {
			return nil
		}
	}
	return r.sendSome(records, limit, r.wants)
}

func (r *reading) sendSome(records []*record, limit uint64, wants func(*record) bool) error {
	for i := range records {
		e := records[i]
		if r.backwards {
			e = records[len(records)-1-i]
		}
		if !wants(e) {
			continue
		}
		if err := r.sendEvent(e); err != nil {
			return err
		}
		if limit--; limit == 0 {
			break
		}
	}
	return nil
}

// followAll sends what comes after a position: pages until nothing is left, then new events as they are written. A live subscriber
// that lags is dropped and has to subscribe again; later versions go back to reading pages for it.
func (r *reading) followAll(asked *streams.ReadReq_Options_AllOptions) error {
	after := uint64(0)
	switch at := asked.AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = at.Position.CommitPosition
	case *streams.ReadReq_Options_AllOptions_End:
		if records, _ := r.after(0); len(records) > 0 {
			after = records[len(records)-1].position
		}
	}
	next, valid := r.find(after)
	if !valid && r.modern {
		return errInvalid
	}
	if !valid {
		return errHandler
	}
	if err := r.confirm(); err != nil {
		return err
	}
	considered, live := 0, false
	for {
		records, changed := r.after(next)
		if live && count(records, r.wants) > liveBuffer {
			if !r.modern {
				return ErrTooSlow
			}
			live = false
		}
		matched, place := 0, after
		for i, e := range records {
			next++
			if e.position <= after { // where it began, or a position that the log has yet to reach
				continue
			}
			considered++
			wanted := r.wants(e)
			if wanted {
				if err := r.sendEvent(e); err != nil {
					return err
				}
				matched++
			}
			if live || wanted || i == 0 { // otherwise a checkpoint lags: it is the last match, or where the page began
				place = e.position
			}
			if r.window > 0 && considered >= r.window {
				considered = 0
				if err := r.checkpoint(place); err != nil {
					return err
				}
			}
			if !live && matched == readBatch {
				break
			}
		}
		if len(records) > 0 {
			continue
		}
		if !live {
			live = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := r.wait(changed); err != nil {
			return err
		}
	}
}

func count(records []*record, wants func(*record) bool) (n int) {
	for _, e := range records {
		if wants(e) {
			n++
		}
	}
	return n
}

// followStream sends what a stream holds after a revision. It waits in silence for a stream that does not exist; later versions
// report that it has caught up.
func (r *reading) followStream(asked *streams.ReadReq_Options_StreamOptions) error {
	name, after := string(asked.StreamIdentifier.GetStreamName()), int64(-1)
	switch at := asked.RevisionOption.(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		var err error
		if after, err = revision(at.Revision); err != nil {
			return err
		}
	case *streams.ReadReq_Options_StreamOptions_End:
		if records, exists, _, _ := r.stream(name); exists && len(records) > 0 {
			after = records[len(records)-1].revision
		}
	}
	if err := r.confirm(); err != nil {
		return err
	}
	for live := false; ; {
		records, exists, gone, changed := r.stream(name)
		if gone {
			if last := r.tombstone(name); live && last != nil {
				if err := r.sendEvent(last); err != nil {
					return err
				}
			}
			return streamDeleted(name)
		}
		begin, _ := slices.BinarySearchFunc(records, after+1, func(e *record, n int64) int { return int(e.revision - n) })
		records = records[begin:]
		if live && len(records) > liveBuffer {
			if !r.modern {
				return ErrTooSlow
			}
			live = false
		}
		for _, e := range records {
			if err := r.sendEvent(e); err != nil {
				return err
			}
			after = e.revision
		}
		if len(records) > 0 {
			continue
		}
		if (exists || r.modern) && !live {
			live = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := r.wait(changed); err != nil {
			return err
		}
	}
}

func (r *reading) wait(changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (r *reading) confirm() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

func (r *reading) caughtUp() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (r *reading) checkpoint(position uint64) error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
	}})
}

func (r *reading) sendEvent(e *record) error {
	content := contentBytes
	if e.json {
		content = contentJSON
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               r.idAsked(e.id),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.stream)},
			StreamRevision:   uint64(e.revision),
			PreparePosition:  e.position,
			CommitPosition:   e.position,
			Metadata:         map[string]string{"type": e.kind, "content-type": content, "created": strconv.FormatInt(e.created, 10)},
			CustomMetadata:   e.custom,
			Data:             e.data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.position},
	}}})
}

// idAsked encodes an id as the caller wants it: as text, or in two halves.
func (r *reading) idAsked(id uuid.UUID) *shared.UUID {
	if r.options.GetUuidOption().GetString_() != nil {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
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
