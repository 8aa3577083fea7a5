package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// An Event is one entry of the audit trail: what happened, who did it, when and why.
type Event struct {
	Position    string         `json:"position" doc:"Where it stands in the log"`
	ID          uuid.UUID      `json:"id" doc:"Its id"`
	Stream      string         `json:"stream" doc:"What it happened to"`
	Revision    int64          `json:"revision" doc:"Its number in the stream"`
	Type        string         `json:"type" doc:"Its type"`
	At          time.Time      `json:"at" doc:"When it happened"`
	RecordedAt  time.Time      `json:"recorded_at" doc:"When it was written down"`
	Actor       string         `json:"actor" doc:"Who did it: system, or a kind and an id"`
	Through     string         `json:"through" doc:"What it came through"`
	Reason      string         `json:"reason" doc:"Why, in the actor's words"`
	Request     uuid.UUID      `json:"request" doc:"The request that made it"`
	Correlation string         `json:"correlation" doc:"The conversation that it belongs to"`
	Causation   string         `json:"causation" doc:"The event or request that led to it"`
	Data        map[string]any `json:"data" doc:"What it says, field by field"`
}

// EventQuery asks for events.
type EventQuery struct {
	Reading
	Limit       int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many, at most"`
	Cursor      string `query:"cursor" doc:"The next of the answer before"`
	After       string `query:"after" doc:"A position: only what came later"`
	Stream      string `query:"stream" doc:"What it happened to, such as ticket-ID"`
	Type        string `query:"type" doc:"The type of event"`
	Actor       string `query:"actor" doc:"Who did it, such as agent:ID"`
	Correlation string `query:"correlation" doc:"The conversation that it belongs to"`
	From        string `query:"from" doc:"Happened at this instant or later"`
	To          string `query:"to" doc:"Happened before this instant"`
}

func (s *server) events() {
	const list = "/v1/events"
	trail := describe(http.MethodGet, list, "Events", "The audit trail, in the order of the log")
	trail.Description = "Without a filter, every event of the log. Filtered, the events of the desk: what Daybook notes for itself (names claimed and given up, the roll of owners, what lines of a journal came to) has no actor worth asking for and is left out."
	huma.Register(s.api, trail, func(ctx context.Context, in *EventQuery) (*Answered[List[Event]], error) {
		if in.unfiltered() {
			answer, err := s.fromLog(ctx, in)
			if err != nil {
				return nil, s.refused(ctx, err)
			}
			return answer, nil
		}
		f := readmodels.TrailFilter{Stream: in.Stream, Type: in.Type, Actor: in.Actor, Correlation: in.Correlation}
		var err error
		if f.From, err = instantOf("from", in.From); err == nil {
			f.To, err = instantOf("to", in.To)
		}
		if err == nil && in.After != "" {
			var after eventstore.Position
			after, err = position("after", in.After)
			f.After = table.Position(after)
		}
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return listing(ctx, s, Listing{Reading: in.Reading, Limit: in.Limit, Cursor: in.Cursor}, list, role.EventsRead, func(q table.Queryer, p table.Page) (table.Found[Event], error) {
			return s.findEvents(ctx, q, f, p)
		})
	})
	stream := describe(http.MethodGet, list+"/stream", "Events", "The audit trail as it grows, as server-sent events; resumes by Last-Event-ID")
	stream.Responses = map[string]*huma.Response{"200": {
		Description: "id is the position, event the type, data an event as /v1/events has it.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(s.api, stream, s.stream)
	huma.Register(s.api, describe(http.MethodGet, "/v1/events/{stream}/{revision}", "Events", "One event"), func(ctx context.Context, in *struct {
		Stream   string `path:"stream" doc:"What it happened to"`
		Revision int64  `path:"revision" minimum:"0" doc:"Its number in the stream"`
	}) (*Answered[Event], error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		e, err := s.event(ctx, in.Stream, eventstore.Revision(in.Revision))
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &Answered[Event]{Position: e.Position, Body: e}, nil
	})
}

// findEvents finds events by the trail and reads them from the log.
func (s *server) findEvents(ctx context.Context, q table.Queryer, f readmodels.TrailFilter, p table.Page) (table.Found[Event], error) {
	found, err := readmodels.FindEvents(ctx, q, f, p)
	if err != nil {
		return table.Found[Event]{}, err
	}
	events := table.Found[Event]{Rows: make([]Event, len(found.Rows)), Next: found.Next}
	for i, entry := range found.Rows {
		if events.Rows[i], err = s.event(ctx, entry.Stream, eventstore.Revision(entry.Revision)); err != nil {
			return events, err
		}
	}
	return events, nil
}

// unfiltered reports whether every event is asked for.
func (in *EventQuery) unfiltered() bool {
	return in.Stream+in.Type+in.Actor+in.Correlation+in.From+in.To == ""
}

// pageWithin is how long a page of the log may take: a store waits out its server's absence for as long as somebody follows.
const pageWithin = 30 * time.Second

// fromLog lists events straight from the log. A cursor holds the position before the page.
func (s *server) fromLog(ctx context.Context, in *EventQuery) (*Answered[List[Event]], error) {
	if err := s.may(ctx, role.EventsRead); err != nil {
		return nil, err
	}
	after, err := s.startOf(in)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	answer := &Answered[List[Event]]{Body: List[Event]{Data: []Event{}}}
	for batch, err := range s.Desk.Store.Follow(within, after) {
		if errors.Is(err, eventstore.ErrAhead) {
			return nil, parameter("after", "position-unknown", "The log has no such position yet. Is this the right desk?")
		}
		if err != nil {
			return nil, err
		}
		for _, r := range batch {
			if len(answer.Body.Data) == in.Limit {
				answer.Body.Next, answer.Link = s.after(ctx, "/v1/events", answer.Position)
				return answer, nil
			}
			shown, err := s.show(r)
			if err != nil {
				return nil, err
			}
			answer.Body.Data = append(answer.Body.Data, shown)
			answer.Position = shown.Position
		}
		if len(batch) == 0 { // that is all there is
			break
		}
	}
	return answer, nil
}

// startOf is the position after which a page of the log begins.
func (s *server) startOf(in *EventQuery) (eventstore.Position, error) {
	cursor, err := s.unseal(in.Cursor)
	switch {
	case err != nil:
		return 0, err
	case cursor != "":
		p, err := eventstore.ParsePosition(cursor)
		if err != nil {
			err = table.ErrCursor
		}
		return p, err
	case in.After != "":
		return position("after", in.After)
	}
	return eventstore.Start, nil
}

// event reads one event from the log.
func (s *server) event(ctx context.Context, stream string, revision eventstore.Revision) (Event, error) {
	for r, err := range s.Desk.Store.Read(ctx, stream, revision, eventstore.Forwards, 1) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return Event{}, err
		}
		return s.show(r)
	}
	return Event{}, problem(http.StatusNotFound, "event-unknown", "There is no such event.")
}

// show opens an event for those who may read the trail.
func (s *server) show(r eventstore.Recorded) (Event, error) {
	shown := Event{
		Position: r.Position.String(), ID: r.ID, Stream: r.Stream, Revision: int64(r.Revision), Type: r.Type, RecordedAt: r.RecordedAt, Data: map[string]any{},
	}
	e, err := catalogue.Decode(r.Type, r.Data, r.ID, s.Desk.Keys)
	if err != nil {
		return shown, fmt.Errorf("showing an event: %w", err)
	}
	meta, err := event.DecodeMetadata(r.Meta, r.ID, s.Desk.Keys)
	if err != nil {
		return shown, fmt.Errorf("showing an event: %w", err)
	}
	shown.At, shown.Actor, shown.Through, shown.Reason = meta.At, meta.Actor.String(), meta.Through, meta.Reason.String()
	shown.Request, shown.Correlation, shown.Causation = meta.Request, meta.Correlation, meta.Causation
	for name, value := range event.Fields(e) {
		shown.Data[name] = value
	}
	return shown, nil
}

func position(field, text string) (eventstore.Position, error) {
	p, err := eventstore.ParsePosition(text)
	if err != nil {
		return 0, parameter(field, "position-malformed", "%s must be a position of the log, as answers give it.", field)
	}
	return p, nil
}
