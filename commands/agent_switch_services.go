package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
)

// SwitchServices switches an agent's services in one department on or off. Services that are left out stay as they are.
type SwitchServices struct {
	Department uuid.UUID `json:"-" path:"department_id" line:"department" ref:"department"`
	Tickets    *bool     `json:"tickets,omitempty" doc:"Whether the agent takes tickets in this department"`
	Chats      *bool     `json:"chats,omitempty" doc:"Whether the agent takes chats in this department"`
	Calls      *bool     `json:"calls,omitempty" doc:"Whether the agent takes calls in this department"`
}

// Permission returns the permission that the caller needs.
func (SwitchServices) Permission() role.Permission { return role.StatusOwn }

// Refs returns the department.
func (c SwitchServices) Refs() []Reference {
	return []Reference{work.Had("department_id", department.Stream, c.Department, department.Department.MustBeCreated)}
}

// Decide refuses an agent who does not serve the department.
func (c SwitchServices) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if _, err := status(a, by, ""); err != nil {
		return nil, err
	}
	if !a.In(c.Department) {
		return nil, domain.Conflict("not-in-department", "The agent does not serve this department. Add the agent to it first.")
	}
	wanted := map[agent.Service]*bool{agent.Tickets: c.Tickets, agent.Chats: c.Chats, agent.Calls: c.Calls}
	var events []agent.Event
	for _, service := range agent.AllServices {
		if on := wanted[service]; on != nil && (by.Late || *on != a.Departments[c.Department].On(service)) {
			events = append(events, agent.Switched{Department: c.Department, Service: service, On: *on})
		}
	}
	return events, nil
}
