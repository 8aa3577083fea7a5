package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/role"
	"daybook/eventstore"
)

// stream sends events as they are written, until the client disconnects, its key may no longer read them, or the server
// drains.
func (s *server) stream(ctx context.Context, in *struct {
	LastEventID string `header:"Last-Event-ID" doc:"Position at which an earlier stream ended; takes precedence over after"`
	After       string `query:"after" doc:"Only events after this position of the log; 0 is from the beginning, default from now on"`
	Type        string `query:"type" doc:"Only events of this type"`
	Stream      string `query:"stream" doc:"Only events of this stream"`
}) (*huma.StreamResponse, error) {
	if err := s.may(ctx, role.EventsRead); err != nil {
		return nil, s.refused(ctx, err)
	}
	wanted, err := trailFilter(in.Stream, in.Type, "")
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	head, err := s.Desk.Store.Head(ctx)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	after, field, text := head, "after", in.After
	if in.LastEventID != "" {
		field, text = "Last-Event-ID", in.LastEventID
	}
	if text != "" {
		if after, err = position(field, text); err != nil {
			return nil, err
		}
	}
	if after > head {
		return nil, parameter(field, "position-unknown", "The position is after the end of the log. Check that it comes from this desk.")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("Cache-Control", "no-store")
		hc.SetHeader("X-Accel-Buffering", "no")
		hc.SetStatus(http.StatusOK)
		if hc.Method() == http.MethodHead {
			return
		}
		s.follow(hc, after, func(r eventstore.Recorded) bool {
			return (wanted.Type == "" || wanted.Type == r.Type) && (wanted.Stream == "" || wanted.Stream == r.Stream)
		})
	}}, nil
}

// heartbeat is the longest silence of a stream, so that no proxy closes it as idle.
const heartbeat = 15 * time.Second

// stillWithin is how long a stream may go on after its key has lost the right to it.
const stillWithin = 2 * time.Second

// streamBatch is about how many bytes of events a stream holds. A client that does not read costs about as much.
const streamBatch = 64 << 10

// follow writes the events after a position. It begins with that position, and each heartbeat has the position of the last
// event that was looked at, so that a client that comes again misses nothing and nothing is read twice.
func (s *server) follow(hc huma.Context, at eventstore.Position, wanted func(eventstore.Recorded) bool) {
	ctx, cancel := context.WithCancel(hc.Context())
	defer cancel()
	defer context.AfterFunc(s.Drain, cancel)()
	f := &follower{server: s, ctx: ctx, cancel: cancel, w: hc.BodyWriter(), at: at, wanted: wanted}
	defer f.end()
	if !f.begin() {
		return
	}
	for batch, err := range s.Desk.Store.Follow(ctx, at, streamBatch) {
		if err != nil || !s.mayStill(ctx, role.EventsRead) || !f.send(batch) {
			return
		}
	}
}

// A follower is a client of a stream. Its goroutine waits for events; a timer looks after it meanwhile, which costs less than another
// goroutine that waits.
type follower struct {
	*server
	ctx    context.Context
	cancel context.CancelFunc
	wanted func(eventstore.Recorded) bool

	mu    sync.Mutex // for what follows
	w     io.Writer
	at    eventstore.Position // of the last event that was looked at
	spoke time.Time
	timer *time.Timer // nil once the stream has ended
}

func (f *follower) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer = time.AfterFunc(stillWithin, f.look)
	return f.here()
}

func (f *follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer.Stop()
	f.timer = nil
}

// look ends the stream if its key has lost the right to it, and sends a heartbeat if it is time.
func (f *follower) look() {
	if !f.mayStill(f.ctx, role.EventsRead) {
		f.cancel()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.timer == nil:
	case time.Since(f.spoke) > heartbeat-stillWithin && !f.here(): // at the next look it would be too late
		f.cancel()
	default:
		f.timer.Reset(stillWithin)
	}
}

// here tells the client where the stream is: an event without data only sets its Last-Event-ID.
func (f *follower) here() bool {
	_, err := fmt.Fprintf(f.w, "id: %s\n\n", f.at)
	f.flush()
	return err == nil
}

func (f *follower) flush() {
	if w, ok := f.w.(http.Flusher); ok {
		w.Flush()
	}
	f.spoke = time.Now()
}

// send sends those events of a batch that are wanted. It reports whether the stream goes on.
func (f *follower) send(batch []eventstore.Recorded) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := false
	for i := range batch {
		r := &batch[i]
		if f.at = r.Position; r.Notice || !f.wanted(*r) {
			continue
		}
		data, err := f.shown(*r)
		if err != nil {
			f.Log.Error("streaming events", "error", err)
			return false
		}
		head := fmt.Sprintf("id: %s\nevent: %s\ndata: ", r.Position, r.Type)
		*r = eventstore.Recorded{} // the client may take long to read it
		for _, part := range [][]byte{[]byte(head), data, []byte("\n")} {
			if _, err := f.w.Write(part); err != nil {
				return false
			}
		}
		sent = true
	}
	if sent {
		f.flush()
	}
	return true
}

// shown returns an event as a stream sends it, with a line break.
func (s *server) shown(r eventstore.Recorded) ([]byte, error) {
	shown, err := s.show(r)
	if err != nil {
		return nil, err
	}
	return encode(shown)
}

// mayStill reports whether the key of a long request is still valid and has a permission.
func (s *server) mayStill(ctx context.Context, permission role.Permission) bool {
	p, err := s.Authenticate(ctx, who(ctx).token)
	return err == nil && p.MustMay(permission) == nil
}
