package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// CloseTicket marks a ticket as done for good. The contact's next message opens a follow-up.
type CloseTicket struct{}

// Permission is what the caller's role needs.
func (CloseTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is closed.
func (CloseTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusSpam, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusClosed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Closed{})
}
