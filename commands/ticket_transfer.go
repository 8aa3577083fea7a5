package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// TransferTicket hands a ticket to another department. Whose it is stays.
type TransferTicket struct {
	Department uuid.UUID `json:"department" format:"uuid" ref:"department" doc:"Where the ticket belongs"`
}

// Permission is what the caller's role needs.
func (TransferTicket) Permission() role.Permission { return role.TicketsWork }

// Refs names the department.
func (c TransferTicket) Refs() []Reference {
	return []Reference{work.Needs("department", department.Stream, c.Department, department.Department.MustExist)}
}

// Decide changes nothing where it belongs there already.
func (c TransferTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Department == c.Department {
		return nil, err
	}
	return happened[ticket.Event](ticket.Transferred{Department: c.Department})
}
