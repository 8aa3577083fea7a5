package commands

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
)

// SwitchServices turns an agent's services on or off in one department; those left out stay.
type SwitchServices struct {
	Department uuid.UUID `json:"-" path:"department" ref:"department"`
	Tickets    *bool     `json:"tickets,omitempty" doc:"Whether tickets are switched on"`
	Chats      *bool     `json:"chats,omitempty" doc:"Whether chats are switched on"`
	Calls      *bool     `json:"calls,omitempty" doc:"Whether calls are switched on"`
}

// Permission is what the caller's role needs.
func (SwitchServices) Permission() role.Permission { return role.StatusOwn }

// Decide refuses an agent who does not serve in the department.
func (c SwitchServices) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil {
		return nil, err
	}
	if !a.In(c.Department) {
		return nil, domain.Conflict("not-in-department", "The agent does not serve in this department. Have the agent join it first.")
	}
	wanted := map[agent.Service]*bool{agent.Tickets: c.Tickets, agent.Chats: c.Chats, agent.Calls: c.Calls}
	var events []agent.Event
	for _, service := range agent.AllServices {
		if on := wanted[service]; on != nil && *on != a.Departments[c.Department].On(service) {
			events = append(events, agent.Switched{Department: c.Department, Service: service, On: *on})
		}
	}
	return events, nil
}
