package commands

import (
	"context"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/key"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// DeleteAgent deletes an agent. Their sessions and API keys end, their login is free again, and their unfinished tickets
// go back to their departments. Their history stays.
type DeleteAgent struct{}

// Permission returns the permission that the caller needs.
func (DeleteAgent) Permission() role.Permission { return role.AgentsWrite }

// Decide refuses an agent who never existed. Only an owner may delete owners. Deleting again changes nothing.
func (DeleteAgent) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if a.Deleted {
		return nil, nil
	}
	if err := a.MustExist(); err != nil {
		return nil, err
	}
	if err := mustManage(a, by); err != nil {
		return nil, err
	}
	return happened[agent.Event](agent.Deleted{})
}

// Name returns the plan's stored name.
func (DeleteAgent) Name() string { return "agent-delete" }

// Left selects the agent's unfinished tickets. They go back to their departments.
func (DeleteAgent) Left(id uuid.UUID) []work.Left {
	return []work.Left{{Category: ticket.Stream.Category, Showing: map[string]uuid.UUID{agent.Stream.Category: id}, Each: handBack(id)}}
}

// Finish revokes the agent's keys. They have allowed nothing since the agent was deleted.
func (DeleteAgent) Finish(ctx context.Context, d *work.Desk, about uuid.UUID, by By) error {
	if d.Doors == nil {
		return nil
	}
	keys, err := d.Doors.Revoke(ctx, about, by.At)
	for _, k := range keys {
		if err == nil {
			_, err = work.Do(ctx, d, key.Stream, k, RevokeKey{}, by)
		}
	}
	return err
}
