package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// TakeMessage adds a contact's message to a ticket. If the ticket is closed or deleted, the message opens a follow-up, and
// later messages go to that follow-up until it is closed or deleted in turn. The answer is the ticket that the message
// was added to.
type TakeMessage struct {
	Body string `json:"body" doc:"Message of the contact, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (TakeMessage) Permission() role.Permission { return role.TicketsReceive }

// Carry finds the ticket that takes the message, or opens a follow-up.
func (m TakeMessage) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	none := work.Answer[ticket.Ticket]{}
	t, err := work.Look(w, ticket.Stream, id)
	if err != nil {
		return none, err
	}
	to, before, from := id, ticket.Ticket{}, uuid.Nil // the follow-up's predecessor
	for t.Opened && !t.TakesMessages() && !work.Came(w, ticket.Stream, to, by) {
		before, from, to = t, to, ticket.FollowUp(to)
		if t, err = work.Look(w, ticket.Stream, to); err != nil {
			return none, err
		}
	}
	if !work.Came(w, ticket.Stream, to, by) {
		for _, named := range []uuid.UUID{id, cmp.Or(from, id)} { // a follow-up shows what its predecessor does
			if err := work.MustSee(w, ticket.Stream, named, by); err != nil {
				return none, err
			}
		}
	}
	if t.Opened || from == uuid.Nil {
		return work.Run(w, ticket.Stream, to, ReceiveMessage(m), by)
	}
	if _, err := words(m.Body); err != nil {
		return none, err
	}
	return work.Run(w, ticket.Stream, to, OpenTicket{
		Contact: before.Contact, Channel: before.Channel, Subject: before.Subject.String(), Body: m.Body,
		Department: before.Department, Priority: before.Priority, FollowUpOf: from,
	}, by)
}
