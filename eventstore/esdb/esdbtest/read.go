package esdbtest

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

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
	if hook, stream := s.node.broken().Served, r.options.GetStream(); hook != nil && stream != nil {
		hook("Read", string(stream.GetStreamIdentifier().GetStreamName()))
	}
	if err := s.node.mayRead(r.ctx, r.options); err != nil {
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
	records := r.all()
	switch at := asked.AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		before, rest, valid := r.from(at.Position.CommitPosition)
		if !valid && r.modern {
			return errReadingInvalid
		}
		if !valid {
			return errReading
		}
		if records = rest; r.backwards {
			records = before
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

func count(records []*record, wants func(*record) bool) (n int) {
	for _, e := range records {
		if wants(e) {
			n++
		}
	}
	return n
}
