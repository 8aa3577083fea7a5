package commands

import (
	"cmp"
	"slices"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// SignIn signs an agent in on a device.
type SignIn struct {
	Device string `json:"device,omitempty" doc:"Device on which the agent signs in, such as panel, android or ios; 1 to 200 characters, default panel"`
}

// Permission returns the permission that the caller needs.
func (SignIn) Permission() role.Permission { return role.StatusOwn }

// Decide changes nothing for an agent who is already signed in on the device, unless it may not have been so then.
func (c SignIn) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	device, err := status(a, by, c.Device)
	already := slices.Contains(a.Devices, device.Hash)
	if err != nil || already && !by.Late {
		return nil, err
	}
	if !already && len(a.Devices) >= maxDevices {
		return nil, domain.Conflict("too-many-devices", "The agent is signed in on %d devices. Sign out on one of them first.", maxDevices)
	}
	return happened[agent.Event](agent.SignedIn{Device: device})
}

// status checks that the caller may change this agent's status: their own, or that of an agent whom they manage. It returns the normalised device, default panel.
func status(a agent.Agent, by By, device string) (personal.Hashed, error) {
	if err := a.MustExist(); err != nil {
		return personal.Hashed{}, err
	}
	if by.Actor.AgentID() != by.ID {
		if err := cmp.Or(by.MustMay(role.StatusAny), mustManage(a, by)); err != nil {
			return personal.Hashed{}, err
		}
	}
	name, err := profile.Name("device", cmp.Or(device, "panel"))
	return agent.Device(by.Names, by.ID, name), err
}

// maxDevices is the number of devices on which an agent may be signed in at once.
const maxDevices = 50
