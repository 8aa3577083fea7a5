package commands

import (
	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UnassignTicket removes the agent from a ticket.
type UnassignTicket struct{}

// Permission returns the permission that the caller needs.
func (UnassignTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not assigned.
func (UnassignTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Agent == uuid.Nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Unassigned{})
}
