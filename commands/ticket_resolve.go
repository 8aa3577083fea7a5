package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ResolveTicket resolves a ticket. The contact's next message reopens it.
type ResolveTicket struct{}

// Permission returns the permission that the caller needs.
func (ResolveTicket) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is closed, spam or deleted. Resolving again changes nothing.
func (ResolveTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Status == ticket.StatusResolved {
		return nil, err
	}
	return happened[ticket.Event](ticket.Resolved{})
}
