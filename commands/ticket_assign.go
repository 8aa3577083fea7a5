package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// AssignTicket assigns a ticket to an agent.
type AssignTicket struct {
	Agent uuid.UUID `json:"agent_id" line:"agent" format:"uuid" ref:"agent" doc:"Id of the agent"`
}

// Permission returns the permission that the caller needs.
func (AssignTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the agent.
func (c AssignTicket) Refs() []Reference {
	return []Reference{work.Needs("agent_id", agent.Stream, c.Agent, agent.Agent.MustExist)}
}

// Decide refuses an agent who does not serve the ticket's department, except in an imported history.
func (c AssignTicket) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Agent == c.Agent {
		return nil, err
	}
	if t.Department == uuid.Nil || by.History {
		return happened[ticket.Event](ticket.Assigned{Agent: c.Agent})
	}
	assignee, err := work.Known(by, agent.Stream, c.Agent)
	if err != nil {
		return nil, err
	}
	if !assignee.In(t.Department) {
		return nil, domain.Conflict("agent-not-in-department", "The agent does not serve the ticket's department. Add the agent to it, or transfer the ticket first.")
	}
	return happened[ticket.Event](ticket.Assigned{Agent: c.Agent})
}
