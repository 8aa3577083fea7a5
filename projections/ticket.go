package projections

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/personal"
	"daybook/domain/search"
	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Tickets maintains tickets, the work list: one row per ticket.
var Tickets = engine.Projection{Name: "tickets", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Ticket](l, ticket.Stream.Category, readmodels.TicketsTable)
	engine.Derive(rows, readmodels.TicketWordsTable, func(a, b *readmodels.Ticket) bool { return a.Search == b.Search }, func(r readmodels.Ticket) []readmodels.TicketWord {
		return each(wordsOf(r.Search), func(word string) readmodels.TicketWord {
			return readmodels.TicketWord{Word: word, OpenedAt: r.OpenedAt, First: r.First}
		})
	})
	engine.Derive(rows, readmodels.TicketTagsTable, func(a, b *readmodels.Ticket) bool { return slices.Equal(a.Tags, b.Tags) }, func(r readmodels.Ticket) []readmodels.TicketTag {
		return each(r.Tags, func(tag uuid.UUID) readmodels.TicketTag {
			return readmodels.TicketTag{TagID: tag, OpenedAt: r.OpenedAt, First: r.First}
		})
	})
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case ticket.Opened:
			rows.Insert(readmodels.Ticket{TicketState: openedTicket(e, ev), Messages: 1, LastMessageAt: e.At})
		case ticket.Event:
			rows.Update(e.ID, func(r *readmodels.Ticket) {
				changeTicket(&r.TicketState, ev, e)
				switch ev.(type) {
				case ticket.Received:
					r.Messages++
					r.LastMessageAt = e.At
				case ticket.Replied:
					r.Answers++
				case ticket.Noted:
					r.Notes++
				}
			})
		}
	}
}}

// TicketHistory maintains ticket_history: the tickets of each contact, and ticket_participants: those of others to which they
// wrote.
var TicketHistory = engine.Projection{Name: "ticket_history", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.NewTable[uuid.UUID, readmodels.TicketHistory](l, readmodels.TicketHistoryTable)
	others := engine.NewFacts[readmodels.Participant](l, readmodels.ParticipantsTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case ticket.Opened:
			rows.Insert(readmodels.TicketHistory{TicketState: openedTicket(e, ev)})
			return
		case ticket.Joined:
			others.Insert(readmodels.Participant{Position: table.Position(e.Position), ContactID: ev.Contact, TicketID: e.ID})
		}
		switch ev := e.Event.(type) {
		case ticket.Event:
			rows.Update(e.ID, func(r *readmodels.TicketHistory) { changeTicket(&r.TicketState, ev, e) })
		}
	}
}}

func openedTicket(e *engine.Recorded, ev ticket.Opened) readmodels.TicketState {
	return readmodels.TicketState{
		ID: e.ID, ContactID: ev.Contact, CompanyID: table.Ref(ev.Company), Channel: ev.Channel, Subject: ev.Subject.String(), Status: ticket.StatusNew,
		DepartmentID: table.Ref(ev.Department), Priority: ev.Priority, FollowUpOf: table.Ref(ev.FollowUpOf), Ref: ev.Ref.String(),
		OpenedAt: e.At, ChangedAt: e.At, Search: subjectSearch(ev.Subject), Events: begun(e),
	}
}

func changeTicket(r *readmodels.TicketState, ev ticket.Event, e *engine.Recorded) {
	at := e.At
	r.Moved(e.Position, e.Revision)
	stand(&r.Status, &r.PostponedFrom, &r.SpamFrom, &r.DeletedFrom, ev)
	r.ChangedAt = max(r.ChangedAt, at) // history may be told late
	switch ev := ev.(type) {
	case ticket.Replied:
		if r.AnsweredAt == 0 {
			r.AnsweredAt = at
		}
	case ticket.Assigned:
		r.AgentID = table.Ref(ev.Agent)
	case ticket.Unassigned:
		r.AgentID = table.Ref{}
	case ticket.Transferred:
		r.DepartmentID = table.Ref(ev.Department)
	case ticket.Joined:
		r.Participants = with(r.Participants, ev.Contact)
	case ticket.Prioritised:
		r.Priority = ev.Priority
	case ticket.SubjectCorrected:
		r.Subject, r.Search = ev.Subject.String(), subjectSearch(ev.Subject)
	case ticket.Tagged:
		r.Tags = with(r.Tags, ev.Tag)
	case ticket.Untagged:
		r.Tags = without(r.Tags, ev.Tag)
	case ticket.Resolved:
		r.ResolvedAt = at
	case ticket.Reopened:
		r.Reopens++
	case ticket.Closed:
		r.ClosedAt = at
	}
}

func subjectSearch(subject personal.Text) string {
	return search.Joined(search.Words(search.Text(subject.String())))
}

// stand applies an event to a ticket's status, as the domain does.
func stand(status, postponedFrom, spamFrom, deletedFrom *ticket.Status, ev ticket.Event) {
	s := ticket.Standing{Status: *status, PostponedFrom: *postponedFrom, SpamFrom: *spamFrom, DeletedFrom: *deletedFrom}.After(ev)
	*status, *postponedFrom, *spamFrom, *deletedFrom = s.Status, s.PostponedFrom, s.SpamFrom, s.DeletedFrom
}
