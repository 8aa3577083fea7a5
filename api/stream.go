package api

import (
	"context"
	"fmt"
	"net/http"
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
	batches := make(chan []eventstore.Recorded)
	next := make(chan struct{})
	go func() {
		defer close(batches)
		for batch, err := range s.Desk.Store.Follow(ctx, at, streamBatch) {
			if err != nil {
				return
			}
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			}
		}
	}()
	w := hc.BodyWriter()
	here := func() error { // an event without data only sets the client's Last-Event-ID
		_, err := fmt.Fprintf(w, "id: %s\n\n", at)
		return err
	}
	quiet, still := time.NewTicker(heartbeat), time.NewTicker(stillWithin)
	defer quiet.Stop()
	defer still.Stop()
	for err := here(); err == nil; {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case batch, open := <-batches:
			if !open || !s.mayStill(ctx, role.EventsRead) {
				return
			}
			for i := range batch {
				r := &batch[i]
				if at = r.Position; r.Notice || !wanted(*r) {
					continue
				}
				message, err := s.message(*r)
				if err != nil {
					s.Log.Error("streaming events", "error", err)
					return
				}
				*r = eventstore.Recorded{} // the client may take long to read it
				if _, err = w.Write(message); err != nil {
					return
				}
			}
			select {
			case next <- struct{}{}:
			case <-ctx.Done():
				return
			}
		case <-still.C:
			if !s.mayStill(ctx, role.EventsRead) {
				return
			}
		case <-quiet.C:
			err = here()
		}
	}
}

// message returns an event as a stream sends it.
func (s *server) message(r eventstore.Recorded) ([]byte, error) {
	shown, err := s.show(r)
	if err != nil {
		return nil, err
	}
	data, err := encode(shown) // which ends with a line break
	return fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n", r.Position, r.Type, data), err
}

// mayStill reports whether the key of a long request is still valid and has a permission.
func (s *server) mayStill(ctx context.Context, permission role.Permission) bool {
	p, err := s.Authenticate(ctx, who(ctx).token)
	return err == nil && p.MustMay(permission) == nil
}
