package commands

import (
	"context"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// DeleteAgent takes an agent off the desk: sessions end, the login is free again, history stays. The agent's unfinished
// tickets go back to their departments.
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

// Name is the name of the plan.
func (DeleteAgent) Name() string { return "agent-delete" }

// Left is the agent's unfinished tickets.
func (DeleteAgent) Left(id uuid.UUID) work.Left {
	return work.Left{Category: ticket.Stream.Category, Showing: agent.Stream.Category, ID: id}
}

// Each makes a ticket nobody's.
func (DeleteAgent) Each(w *work.Work, thing, _ uuid.UUID, by By) error {
	_, err := work.Run(w, ticket.Stream, thing, UnassignTicket{}, by)
	return err
}

// Finish ends the agent's keys. They open nothing any more since the agent was deleted.
func (DeleteAgent) Finish(ctx context.Context, d *work.Desk, about uuid.UUID, by By) error {
	if d.Doors == nil {
		return nil
	}
	return d.Doors.Revoke(ctx, about, by.At)
}
