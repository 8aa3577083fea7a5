package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// RestoreTicket restores a deleted ticket, with the status that it had.
type RestoreTicket struct{}

// Permission returns the permission that the caller needs.
func (RestoreTicket) Permission() role.Permission { return role.TicketsDelete }

// Decide changes nothing for a ticket that is not deleted.
func (RestoreTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustExist(); err != nil || t.Status != ticket.StatusDeleted {
		return nil, err
	}
	return happened[ticket.Event](ticket.Restored{})
}

// Carry restores the ticket, and settles it: its department or its agent may be gone.
func (c RestoreTicket) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return settled(w, id, c, by)
}
