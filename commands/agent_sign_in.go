package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// SignIn begins a session of an agent on a device.
type SignIn struct {
	Device string `json:"device,omitempty" doc:"Where the agent signs in: panel, android, ios … 1 to 200 characters; left out, it is the panel"`
}

// Permission is what the caller's role needs.
func (SignIn) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is signed in there.
func (c SignIn) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	device, err := status(a, by, c.Device)
	if err != nil || slices.Contains(a.Devices, device) {
		return nil, err
	}
	return happened[agent.Event](agent.SignedIn{Device: device})
}

// status refuses a change of an agent's status by somebody who may not make it, and names the device.
func status(a agent.Agent, by By, device string) (string, error) {
	if err := a.MustExist(); err != nil {
		return "", err
	}
	if by.Actor.AgentID() != by.ID {
		if err := by.MustMay(role.StatusAny); err != nil {
			return "", err
		}
	}
	if device == "" {
		return "panel", nil
	}
	device, err := profile.Name("device", device)
	if err == nil && len(a.Devices) > maxDevices {
		err = domain.Conflict("too-many-devices", "The agent is signed in on %d devices. Sign out on one of them first.", maxDevices)
	}
	return device, err
}

// maxDevices is on how many devices an agent may be signed in at once.
const maxDevices = 50
