package commands

import (
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
)

// Pause starts an agent's break on all devices. It lasts until Unpause, or until the last session ends.
type Pause struct{}

// Permission returns the permission that the caller needs.
func (Pause) Permission() role.Permission { return role.StatusOwn }

// Decide refuses an agent who is not signed in, except in an imported history. It changes nothing for one who is already on
// a break.
func (Pause) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil || a.Paused && !by.Late {
		return nil, err
	}
	if len(a.Devices) == 0 && !by.History {
		return nil, domain.Conflict("agent-signed-out", "The agent is not signed in. Sign in first.")
	}
	return happened[agent.Event](agent.Paused{})
}
