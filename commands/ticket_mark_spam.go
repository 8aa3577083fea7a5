package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// MarkSpam marks a ticket as none.
type MarkSpam struct{}

// Permission is what the caller's role needs.
func (MarkSpam) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a closed ticket.
func (MarkSpam) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusClosed, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusSpam {
		return nil, err
	}
	return happened[ticket.Event](ticket.MarkedSpam{})
}
