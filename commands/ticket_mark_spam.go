package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// MarkSpam marks a ticket as spam.
type MarkSpam struct{}

// Permission returns the permission that the caller needs.
func (MarkSpam) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is closed or deleted. Marking again changes nothing.
func (MarkSpam) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusClosed, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusSpam {
		return nil, err
	}
	return happened[ticket.Event](ticket.MarkedSpam{})
}
