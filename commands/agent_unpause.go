package commands

import (
	"daybook/domain/agent"
	"daybook/domain/role"
)

// Unpause ends the break of an agent.
type Unpause struct{}

// Permission is what the caller's role needs.
func (Unpause) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing where it is so already.
func (Unpause) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil || !a.Paused {
		return nil, err
	}
	return happened[agent.Event](agent.Unpaused{})
}
