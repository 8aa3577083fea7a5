package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// DeleteDepartment deletes a department. Its workable tickets go to another department or to none, and its agents leave
// it. Its history stays, and so do its closed, spam and deleted tickets, until they are workable again.
type DeleteDepartment struct {
	To     uuid.UUID // the department that takes its tickets; nil: none
	Unsaid bool      // it has workable tickets, and the request does not say where they go
}

// Permission returns the permission that the caller needs.
func (DeleteDepartment) Permission() role.Permission { return role.DesksWrite }

// Refs returns the department that takes the tickets, if there is one.
func (c DeleteDepartment) Refs() []Reference {
	if c.To == uuid.Nil {
		return nil
	}
	return []Reference{work.Needs("to", department.Stream, c.To, department.Department.MustExist)}
}

// Decide refuses a department that never existed. Deleting again changes nothing.
func (c DeleteDepartment) Decide(t department.Department, by By) ([]department.Event, error) {
	switch {
	case t.Deleted && c.To != uuid.Nil && c.To != t.Heir:
		return nil, domain.Conflict("department-deleted", "The department was already deleted, and its tickets do not go to this one. Leave out to, and transfer them from where they are.")
	case t.Deleted:
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	if c.Unsaid {
		return nil, domain.Conflict("department-has-tickets", "The department has tickets that are not closed. Say where they go: to=ID for another department, or to=none.")
	}
	if c.To != uuid.Nil && c.To == by.ID {
		return nil, domain.Invalid("to", "department-itself", "to must be another department than the one that is deleted.")
	}
	return happened[department.Event](department.Deleted{To: c.To})
}

// Name returns the plan's stored name.
func (DeleteDepartment) Name() string { return "department-delete" }

// With returns the department that takes the tickets.
func (c DeleteDepartment) With() uuid.UUID { return c.To }

// Again returns the command as it was before a crash.
func (DeleteDepartment) Again(with uuid.UUID) work.LongCommand[department.Department, department.Event] {
	return DeleteDepartment{To: with}
}

// Tickets selects the department's workable tickets, which move.
func (DeleteDepartment) Tickets(id uuid.UUID) work.Left {
	return work.Left{Category: ticket.Stream.Category, Showing: map[string]uuid.UUID{department.Stream.Category: id}, Each: settle}
}

// Left selects the department's tickets, and then its agents, who leave.
func (c DeleteDepartment) Left(id uuid.UUID) []work.Left {
	return []work.Left{
		c.Tickets(id),
		{Category: agent.Stream.Category, Showing: map[string]uuid.UUID{department.Stream.Category: id}, Each: func(w *work.Work, thing uuid.UUID, by By) error {
			_, err := work.Run(w, agent.Stream, thing, LeaveDepartment{Department: id}, by)
			return err
		}},
	}
}
