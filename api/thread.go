package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A ThreadEntry is a message, a note or any other event of a ticket.
type ThreadEntry struct {
	Revision int64          `json:"revision" doc:"Number of the event in the ticket's stream, from 0"`
	At       time.Time      `json:"at" doc:"Time when it happened"`
	Type     string         `json:"type" doc:"Type of the event, such as ticket-replied"`
	Actor    string         `json:"actor" doc:"Who did it: system, or KIND:ID with the kind agent, contact, visitor, rule or key"`
	Reason   string         `json:"reason" doc:"Reason, in the actor's words"`
	Data     map[string]any `json:"data" doc:"Fields of the event; body is the text of a message or note; empty if unknown"`
	Unknown  bool           `json:"unknown,omitempty" doc:"Whether a newer version of Daybook wrote the event, so that this one shows only that it happened"`
}

// thread returns a page of a ticket's events, from its stream.
func (s *server) thread(ctx context.Context, in *struct {
	ID          uuid.UUID `path:"id" format:"uuid" doc:"Id of the ticket"`
	Limit       int       `query:"limit" minimum:"1" maximum:"200" default:"200" doc:"Largest number of events to return"`
	Cursor      string    `query:"cursor" doc:"Cursor of the page, which is next of the page before"`
	IfNoneMatch string    `header:"If-None-Match" doc:"ETags that the client has; 304 if the ticket still has one of them"`
}) (*Answered[List[ThreadEntry]], error) {
	if err := s.may(ctx, role.TicketsRead); err != nil {
		return nil, s.refused(ctx, err)
	}
	answer, err := s.threadOf(ctx, in.ID)
	if err == nil {
		err = unlessSeen(in.IfNoneMatch, answer.ETag, answer.Position)
	}
	from := uint64(0)
	if err == nil {
		from, _, err = s.place(ticket.Stream.Stream(in.ID), in.Cursor)
	}
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	size := 0
	for r, err := range s.Desk.Store.Read(ctx, ticket.Stream.Stream(in.ID), eventstore.Revision(from), eventstore.Forwards, in.Limit+1) {
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		size += r.Size()
		if n := len(answer.Body.Data); n == in.Limit || n > 0 && size > table.MaxPageBytes {
			path := strings.Replace(s.things[ticket.Stream.Category].path+"/thread", "{id}", in.ID.String(), 1)
			answer.Body.Next, answer.Link = s.after(ctx, path, placed(r.Stream, uint64(r.Revision)))
			break
		}
		shown, err := s.show(r)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		answer.Body.Data = append(answer.Body.Data, ThreadEntry{shown.Revision, shown.At, shown.Type, shown.Actor, shown.Reason, shown.Data, shown.Unknown})
	}
	return answer, nil
}

// threadOf begins the answer about a ticket that the caller sees.
func (s *server) threadOf(ctx context.Context, id uuid.UUID) (*Answered[List[ThreadEntry]], error) {
	t, err := work.State(ctx, s.Desk, ticket.Stream, id)
	sees := err == nil && t.State.Opened && ticket.Stream.Seen(t.State, who(ctx).Sight)
	if _, newer := errors.AsType[*work.NewerError](err); newer {
		t.Revision, t.Position, sees, err = s.seesAround(ctx, id)
	}
	switch {
	case err != nil:
		return nil, err
	case !sees:
		return nil, ticket.Stream.Unknown
	}
	return &Answered[List[ThreadEntry]]{ETag: etag(t.Revision), Position: t.Position.String(), Body: List[ThreadEntry]{Data: []ThreadEntry{}}}, nil
}

// seesAround returns the end of the stream of a ticket with events of a newer program, and whether the caller sees it. What these did to
// it is not known: only those see it who see it without them and without what came after the first.
func (s *server) seesAround(ctx context.Context, id uuid.UUID) (revision eventstore.Revision, position eventstore.Position, sees bool, err error) {
	var t, before ticket.Ticket
	known := true
	for r, err := range s.Desk.Store.Read(ctx, ticket.Stream.Stream(id), 0, eventstore.Forwards, 0) {
		if err != nil {
			return 0, 0, false, err
		}
		revision, position = r.Revision, r.Position
		e, err := ticket.Events.Decode(work.PlaceOf(r), r.Data, s.Desk.Keys)
		switch {
		case err == nil:
			t = ticket.Stream.Fold(t, e)
		case known && errors.Is(err, event.ErrUnknown):
			before, known = t, false
		}
	}
	sight := who(ctx).Sight
	return revision, position, t.Opened && ticket.Stream.Seen(t, sight) && ticket.Stream.Seen(before, sight), nil
}
