package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ReopenTicket takes up a ticket that was done.
type ReopenTicket struct{}

// Permission is what the caller's role needs.
func (ReopenTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not done.
func (ReopenTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusSpam, ticket.StatusDeleted); err != nil {
		return nil, err
	}
	if t.Status != ticket.StatusResolved && t.Status != ticket.StatusClosed {
		return nil, nil
	}
	return happened[ticket.Event](ticket.Reopened{Cause: ticket.ByCommand})
}
