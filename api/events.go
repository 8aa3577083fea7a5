package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// An Event is an entry of the audit trail: what happened, who did it, when and why.
type Event struct {
	Position    string         `json:"position" doc:"Position of the event in the log"`
	ID          uuid.UUID      `json:"id" doc:"Id of the event"`
	Stream      string         `json:"stream" doc:"Stream of the thing that the event changed, such as ticket-ID"`
	Revision    int64          `json:"revision" doc:"Number of the event in its stream, from 0"`
	Type        string         `json:"type" doc:"Type of the event, such as ticket-replied"`
	At          time.Time      `json:"at" doc:"Time when it happened"`
	RecordedAt  time.Time      `json:"recorded_at" doc:"Time when it was written to the log"`
	Actor       string         `json:"actor" doc:"Who did it: system, rule:ID@VERSION, or KIND:ID with the kind agent, contact, visitor or key. Of what a contact wrote, the contact"`
	Principal   string         `json:"principal" doc:"Who was signed in and sent it: key:ID, session:ID, command-line, or system. Of an import, who imported"`
	Through     string         `json:"through" doc:"How it came in: api, page, timer, command-line, channel:NAME, import:SOURCE or rule:ID@VERSION"`
	Reason      string         `json:"reason" doc:"Reason, in the actor's words"`
	Request     uuid.UUID      `json:"request_id" doc:"Id of the request that caused it"`
	Correlation string         `json:"correlation" doc:"Correlation id: a trace, a request or an import"`
	Cause       uuid.UUID      `json:"cause_id,omitzero" required:"false" doc:"Id of the event that led to it, if one did"`
	Data        map[string]any `json:"data" doc:"Fields of the event; empty if unknown"`
	Unknown     bool           `json:"unknown,omitempty" doc:"Whether a newer version of Daybook wrote the event, so that this one shows only that it happened"`
}

// EventQuery are the parameters of the audit trail.
type EventQuery struct {
	Reading
	Limit       int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Largest number of events to return"`
	Cursor      string `query:"cursor" doc:"Cursor of the page, which is next of the page before"`
	Sort        string `query:"sort" enum:"position,-position" default:"position" doc:"Order of the log, or with - the newest first"`
	After       string `query:"after" doc:"Only events after this position of the log"`
	Stream      string `query:"stream" doc:"Only events of this stream, such as ticket-ID"`
	Type        string `query:"type" doc:"Only events of this type, such as ticket-replied"`
	Actor       string `query:"actor" doc:"Only events by this actor, such as agent:ID"`
	Correlation string `query:"correlation" doc:"Only events with this correlation id"`
	From        string `query:"from" doc:"Only events that happened at this instant (RFC 3339) or later"`
	To          string `query:"to" doc:"Only events that happened before this instant (RFC 3339)"`
}

// Paths of the audit trail.
const (
	eventsPath = "/v1/events"
	streamPath = eventsPath + "/stream"
)

func (s *server) events() {
	trail := describe(route{http.MethodGet, eventsPath, "Events", "listEvents", "List the audit trail, in the order of the log. " +
		"Without a filter, the list has every event of the log. With a filter, and newest first, it leaves out the events that Daybook writes for its own bookkeeping: claims and releases of unique names, the list of owners, the progress of operations, and the results of imported journal lines", role.EventsRead})
	huma.Register(s.api, trail, func(ctx context.Context, in *EventQuery) (*Answered[List[Event]], error) {
		if in.unfiltered() {
			answer, err := s.fromLog(ctx, in)
			if err != nil {
				return nil, s.refused(ctx, err)
			}
			return answer, nil
		}
		f, err := trailFilter(in.Stream, in.Type, in.Actor)
		if in.Correlation != "" {
			f.Correlation = s.Correlation(in.Correlation)
		}
		if err == nil {
			f.From, err = instantOf("from", in.From)
		}
		if err == nil {
			f.To, err = instantOf("to", in.To)
		}
		if err == nil && in.After != "" {
			var after eventstore.Position
			if after, err = position("after", in.After); err == nil {
				err = s.MustHave(ctx, "after", after)
			}
			f.After = table.Position(after)
		}
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return listing(ctx, s, Listing{Reading: in.Reading, Limit: in.Limit, Cursor: in.Cursor, Sort: in.Sort}, eventsPath, role.EventsRead, func(q table.Queryer, p table.Page) (table.Found[Event], error) {
			return s.findEvents(ctx, q, f, p)
		})
	})
	stream := describe(route{http.MethodGet, streamPath, "Events", "streamEvents", "Stream the audit trail as server-sent events, and resume after Last-Event-ID", role.EventsRead})
	stream.Responses = map[string]*huma.Response{"200": {
		Description: "One server-sent event for each event: id is its position, event its type, and data the event as in /v1/events.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(s.api, stream, s.stream)
	huma.Register(s.api, describe(route{http.MethodGet, eventsPath + "/{stream}/{revision}", "Events", "getEvent", "Get an event", role.EventsRead}), func(ctx context.Context, in *struct {
		Stream   string `path:"stream" doc:"Stream of the event, such as ticket-ID"`
		Revision int64  `path:"revision" minimum:"0" doc:"Number of the event in its stream, from 0"`
	}) (*Answered[Event], error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		r, err := s.recorded(ctx, in.Stream, eventstore.Revision(in.Revision))
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		e, err := s.show(r)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &Answered[Event]{Position: e.Position, Body: e}, nil
	})
}

// trailFilter returns the filter of a query for events. What cannot be the name of anything is refused, since a stream that
// waits for it would be silent for ever.
func trailFilter(stream, kind, actor string) (f readmodels.TrailFilter, err error) {
	var errs []error
	if stream != "" {
		category, id, err := event.ParseStream(stream)
		if err != nil || !catalogue.Has(category) {
			errs = append(errs, domain.Invalid("stream", "stream-malformed", "stream must be the name of a stream, such as ticket-0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f."))
		}
		f.Stream = category + "-" + id.String()
	}
	if f.Type = kind; kind != "" && catalogue.Of(kind) == nil {
		errs = append(errs, domain.Invalid("type", "type-unknown", "type must be a type of event, such as ticket-replied; docs/events.md lists them."))
	}
	if actor != "" {
		var a event.Actor
		if a.UnmarshalText([]byte(actor)) != nil {
			errs = append(errs, domain.Invalid("actor", "actor-malformed", "actor must be system, or KIND:ID with the kind agent, contact, visitor, rule or key."))
		}
		f.Actor = a.String()
	}
	return f, domain.Join(errs...)
}

// findEvents finds events in the read models and reads them from the log.
func (s *server) findEvents(ctx context.Context, q table.Queryer, f readmodels.TrailFilter, p table.Page) (table.Found[Event], error) {
	found, err := readmodels.FindEvents(ctx, q, f, p)
	if err != nil {
		return table.Found[Event]{}, err
	}
	events, size := make([]Event, 0, len(found.Rows)), 0
	for i, entry := range found.Rows {
		r, err := s.recorded(ctx, entry.Stream, eventstore.Revision(entry.Revision))
		if err != nil {
			return table.Found[Event]{}, err
		}
		if size += r.Size(); i > 0 && size > table.MaxPageBytes {
			err = found.Cut(i)
			return table.Found[Event]{Rows: events, Next: found.Next}, err
		}
		shown, err := s.show(r)
		if err != nil {
			return table.Found[Event]{}, err
		}
		events = append(events, shown)
	}
	return table.Found[Event]{Rows: events, Next: found.Next}, nil
}

// unfiltered reports whether the query is one for the log as it is.
func (in *EventQuery) unfiltered() bool {
	return in.Sort != "-position" && in.Stream+in.Type+in.Actor+in.Correlation+in.From+in.To == ""
}

// pageWithin is how long a page of the log may take. Without it, a store whose server is away would wait for it.
const pageWithin = 30 * time.Second

// fromLog lists events directly from the log. A cursor holds the last position of the page before.
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
	answer, size, last := &Answered[List[Event]]{Body: List[Event]{Data: []Event{}}}, 0, after
	for batch, err := range s.Desk.Store.Follow(within, after, table.MaxPageBytes) {
		if errors.Is(err, eventstore.ErrAhead) {
			return nil, parameter("after", "position-unknown", "The position is after the end of the log. Check that it comes from this desk.")
		}
		if err != nil {
			return nil, err
		}
		for _, r := range batch {
			if r.Notice {
				continue
			}
			size += r.Size()
			if n := len(answer.Body.Data); n == in.Limit || n > 0 && size > table.MaxPageBytes {
				answer.Body.Next, answer.Link = s.after(ctx, eventsPath, placed(theLog, uint64(last)))
				return answer, nil
			}
			shown, err := s.show(r)
			if err != nil {
				return nil, err
			}
			answer.Body.Data = append(answer.Body.Data, shown)
			answer.Position, last = shown.Position, r.Position
		}
		if len(batch) == 0 { // the end of the log
			break
		}
	}
	return answer, nil
}

// theLog is what a cursor of the whole log is a place in.
const theLog = "log"

// startOf returns the position after which a page of the log begins.
func (s *server) startOf(in *EventQuery) (eventstore.Position, error) {
	at, goesOn, err := s.place(theLog, in.Cursor)
	switch {
	case err != nil || goesOn:
		return eventstore.Position(at), err
	case in.After != "":
		return position("after", in.After)
	}
	return eventstore.Start, nil
}

// recorded reads one event from the log.
func (s *server) recorded(ctx context.Context, stream string, revision eventstore.Revision) (eventstore.Recorded, error) {
	for r, err := range s.Desk.Store.Read(ctx, stream, revision, eventstore.Forwards, 1) {
		if errors.Is(err, eventstore.ErrNotFound) || err == nil && r.Revision != revision { // eventstore.Last is no revision here
			break
		}
		return r, err
	}
	return eventstore.Recorded{}, problem(http.StatusNotFound, "event-unknown", "There is no such event. Check its stream and its revision.")
}

// show decodes an event for callers who may read the trail. Of an event that a newer program wrote it shows what it can read.
func (s *server) show(r eventstore.Recorded) (Event, error) {
	shown := Event{
		Position: r.Position.String(), ID: r.ID, Stream: r.Stream, Revision: int64(r.Revision), Type: r.Type, RecordedAt: r.RecordedAt, Data: map[string]any{},
	}
	place := work.PlaceOf(r)
	e, err := catalogue.Decode(place, r.Data, s.Desk.Keys)
	shown.Unknown = errors.Is(err, event.ErrUnknown)
	if err != nil && !shown.Unknown {
		return shown, fmt.Errorf("showing an event: %w", err)
	}
	meta, err := event.DecodeMetadata(place, r.Meta, s.Desk.Keys)
	switch {
	case err != nil && shown.Unknown: // its metadata are newer too
		shown.At = r.RecordedAt
		return shown, nil
	case err != nil:
		return shown, fmt.Errorf("showing an event: %w", err)
	}
	shown.At, shown.Actor, shown.Principal, shown.Through, shown.Reason = meta.At, meta.Actor.String(), meta.Principal.String(), meta.Through, meta.Reason.String()
	shown.Request, shown.Correlation, shown.Cause = meta.Request, meta.Correlation, meta.Cause
	if shown.Unknown {
		return shown, nil
	}
	for name, value := range event.Fields(e) {
		shown.Data[name] = value
	}
	return shown, nil
}

func position(field, text string) (eventstore.Position, error) {
	p, err := eventstore.ParsePosition(text)
	if err != nil {
		return 0, parameter(field, "position-malformed", "%s must be a position of the log, such as the Daybook-Position of an answer.", field)
	}
	return p, nil
}
