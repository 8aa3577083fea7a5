package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ResolveTicket marks a ticket as done.
type ResolveTicket struct{}

// Permission is what the caller's role needs.
func (ResolveTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is resolved.
func (ResolveTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Status == ticket.StatusResolved {
		return nil, err
	}
	return happened[ticket.Event](ticket.Resolved{})
}
