package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// DeleteTicket deletes a ticket. Its history stays, and it can be restored.
type DeleteTicket struct{}

// Permission returns the permission that the caller needs.
func (DeleteTicket) Permission() role.Permission { return role.TicketsDelete }

// Decide refuses a ticket that does not exist. Deleting again changes nothing.
func (DeleteTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustExist(); err != nil || t.Status == ticket.StatusDeleted {
		return nil, err
	}
	return happened[ticket.Event](ticket.Deleted{})
}
