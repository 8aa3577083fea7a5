package commands

import (
	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UnassignTicket makes a ticket nobody's.
type UnassignTicket struct{}

// Permission is what the caller's role needs.
func (UnassignTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing where it is nobody's already.
func (UnassignTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Agent == uuid.Nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Unassigned{})
}
