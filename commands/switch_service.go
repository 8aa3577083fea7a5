package commands

import (
	"slices"
	"strconv"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
)

// SwitchService turns one of an agent's services on or off in one department.
type SwitchService struct {
	Department uuid.UUID     `json:"-"`
	Service    agent.Service `json:"service" enum:"tickets,chats,calls" doc:"The service"`
	On         bool          `json:"on" doc:"Whether it is switched on"`
}

// Permission is what the caller's role needs.
func (SwitchService) Permission() role.Permission { return role.StatusOwn }

// Decide refuses an agent who does not serve in the department.
func (c SwitchService) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil {
		return nil, err
	}
	if !slices.Contains(agent.AllServices, c.Service) {
		return nil, domain.Invalid("service", "service-unknown", "service must be one of %v, not %s.", agent.AllServices, strconv.Quote(string(c.Service)))
	}
	if !a.In(c.Department) {
		return nil, domain.Conflict("not-in-department", "The agent does not serve in this department. Have the agent join it first.")
	}
	if a.Departments[c.Department].On(c.Service) == c.On {
		return nil, nil
	}
	return happened[agent.Event](agent.Switched{Department: c.Department, Service: c.Service, On: c.On})
}
