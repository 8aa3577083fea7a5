package commands

import (
	"daybook/domain/agent"
	"daybook/domain/role"
)

// Pause starts an agent's break on all devices. It lasts until Unpause, even across sign-outs and sign-ins.
type Pause struct{}

// Permission returns the permission that the caller needs.
func (Pause) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is already on a break.
func (Pause) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil || a.Paused {
		return nil, err
	}
	return happened[agent.Event](agent.Paused{})
}
