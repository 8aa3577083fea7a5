package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// TransferTicket moves a ticket to another department. It stays assigned to the same agent.
type TransferTicket struct {
	Department uuid.UUID `json:"department" format:"uuid" ref:"department" doc:"Id of the new department"`
}

// Permission returns the permission that the caller needs.
func (TransferTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the department.
func (c TransferTicket) Refs() []Reference {
	return []Reference{work.Needs("department", department.Stream, c.Department, department.Department.MustExist)}
}

// Decide changes nothing for a ticket that is already in the department.
func (c TransferTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Department == c.Department {
		return nil, err
	}
	return happened[ticket.Event](ticket.Transferred{Department: c.Department, Cause: ticket.ByCommand})
}

// rehouse takes a workable ticket out of a department that was deleted: it goes where the tickets of that one went. An
// agent who does not serve the department there does not keep the ticket.
func rehouse(w *work.Work, id uuid.UUID, by By) error {
	t, err := work.Look(w, ticket.Stream, id)
	if err != nil || t.MustBeWorkable() != nil {
		return err
	}
	to, err := heir(w, t.Department)
	if err != nil || to == t.Department {
		return err
	}
	move := moveTicket{to: to}
	if t.Agent != uuid.Nil && to != uuid.Nil {
		a, err := work.Look(w, agent.Stream, t.Agent)
		if err != nil {
			return err
		}
		move.unassign = !a.In(to)
	}
	_, err = work.Run(w, ticket.Stream, id, move, by)
	return err
}

// moveTicket is the part of a plan that moves a ticket out of a deleted department, to another or to none.
type moveTicket struct {
	to       uuid.UUID
	unassign bool
}

func (c moveTicket) Decide(ticket.Ticket, By) ([]ticket.Event, error) {
	events := []ticket.Event{ticket.Transferred{Department: c.to, Cause: ticket.ByDeletion}}
	if c.unassign {
		events = append(events, ticket.Unassigned{})
	}
	return events, nil
}

// bringBack lets a command decide on a ticket that it may make workable again. If the ticket's department was deleted
// meanwhile, it then goes where the tickets of that one went.
func bringBack(w *work.Work, id uuid.UUID, command work.Command[ticket.Ticket, ticket.Event], by By) (work.Answer[ticket.Ticket], error) {
	answer, err := work.Run(w, ticket.Stream, id, command, by)
	if err != nil || !answer.Changed || answer.Replayed {
		return answer, err
	}
	if err := rehouse(w, id, by.Aside(work.EventID(by.Request, ticket.Stream.Stream(id), 0))); err != nil {
		return answer, err
	}
	answer.State, err = work.Look(w, ticket.Stream, id)
	return answer, err
}
