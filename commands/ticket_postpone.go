package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// PostponeTicket postpones a ticket until it is resumed or the contact writes again.
type PostponeTicket struct{}

// Permission returns the permission that the caller needs.
func (PostponeTicket) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is resolved, closed, spam or deleted. Postponing again changes nothing.
func (PostponeTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusResolved, ticket.StatusClosed, ticket.StatusSpam, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusPostponed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Postponed{})
}
