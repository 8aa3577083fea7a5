package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// DeleteTicket takes a ticket out of the way. Its history stays, and it can be restored.
type DeleteTicket struct{}

// Permission is what the caller's role needs.
func (DeleteTicket) Permission() role.Permission { return role.TicketsDelete }

// Decide changes nothing for a ticket that is deleted.
func (DeleteTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustExist(); err != nil || t.Status == ticket.StatusDeleted {
		return nil, err
	}
	return happened[ticket.Event](ticket.Deleted{})
}
