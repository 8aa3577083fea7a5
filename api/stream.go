package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/role"
	"daybook/eventstore"
)

// stream sends events as they are written, until the client disconnects or the server drains.
func (s *server) stream(ctx context.Context, in *struct {
	LastEventID string `header:"Last-Event-ID" doc:"Position at which an earlier stream ended; takes precedence over after"`
	After       string `query:"after" doc:"Only events after this position of the log; 0 is from the beginning, default from now on"`
	Type        string `query:"type" doc:"Only events of this type"`
	Stream      string `query:"stream" doc:"Only events of this stream"`
}) (*huma.StreamResponse, error) {
	if err := s.may(ctx, role.EventsRead); err != nil {
		return nil, s.refused(ctx, err)
	}
	head, err := s.Desk.Store.Head(ctx)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	after := head
	for field, text := range map[string]string{"after": in.After, "Last-Event-ID": in.LastEventID} {
		if text == "" || field == "after" && in.LastEventID != "" {
			continue
		}
		if after, err = position(field, text); err != nil {
			return nil, err
		}
	}
	if after > head {
		return nil, parameter("after", "position-unknown", "The position is after the end of the log. Check that it comes from this desk.")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("Cache-Control", "no-store")
		hc.SetHeader("X-Accel-Buffering", "no")
		hc.SetStatus(http.StatusOK)
		s.follow(hc, after, func(r eventstore.Recorded) bool {
			return (in.Type == "" || in.Type == r.Type) && (in.Stream == "" || in.Stream == r.Stream)
		})
	}}, nil
}

// heartbeat is the longest silence of a stream, so that no proxy closes it as idle.
const heartbeat = 15 * time.Second

// follow writes the events after a position.
func (s *server) follow(hc huma.Context, after eventstore.Position, wanted func(eventstore.Recorded) bool) {
	ctx, cancel := context.WithCancel(hc.Context())
	defer cancel()
	defer context.AfterFunc(s.Drain, cancel)()
	batches := make(chan []eventstore.Recorded)
	go func() {
		defer close(batches)
		for batch, err := range s.Desk.Store.Follow(ctx, after) {
			if err != nil {
				return
			}
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
		}
	}()
	w := hc.BodyWriter()
	flush := func() {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	quiet := time.NewTicker(heartbeat)
	defer quiet.Stop()
	fmt.Fprint(w, ": daybook\n\n")
	flush()
	for {
		select {
		case batch, open := <-batches:
			if !open {
				return
			}
			for _, r := range batch {
				if r.Notice || !wanted(r) {
					continue
				}
				shown, err := s.show(r)
				if err != nil {
					s.Log.Error("streaming events", "error", err)
					return
				}
				data, err := json.Marshal(shown)
				if err != nil {
					return
				}
				if _, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", r.Position, r.Type, data); err != nil {
					return
				}
			}
		case <-quiet.C:
			if _, err := fmt.Fprint(w, ": quiet\n\n"); err != nil {
				return
			}
		}
		flush()
	}
}
