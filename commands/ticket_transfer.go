package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// TransferTicket moves a ticket to another department. It stays assigned to the same agent if they serve that department.
type TransferTicket struct {
	Department uuid.UUID `json:"department_id" line:"department" format:"uuid" ref:"department" doc:"Id of the new department"`
}

// Permission returns the permission that the caller needs.
func (TransferTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the department.
func (c TransferTicket) Refs() []Reference {
	return []Reference{work.Needs("department_id", department.Stream, c.Department, department.Department.MustExist)}
}

// Decide changes nothing for a ticket that is already in the department.
func (c TransferTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Department == c.Department {
		return nil, err
	}
	return happened[ticket.Event](ticket.Transferred{Department: c.Department, Cause: ticket.ByCommand})
}

// Carry moves the ticket. An agent who does not serve the new department does not keep it.
func (c TransferTicket) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return settled(w, id, c, by)
}
