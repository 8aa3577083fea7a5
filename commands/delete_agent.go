package commands

import (
	"daybook/domain/agent"
	"daybook/domain/role"
)

// DeleteAgent takes an agent off the desk: sessions end, the login is free again, history stays.
type DeleteAgent struct{}

// Permission is what the caller's role needs.
func (DeleteAgent) Permission() role.Permission { return role.AgentsWrite }

// Decide refuses an agent who never was; only an owner deletes owners.
func (DeleteAgent) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if a.Deleted {
		return nil, nil
	}
	if err := a.MustExist(); err != nil {
		return nil, err
	}
	if a.Role == role.Owner {
		if err := by.MustMay(role.OwnersWrite); err != nil {
			return nil, err
		}
	}
	return happened[agent.Event](agent.Deleted{})
}
