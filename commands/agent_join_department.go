package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
)

// JoinDepartment adds an agent to a department, with all services switched on.
type JoinDepartment struct {
	Department uuid.UUID `json:"-" path:"department_id" line:"department" ref:"department"`
}

// Permission returns the permission that the caller needs.
func (JoinDepartment) Permission() role.Permission { return role.AgentsWrite }

// Refs returns the department.
func (c JoinDepartment) Refs() []Reference {
	return []Reference{work.Needs("department_id", department.Stream, c.Department, department.Department.MustExist)}
}

// Decide refuses a caller who may not manage the agent. It changes nothing for an agent who already serves the department, unless it may not have been so then.
func (c JoinDepartment) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := cmp.Or(a.MustExist(), mustManage(a, by)); err != nil || a.In(c.Department) && !by.Late {
		return nil, err
	}
	return happened[agent.Event](agent.JoinedDepartment{Department: c.Department})
}
