package commands

import (
	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/role"
)

// LeaveDepartment has an agent no longer serve a department; the services there end.
type LeaveDepartment struct {
	Department uuid.UUID `json:"-" path:"department" ref:"department"`
}

// Permission is what the caller's role needs.
func (LeaveDepartment) Permission() role.Permission { return role.AgentsWrite }

// Decide changes nothing for an agent who does not serve there.
func (c LeaveDepartment) Decide(a agent.Agent, _ By) ([]agent.Event, error) {
	if err := a.MustExist(); err != nil || !a.In(c.Department) {
		return nil, err
	}
	return happened[agent.Event](agent.LeftDepartment{Department: c.Department})
}
