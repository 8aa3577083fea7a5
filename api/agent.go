package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/picture"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// AgentQuery are the parameters of a list of agents.
type AgentQuery struct {
	Listing
	Q          string                 `query:"q" maxLength:"200" doc:"Words to search for in names, aliases and e-mail addresses"`
	Department string                 `query:"department" doc:"Only agents who serve this department, by id; none for agents without departments"`
	Status     readmodels.AgentStatus `query:"status" doc:"Only agents with this status"`
	Role       role.Role              `query:"role" enum:"owner,admin,agent" doc:"Only agents with this role"`
	Ref        string                 `query:"ref" doc:"Only agents with this name in an imported journal"`
	Deleted    bool                   `query:"deleted" doc:"Include deleted agents"`
}

// Leaving is a request to remove an agent from a department.
type Leaving struct {
	About
	Other
}

func (l Leaving) about() string { return l.About.about() + "/" + l.Other.name }

// Myself describes the API key of a request.
type Myself struct {
	Key         string           `json:"key_id" doc:"Id of the API key"`
	Name        string           `json:"name" doc:"Name of the API key"`
	Role        role.Role        `json:"role" doc:"Effective role: the key's own, or its agent's if that allows less"`
	Permissions role.Permissions `json:"permissions" doc:"Permissions of the key, limited to those of its agent"`
	Agent       uuid.UUID        `json:"agent_id,omitzero" required:"false" doc:"Id of the agent that the key acts as, if any"`
}

// agents are the routes of agents and their status.
func (s *server) agents() {
	t := resourceOf(s, agent.Stream, "/v1/agents", "Agents", role.AgentsRead, readmodels.AgentsTable,
		func(r readmodels.Agent) int64 { return r.Revision })
	create[commands.CreateAgent](t, "createAgent", "Create an agent")
	lists(t, "listAgents", "List agents, ordered by name", func(ctx context.Context, q table.Queryer, in *AgentQuery) (readmodels.AgentFilter, error) {
		f := readmodels.AgentFilter{Q: in.Q, Status: in.Status, Role: in.Role, Ref: in.Ref, Deleted: in.Deleted}
		return f, s.refer(ctx, q, reference{"department", "department", in.Department, &f.Department})
	}, readmodels.FindAgents)
	get(t, "getAgent", "Get an agent and their status, now or in the past")
	patch[commands.EditAgent](t, "", "updateAgent", "Edit an agent")
	deletes[commands.DeleteAgent](t, "deleteAgent", "Delete an agent. Their unfinished tickets are unassigned and their API keys end. Their history stays")
	post[commands.SignIn](t, "/status/sign-in", "signInAgent", "Sign an agent in on a device")
	post[commands.SignOut](t, "/status/sign-out", "signOutAgent", "Sign an agent out on a device")
	post[commands.Pause](t, "/status/pause", "pauseAgent", "Start an agent's break")
	post[commands.Unpause](t, "/status/unpause", "unpauseAgent", "End an agent's break")
	put[commands.JoinDepartment](t, "/departments/{department_id}", "addAgentDepartment", "Add an agent to a department")
	deletesAs(t, "/departments/{department_id}", "removeAgentDepartment", "Remove an agent from a department. Their unfinished tickets there are unassigned", func(ctx context.Context, in *Leaving) (c commands.LeaveDepartment, err error) {
		if err = who(ctx).MustMay(c.Permission()); err == nil {
			c.Department, err = t.other(ctx, in.ID, department.Stream.Category, in.Other.name)
		}
		return c, err
	})
	patch[commands.SwitchServices](t, "/departments/{department_id}", "updateAgentDepartment", "Switch an agent's services in a department on or off")
	pictures[commands.SetAgentPicture, commands.RemoveAgentPicture](t, "an agent", "setAgentPicture", "getAgentPicture", "removeAgentPicture", func(p picture.Picture) commands.SetAgentPicture {
		return commands.SetAgentPicture{Picture: p}
	})
	t.timeline("listAgentTimeline")
	huma.Register(s.api, describe(route{http.MethodGet, "/v1/me", t.title, "getMe", "Show the API key of this request, its permissions and its agent", ""}), func(ctx context.Context, _ *struct{}) (*struct{ Body Myself }, error) {
		p := who(ctx)
		name, err := s.Vault.APIKeyName(ctx, p.Key)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body Myself }{Myself{p.Key.ID, name, p.Role, p.Allowed, p.Key.Agent}}, nil
	})
}
