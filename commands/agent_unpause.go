package commands

import (
	"daybook/domain/agent"
	"daybook/domain/role"
)

// Unpause ends an agent's break.
type Unpause struct{}

// Permission returns the permission that the caller needs.
func (Unpause) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is not on a break, unless it may not have been so then.
func (Unpause) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil || !a.Paused && !by.Late {
		return nil, err
	}
	return happened[agent.Event](agent.Unpaused{})
}
