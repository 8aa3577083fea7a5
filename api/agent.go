package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/readmodels"
)

// AgentQuery asks for agents.
type AgentQuery struct {
	Listing
	Department uuid.UUID              `query:"department" format:"uuid" doc:"Where they serve"`
	Status     readmodels.AgentStatus `query:"status" doc:"Their status"`
	Role       role.Role              `query:"role" enum:"owner,admin,agent" doc:"Their role"`
	Ref        string                 `query:"ref" doc:"The name that an imported desk had for the agent"`
	Deleted    bool                   `query:"deleted" doc:"Also those that are deleted"`
}

// Myself is who an API key acts as.
type Myself struct {
	Key         string           `json:"key" doc:"The id of the API key"`
	Name        string           `json:"name" doc:"The name of the API key"`
	Role        role.Role        `json:"role" doc:"The role that limits it: its own, or that of its agent"`
	Permissions role.Permissions `json:"permissions" doc:"What it may do"`
	Agent       uuid.UUID        `json:"agent,omitzero" required:"false" doc:"The agent that it acts as, if it does"`
}

// agents are the routes of agents and their status.
func (s *server) agents() {
	t := resourceOf(s, agent.Stream, "/v1/agents", "Agents", role.AgentsRead, readmodels.AgentsTable,
		func(r readmodels.Agent) int64 { return r.Revision })
	create[commands.CreateAgent](t, "Create an agent")
	lists(t, "List agents, by name", func(_ context.Context, in *AgentQuery) (readmodels.AgentFilter, error) {
		return readmodels.AgentFilter{Department: in.Department, Status: in.Status, Role: in.Role, Ref: in.Ref, Deleted: in.Deleted}, nil
	}, readmodels.FindAgents)
	get(t, "Get an agent and their status, as they are or as they were")
	patch[commands.EditAgent](t, "", "Edit an agent")
	deletes[commands.DeleteAgent](t, "Delete an agent: open tickets go back to the department, their API keys end, history stays")
	post[commands.SignIn](t, "/status/sign-in", "Sign in on a device")
	post[commands.SignOut](t, "/status/sign-out", "Sign out on a device")
	post[commands.Pause](t, "/status/pause", "Take a break")
	post[commands.Unpause](t, "/status/unpause", "End the break")
	put[commands.JoinDepartment](t, "/departments/{other}", "Add an agent to a department")
	del[commands.LeaveDepartment](t, "/departments/{other}", "Remove an agent from a department")
	patch[commands.SwitchServices](t, "/departments/{other}", "Switch an agent's services on or off in a department")
	t.timeline()
	huma.Register(s.api, describe(http.MethodGet, "/v1/me", t.title, "Who the API key acts as"), func(ctx context.Context, _ *struct{}) (*struct{ Body Myself }, error) {
		p := who(ctx)
		return &struct{ Body Myself }{Myself{p.Key.ID, p.Key.Name, p.Role, p.Allowed, p.Key.Agent}}, nil
	})
}
