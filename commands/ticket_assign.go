package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// AssignTicket makes a ticket an agent's.
type AssignTicket struct {
	Agent uuid.UUID `json:"agent" format:"uuid" ref:"agent" doc:"Whose the ticket is"`
}

// Permission is what the caller's role needs.
func (AssignTicket) Permission() role.Permission { return role.TicketsWork }

// Refs names the agent.
func (c AssignTicket) Refs() []Reference {
	return []Reference{work.Needs("agent", agent.Stream, c.Agent, agent.Agent.MustExist)}
}

// Decide refuses an agent who does not serve in the ticket's department; in another desk's history that happened.
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
		return nil, domain.Conflict("agent-not-in-department", "The agent does not serve in the ticket's department. Have the agent join it, or transfer the ticket first.")
	}
	return happened[ticket.Event](ticket.Assigned{Agent: c.Agent})
}
