package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// LeaveDepartment removes an agent from a department. Their services there end, and their unfinished tickets go back to it.
// In an imported history they keep their tickets, until it says otherwise.
type LeaveDepartment struct {
	Department uuid.UUID `json:"-" path:"department_id" line:"department" ref:"department"`
}

// Permission returns the permission that the caller needs.
func (LeaveDepartment) Permission() role.Permission { return role.AgentsWrite }

// Refs returns the department.
func (c LeaveDepartment) Refs() []Reference {
	return []Reference{work.Had("department_id", department.Stream, c.Department, department.Department.MustBeCreated)}
}

// Decide refuses a caller who may not manage the agent. It changes nothing for an agent who does not serve the department,
// unless it may not have been so then.
func (c LeaveDepartment) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := cmp.Or(a.MustExist(), mustManage(a, by)); err != nil || !a.In(c.Department) && !by.Late {
		return nil, err
	}
	return happened[agent.Event](agent.LeftDepartment{Department: c.Department})
}

// Name returns the plan's stored name.
func (LeaveDepartment) Name() string { return "agent-leave-department" }

// With returns the department.
func (c LeaveDepartment) With() uuid.UUID { return c.Department }

// Again returns the command as it was before a crash.
func (LeaveDepartment) Again(with uuid.UUID) work.LongCommand[agent.Agent, agent.Event] {
	return LeaveDepartment{Department: with}
}

// Left selects the agent's unfinished tickets in the department, which go back to it.
func (c LeaveDepartment) Left(id uuid.UUID) []work.Left {
	showing := map[string]uuid.UUID{agent.Stream.Category: id, department.Stream.Category: c.Department}
	return []work.Left{{Category: ticket.Stream.Category, Showing: showing, Each: handBack(id)}}
}
