package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// AgentQuery asks for agents.
type AgentQuery struct {
	Listing
	Department uuid.UUID              `query:"department" format:"uuid" doc:"Where they serve"`
	Status     readmodels.AgentStatus `query:"status" enum:"online,paused,offline" doc:"Their status"`
	Role       role.Role              `query:"role" enum:"owner,admin,agent" doc:"Their role"`
	Ref        string                 `query:"ref" doc:"The name that an imported desk had for the agent"`
	Deleted    bool                   `query:"deleted" doc:"Also those who left the desk"`
}

// Myself is who an API key acts as.
type Myself struct {
	Key   string    `json:"key" doc:"The id of the API key"`
	Name  string    `json:"name" doc:"The name of the API key"`
	Role  role.Role `json:"role" doc:"What it may do"`
	Agent uuid.UUID `json:"agent,omitzero" required:"false" doc:"The agent whom it acts as, if it does"`
}

func (s *server) agents() {
	const list, one = "/v1/agents", "/v1/agents/{id}"
	create(s, list, "Agents", "Create an agent", agent.Stream, readmodels.Agent{}, commands.CreateAgent{})
	huma.Register(s.api, operation(http.MethodGet, list, "Agents", "List agents, by name"), func(ctx context.Context, in *AgentQuery) (*Answered[List[readmodels.Agent]], error) {
		return listing(ctx, s, in.Listing, list, role.AgentsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Agent], error) {
			return readmodels.FindAgents(ctx, q, readmodels.AgentFilter{
				Department: in.Department, Status: in.Status, Role: in.Role, Ref: in.Ref, Deleted: in.Deleted,
			}, p)
		})
	})
	get(s, one, "Agents", "An agent and his status, now or as of then", "agent", role.AgentsRead, readmodels.AgentsTable, func(r readmodels.Agent) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, one, "Agents", "Edit an agent", agent.Stream, readmodels.Agent{}, commands.EditAgent{})
	s.deleteAgent(one)
	change(s, http.MethodPost, one+"/status/sign-in", "Agents", "Begin a session on a device", agent.Stream, readmodels.Agent{}, commands.SignIn{})
	change(s, http.MethodPost, one+"/status/sign-out", "Agents", "End the session on a device", agent.Stream, readmodels.Agent{}, commands.SignOut{})
	step(s, http.MethodPost, one+"/status/pause", "Agents", "Take a break", agent.Stream, readmodels.Agent{}, commands.Pause{})
	step(s, http.MethodPost, one+"/status/unpause", "Agents", "End the break", agent.Stream, readmodels.Agent{}, commands.Unpause{})
	link(s, http.MethodPut, one+"/departments/{other}", "Agents", "Have an agent serve a department", agent.Stream, readmodels.Agent{}, byID, func(d uuid.UUID) commands.Command[agent.Agent, agent.Event] {
		return commands.JoinDepartment{Department: d}
	})
	link(s, http.MethodDelete, one+"/departments/{other}", "Agents", "Have an agent no longer serve a department", agent.Stream, readmodels.Agent{}, byID, func(d uuid.UUID) commands.Command[agent.Agent, agent.Event] {
		return commands.LeaveDepartment{Department: d}
	})
	s.switchServices(one + "/departments/{other}")
	s.timelineOf(one+"/timeline", "Agents", agent.Stream.Category, role.AgentsRead)
	huma.Register(s.api, operation(http.MethodGet, "/v1/me", "Agents", "Who the API key acts as"), func(ctx context.Context, _ *struct{}) (*struct{ Body Myself }, error) {
		p := who(ctx)
		return &struct{ Body Myself }{Myself{p.ID, p.Name, p.Role, p.Agent}}, nil
	})
}

// deleteAgent ends the agent's keys with the agent, and hands his tickets back. Deleting again finishes what was not done.
func (s *server) deleteAgent(path string) {
	op := command(http.MethodDelete, path, "Agents", "Take an agent off the desk: his open tickets go back to the department, his keys end, history stays")
	huma.Register(s.api, op, func(ctx context.Context, in *About) (*Changed[readmodels.Agent], error) {
		return carry[readmodels.Agent](ctx, s, in.Asking, digest(op, in.ID.String(), nil), func(by commands.By) (outcome, error) {
			a, err := commands.Do(ctx, s.Desk, agent.Stream, in.ID, commands.DeleteAgent{}, by)
			if err == nil {
				err = s.Vault.RevokeAgent(ctx, in.ID, s.Now())
			}
			if err == nil {
				err = s.handBack(ctx, in.ID, a.Position, by)
			}
			return of(agent.Stream, a), err
		})
	})
}

// unfinished are the statuses of tickets that somebody still has to work on.
var unfinished = []ticket.Status{ticket.StatusNew, ticket.StatusOpen, ticket.StatusAnswered, ticket.StatusPostponed}

// handBack makes an agent's unfinished tickets nobody's, once the read models show all that were assigned before he was
// deleted.
func (s *server) handBack(ctx context.Context, agent uuid.UUID, deleted eventstore.Position, by commands.By) error {
	if err := s.Live.Wait(ctx, deleted); err != nil {
		return err
	}
	by.IfMatch = nil
	for page := (table.Page{Limit: table.MaxPage}); ; {
		var found table.Found[readmodels.Ticket]
		err := s.Live.Read(func(db *table.DB) (err error) {
			found, err = readmodels.FindTickets(ctx, db.Readers, readmodels.TicketFilter{Agent: agent, Statuses: unfinished}, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, t := range found.Rows {
			_, err := commands.Do(ctx, s.Desk, ticket.Stream, t.ID, commands.UnassignTicket{}, by)
			if no := (*domain.Error)(nil); err != nil && !errors.As(err, &no) { // a refused one was finished meanwhile
				return err
			}
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return nil
		}
	}
}

func (s *server) switchServices(path string) {
	op := command(http.MethodPatch, path, "Agents", "Switch an agent's services on or off in a department")
	huma.Register(s.api, op, func(ctx context.Context, in *struct {
		With[commands.SwitchServices]
		Department uuid.UUID `path:"other" format:"uuid" doc:"The department"`
	}) (*Changed[readmodels.Agent], error) {
		return carry[readmodels.Agent](ctx, s, in.Asking, digest(op, in.ID.String()+"/"+in.Department.String(), in.RawBody), func(by commands.By) (outcome, error) {
			asked := in.Body
			asked.Department = in.Department
			a, err := commands.Do(ctx, s.Desk, agent.Stream, in.ID, asked, by)
			return of(agent.Stream, a), err
		})
	})
}
