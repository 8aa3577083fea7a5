package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ReopenTicket reopens a resolved or closed ticket.
type ReopenTicket struct{}

// Permission returns the permission that the caller needs.
func (ReopenTicket) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is spam or deleted. It changes nothing for one that is neither resolved nor closed.
func (ReopenTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusSpam, ticket.StatusDeleted); err != nil {
		return nil, err
	}
	if t.Status != ticket.StatusResolved && t.Status != ticket.StatusClosed {
		return nil, nil
	}
	return happened[ticket.Event](ticket.Reopened{Cause: ticket.ByCommand})
}

// Carry reopens the ticket, and settles it: its department or its agent may be gone.
func (c ReopenTicket) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return settled(w, id, c, by)
}
