package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// CloseTicket closes a ticket. The contact's next message opens a follow-up.
type CloseTicket struct{}

// Permission returns the permission that the caller needs.
func (CloseTicket) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is spam or deleted. Closing again changes nothing.
func (CloseTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusSpam, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusClosed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Closed{})
}
