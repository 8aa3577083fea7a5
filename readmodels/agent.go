package readmodels

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/search"
	"daybook/readmodels/table"
)

// An Agent is a member of the desk's staff.
type Agent struct {
	ID          uuid.UUID              `db:"agent_id,key" json:"id" doc:"The agent"`
	Name        string                 `db:"name" json:"name" doc:"The name that agents see"`
	Alias       string                 `db:"alias" json:"alias" doc:"The name shown to contacts instead, or empty"`
	Email       string                 `db:"email" json:"email" doc:"The e-mail address, which is also the login"`
	Role        role.Role              `db:"role" json:"role" doc:"owner, admin or agent"`
	Status      AgentStatus            `db:"status" json:"status" doc:"online, paused or offline"`
	Devices     table.List[string]     `db:"devices" json:"devices" doc:"The devices on which the agent is signed in"`
	Sessions    table.List[uuid.UUID]  `db:"sessions" json:"-" doc:"The hashes of the devices, in the same order"`
	Paused      bool                   `db:"paused" json:"paused" doc:"Whether the agent is on a break"`
	Departments table.List[Membership] `db:"departments" json:"departments" doc:"The agent's departments, and the services switched on in each"`
	Ref         string                 `db:"ref" json:"ref,omitempty" doc:"The agent's reference in the journal that they were imported from"`
	CreatedAt   table.Instant          `db:"created_at" json:"created_at" doc:"When the agent was created"`
	DeletedAt   table.Instant          `db:"deleted_at" json:"deleted_at" doc:"When the agent was deleted, or null"`
	Pictured
	Events
	Sought
}

// AgentStatus is derived from an agent's sessions and pause.
type AgentStatus string

// The statuses of an agent.
const (
	Online  AgentStatus = "online"
	Paused  AgentStatus = "paused"
	Offline AgentStatus = "offline"
)

// AgentStatuses lists the statuses.
var AgentStatuses = []AgentStatus{Online, Paused, Offline}

// A Membership is an agent's membership of one department.
type Membership struct {
	Department uuid.UUID `json:"department_id" doc:"The department"`
	Tickets    bool      `json:"tickets" doc:"Whether tickets are switched on"`
	Chats      bool      `json:"chats" doc:"Whether chats are switched on"`
	Calls      bool      `json:"calls" doc:"Whether calls are switched on"`
}

// Services are the switches of a membership.
func (m Membership) Services() agent.Services {
	return agent.Services{Tickets: m.Tickets, Chats: m.Chats, Calls: m.Calls}
}

// AgentsTable is the table of agents.
var AgentsTable = table.Table{Name: "agents", Comment: "The agents and their status.", Row: Agent{}}

// A PresenceDay is what the projection agent_presence remembers of a day in UTC on which an agent's presence changed: how it stood when the
// day began, and what changed, in the order in which it happened.
type PresenceDay struct {
	PresenceKey
	Presence
	Changes  table.List[PresenceChange] `db:"changes" doc:"What changed on the day, in the order in which it happened"`
	Previous *int64                     `db:"previous" doc:"The last day before it with changes, or null"`
	Next     *int64                     `db:"next" doc:"The first day after it with changes, or null"`
}

// A PresenceKey is an agent's day.
type PresenceKey struct {
	AgentID uuid.UUID `db:"agent_id,key" doc:"The agent"`
	Day     int64     `db:"day,key" doc:"The day in UTC, as days since 1970"`
}

// A Presence is how an agent's presence stands.
type Presence struct {
	Sessions    table.List[Session]    `db:"sessions" doc:"The devices on which the agent is signed in when the day begins, and since when"`
	Paused      bool                   `db:"paused" doc:"Whether the agent is on a break then"`
	Departments table.List[Membership] `db:"departments" doc:"The agent's departments then"`
}

// Equal reports whether two presences are the same.
func (p Presence) Equal(other Presence) bool {
	return p.Paused == other.Paused && slices.Equal(p.Sessions, other.Sessions) && slices.Equal(p.Departments, other.Departments)
}

// A Session is a device on which an agent is signed in.
type Session struct {
	Device uuid.UUID     `json:"device"` // its hash
	Since  table.Instant `json:"since"`
}

// A PresenceChange is an event that changes an agent's presence.
type PresenceChange struct {
	At         table.Instant  `json:"at"`
	Position   table.Position `json:"position"`
	Event      string         `json:"event"` // its type
	Device     uuid.UUID      `json:"device,omitzero"`
	Department uuid.UUID      `json:"department,omitzero"`
	Service    agent.Service  `json:"service,omitempty"`
	On         bool           `json:"on,omitempty"`
}

// A PresenceNow leads to an agent's days.
type PresenceNow struct {
	ID   uuid.UUID `db:"agent_id,key" doc:"The agent"`
	Last int64     `db:"last" doc:"The last day with changes"`
}

// The tables from which agent_presence is computed.
var (
	PresenceDaysTable = table.Table{Name: "agent_presence_days", Comment: "The days on which each agent's presence changed, from which agent_presence is computed.", Row: PresenceDay{}}
	PresenceNowTable  = table.Table{Name: "agent_presence_now", Comment: "The last day on which each agent's presence changed.", Row: PresenceNow{}}
)

// An AgentFilter selects agents. Empty fields select all.
type AgentFilter struct {
	Q          string
	Department *table.Ref
	Status     AgentStatus
	Role       role.Role
	Ref        string
	Deleted    bool
}

// FindAgents lists agents by name.
func FindAgents(ctx context.Context, q table.Queryer, f AgentFilter, p table.Page) (table.Found[Agent], error) {
	ask := table.Ask(AgentsTable)
	ask.Words("search", nil, search.Question(f.Q))
	ask.Lists("departments", f.Department)
	ask.Is("status", string(f.Status))
	ask.Is("role", string(f.Role))
	ask.Is("ref", f.Ref)
	unlessDeleted(ask, f.Deleted)
	return table.Find[Agent](ctx, q, ask, p, "name", "created_at", "position")
}
