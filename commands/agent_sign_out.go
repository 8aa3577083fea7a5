package commands

import (
	"slices"

	"daybook/domain/agent"
	"daybook/domain/role"
)

// SignOut ends the session of an agent on a device.
type SignOut struct {
	Device string `json:"device,omitempty" doc:"Where the session is; left out, it is the panel"`
}

// Permission is what the caller's role needs.
func (SignOut) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is not signed in there.
func (c SignOut) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	device, err := status(a, by, c.Device)
	if err != nil || !slices.Contains(a.Devices, device) {
		return nil, err
	}
	return happened[agent.Event](agent.SignedOut{Device: device})
}
