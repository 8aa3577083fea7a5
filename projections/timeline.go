package projections

import (
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/reservation"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// ContactTimeline keeps contact_timeline: what happened to each contact, and the tickets that he opened.
var ContactTimeline = Projection{Name: "contact_timeline", Version: 1, Apply: func(e *Recorded, t *Tables) {
	entry := readmodels.TimelineEntry{
		Position: table.Position(e.Position), At: e.At, RecordedAt: e.RecordedAt, Type: e.Event.EventType(),
		Actor: e.Meta.Actor.String(), Through: e.Meta.Through, Reason: e.Meta.Reason.String(),
	}
	switch ev := e.Event.(type) {
	case contact.ClaimLapsed:
		return
	case contact.Event:
		entry.ContactID = e.ID
	case ticket.Opened:
		entry.ContactID, entry.TicketID = ev.Contact, table.Ref(e.ID)
	default:
		return
	}
	for field, value := range event.Fields(e.Event) {
		if field != "body" {
			entry.Changes = append(entry.Changes, readmodels.Change{Field: field, Value: value})
		}
	}
	t.Timeline.Insert(entry)
}}

// Trail keeps event_trail: where each event stands, and who did it, so that the audit trail can be asked for. What Daybook
// notes for itself (names claimed and given up, the roll of owners, what lines of a journal came to) is left out: it is no
// part of what happened on the desk, and depends on how it was written.
var Trail = Projection{Name: "event_trail", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch e.Event.(type) {
	case reservation.Event, desk.OwnersEvent, desk.ImportEvent, agent.ClaimLapsed, contact.ClaimLapsed, group.ClaimLapsed, tag.ClaimLapsed:
		return
	}
	t.Trail.Insert(readmodels.TrailEntry{
		Position: table.Position(e.Position), Stream: e.Category + "-" + e.ID.String(), Revision: int64(e.Revision), Type: e.Event.EventType(), Actor: e.Meta.Actor.String(),
		Correlation: e.Meta.Correlation, At: e.At, RecordedAt: e.RecordedAt,
	})
}}
