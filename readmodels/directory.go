package readmodels

import (
	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels/table"
)

// A Department is a part of the desk.
type Department struct {
	ID        uuid.UUID     `db:"department_id,key" json:"id" doc:"The department"`
	Name      string        `db:"name" json:"name" doc:"Its name"`
	Ref       string        `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	CreatedAt table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	DeletedAt table.Instant `db:"deleted_at" json:"deleted_at" doc:"When it was taken out of use, or null"`
	Revision  int64         `db:"revision" json:"-" doc:"The number of its last event"`
}

// A Tag can be put on contacts, or on tickets.
type Tag struct {
	ID        uuid.UUID     `db:"tag_id,key" json:"id" doc:"The tag"`
	Scope     tag.Scope     `db:"scope" json:"scope" doc:"What it can be put on: contacts or tickets"`
	Name      string        `db:"name" json:"name" doc:"Its name"`
	Ref       string        `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	CreatedAt table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	DeletedAt table.Instant `db:"deleted_at" json:"deleted_at" doc:"When it was taken out of use, or null"`
	Revision  int64         `db:"revision" json:"-" doc:"The number of its last event"`
}

// A Group is what contacts and companies are sorted into.
type Group struct {
	ID         uuid.UUID     `db:"group_id,key" json:"id" doc:"The group"`
	Name       string        `db:"name" json:"name" doc:"Its name"`
	Color      string        `db:"color" json:"color" doc:"The colour of the text, #rrggbb or empty"`
	Background string        `db:"background" json:"background" doc:"The colour behind it, #rrggbb or empty"`
	Ref        string        `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	CreatedAt  table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	DeletedAt  table.Instant `db:"deleted_at" json:"deleted_at" doc:"When it was taken out of use, or null"`
	Revision   int64         `db:"revision" json:"-" doc:"The number of its last event"`
}

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

// An AgentName is a name that an agent had from an event on. It never changes.
type AgentName struct {
	Position Position  `db:"position,key" json:"position" doc:"Where its event stands in the log"`
	AgentID  uuid.UUID `db:"agent_id" json:"agent_id" doc:"The agent"`
	Name     string    `db:"name" json:"name" doc:"The name from then on"`
}

// The tables of the desk itself.
var (
	DepartmentsTable = table.Table{Name: "departments", Comment: "Parts of the desk.", Row: Department{}}
	TagsTable        = table.Table{Name: "tags", Comment: "Two registries of tags: for contacts and for tickets.", Row: Tag{}}
	GroupsTable      = table.Table{Name: "groups", Comment: "What contacts and companies are sorted into.", Row: Group{}}
	AgentNamesTable  = table.Table{Name: "agent_names", Comment: "The names that agents had, from when on.", Row: AgentName{}}
	AgentsTable      = table.Table{Name: "agents", Comment: "Who works at the desk, and their status.", Row: Agent{}}
)
