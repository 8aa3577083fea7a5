package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
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

// thread returns the events of a ticket, from its stream.
func (s *server) thread(ctx context.Context, in *struct {
	ID          uuid.UUID `path:"id" format:"uuid" doc:"Id of the ticket"`
	IfNoneMatch string    `header:"If-None-Match" doc:"ETags that the client has; 304 if the ticket still has one of them"`
}) (*Answered[List[ThreadEntry]], error) {
	if err := s.may(ctx, role.TicketsRead); err != nil {
		return nil, s.refused(ctx, err)
	}
	answer := &Answered[List[ThreadEntry]]{Body: List[ThreadEntry]{Data: []ThreadEntry{}}}
	var t, before ticket.Ticket // before is the ticket before the first unknown event
	unknown := false
	for r, err := range s.Desk.Store.Read(ctx, ticket.Stream.Stream(in.ID), 0, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		shown, err := s.show(r)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		if shown.Unknown && !unknown {
			before, unknown = t, true
		}
		if e, err := ticket.Events.Decode(work.PlaceOf(r), r.Data, s.Desk.Keys); err == nil {
			t = ticket.Stream.Fold(t, e)
		}
		answer.Body.Data = append(answer.Body.Data, ThreadEntry{shown.Revision, shown.At, shown.Type, shown.Actor, shown.Reason, shown.Data, shown.Unknown})
		answer.Position, answer.ETag = shown.Position, etag(r.Revision)
	}
	// What an unknown event did to the ticket is not known: only those see the rest who see the ticket with it and without it.
	sees := t.Opened && ticket.Stream.Seen(t, who(ctx).Sight) && (!unknown || ticket.Stream.Seen(before, who(ctx).Sight))
	if !sees {
		return nil, s.refused(ctx, ticket.Stream.Unknown)
	}
	if err := unlessSeen(in.IfNoneMatch, answer.ETag, answer.Position); err != nil {
		return nil, s.refused(ctx, err)
	}
	return answer, nil
}
