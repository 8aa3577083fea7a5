package commands

import (
	"daybook/domain/agent"
	"daybook/domain/role"
)

// Pause has an agent take a break, on all devices. The break lasts until it is ended, also over a new session.
type Pause struct{}

// Permission is what the caller's role needs.
func (Pause) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing where it is so already.
func (Pause) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil || a.Paused {
		return nil, err
	}
	return happened[agent.Event](agent.Paused{})
}
