package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/readmodels/table"
)

// An Agent works at the desk.
type Agent struct {
	ID          uuid.UUID              `db:"agent_id,key" json:"id" doc:"The agent"`
	Name        string                 `db:"name" json:"name" doc:"The name that agents see"`
	Alias       string                 `db:"alias" json:"alias" doc:"The name that contacts see instead, or empty"`
	Email       string                 `db:"email" json:"email" doc:"The login"`
	Role        role.Role              `db:"role" json:"role" doc:"What the agent may do: owner, admin or agent"`
	Status      AgentStatus            `db:"status" json:"status" doc:"online, paused or offline"`
	Devices     table.List[string]     `db:"devices" json:"devices" doc:"Where the agent is signed in"`
	Paused      bool                   `db:"paused" json:"paused" doc:"Whether the agent takes a break"`
	Departments table.List[Membership] `db:"departments" json:"departments" doc:"Where the agent serves, and with which services"`
	Ref         string                 `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for the agent"`
	CreatedAt   table.Instant          `db:"created_at" json:"created_at" doc:"When the agent was created"`
	DeletedAt   table.Instant          `db:"deleted_at" json:"deleted_at" doc:"When the agent left the desk, or null"`
	Revision    int64                  `db:"revision" json:"-" doc:"The number of the agent's last event"`
}

// AgentStatus is what an agent's sessions and pause come to.
type AgentStatus string

// The statuses of an agent.
const (
	Online  AgentStatus = "online"
	Paused  AgentStatus = "paused"
	Offline AgentStatus = "offline"
)

// AgentStatuses lists the statuses.
var AgentStatuses = []AgentStatus{Online, Paused, Offline}

// A Membership is an agent's place in one department.
type Membership struct {
	Department uuid.UUID `json:"department" doc:"The department"`
	Tickets    bool      `json:"tickets" doc:"Whether tickets are switched on"`
	Chats      bool      `json:"chats" doc:"Whether chats are switched on"`
	Calls      bool      `json:"calls" doc:"Whether calls are switched on"`
}

// Services are the switches of a membership.
func (m Membership) Services() agent.Services {
	return agent.Services{Tickets: m.Tickets, Chats: m.Chats, Calls: m.Calls}
}

// The tables of the desk itself.
var (
	AgentsTable = table.Table{Name: "agents", Comment: "Who works at the desk, and their status.", Row: Agent{}}
)

// An AgentPresence is what must be known of an agent to tell when work and services begin and end.
type AgentPresence struct {
	ID          uuid.UUID              `db:"agent_id,key" doc:"The agent"`
	Devices     table.List[string]     `db:"devices" doc:"Where the agent is signed in"`
	Paused      bool                   `db:"paused" doc:"Whether the agent takes a break"`
	Departments table.List[Membership] `db:"departments" doc:"Where the agent serves"`
}

// PresencesTable is the table of what is under way for agents.
var PresencesTable = table.Table{Name: "agent_presence_now", Comment: "Working memory of agent_presence: what is under way for each agent.", Row: AgentPresence{}}

// An AgentFilter says which agents are wanted.
type AgentFilter struct {
	Department uuid.UUID
	Status     AgentStatus
	Role       role.Role
	Ref        string
	Deleted    bool
}

// FindAgents lists agents by name.
func FindAgents(ctx context.Context, q table.Queryer, f AgentFilter, p table.Page) (table.Found[Agent], error) {
	var w table.Where
	w.Lists("departments", f.Department)
	w.Is("status", string(f.Status))
	w.Is("role", string(f.Role))
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, AgentsTable, w, p, []string{"name", "created_at"}, func(a Agent, sort string) (any, any) {
		if sort == "created_at" {
			return int64(a.CreatedAt), a.ID
		}
		return a.Name, a.ID
	})
}
