package commands

import (
	"slices"

	"daybook/domain/agent"
	"daybook/domain/role"
)

// SignOut signs an agent out on a device.
type SignOut struct {
	Device string `json:"device,omitempty" doc:"Device on which the agent signs out; default panel"`
}

// Permission returns the permission that the caller needs.
func (SignOut) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is not signed in on the device, except in an imported history.
func (c SignOut) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	device, err := status(a, by, c.Device)
	if err != nil || !slices.Contains(a.Devices, device.Hash) && !by.History {
		return nil, err
	}
	return happened[agent.Event](agent.SignedOut{Device: device})
}
