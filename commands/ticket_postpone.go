package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// PostponeTicket has a ticket wait.
type PostponeTicket struct{}

// Permission is what the caller's role needs.
func (PostponeTicket) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is done.
func (PostponeTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusResolved, ticket.StatusClosed, ticket.StatusSpam, ticket.StatusDeleted); err != nil || t.Status == ticket.StatusPostponed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Postponed{})
}
