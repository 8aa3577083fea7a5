package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/role"
)

// LeaveDepartment removes an agent from a department. Their services there end.
type LeaveDepartment struct {
	Department uuid.UUID `json:"-" path:"department" ref:"department"`
}

// Permission returns the permission that the caller needs.
func (LeaveDepartment) Permission() role.Permission { return role.AgentsWrite }

// Decide refuses a caller who may not manage the agent. It changes nothing for an agent who does not serve the department, unless it may not have been so then.
func (c LeaveDepartment) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := cmp.Or(a.MustExist(), mustManage(a, by)); err != nil || !a.In(c.Department) && !by.Late {
		return nil, err
	}
	return happened[agent.Event](agent.LeftDepartment{Department: c.Department})
}
