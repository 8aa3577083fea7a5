package readmodels

import (
	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// A Metric is the name of something that an agent's activity is counted or measured by. What each means, event by event,
// is said in docs/metrics.md.
type Metric string

// The metrics that are posted. Those that end in _time are measured in seconds, the others counted.
const (
	CreatedTickets   Metric = "created_tickets"
	Answers          Metric = "answers"
	Notes            Metric = "notes"
	AssignedTickets  Metric = "assigned_tickets"
	ResolvedTickets  Metric = "resolved_tickets"
	Reopened         Metric = "reopened"
	TransfersOut     Metric = "transfers_out"
	TransfersIn      Metric = "transfers_in"
	NewAnswerTime    Metric = "new_answer_time"
	NextAnswerTime   Metric = "next_answer_time"
	FirstAssignTime  Metric = "first_assign_time"
	FirstResolveTime Metric = "first_resolve_time"

	// Excluded and Included say that a ticket became, or ceased to be, spam or deleted; they are no metrics of an agent.
	Excluded Metric = "excluded"
	Included Metric = "included"
)

// An Activity is one fact that a report is made of. It never changes.
type Activity struct {
	Position     Position              `db:"position,key" json:"position" doc:"Where its event stands in the log"`
	Seq          int64                 `db:"seq,key" json:"seq" doc:"Its number among the facts of one event"`
	At           table.Instant         `db:"at" json:"at" doc:"When it happened"`
	AgentID      table.Ref             `db:"agent_id" json:"agent_id" doc:"The agent to whom it counts, or null for nobody"`
	Metric       Metric                `db:"metric" json:"metric" doc:"What it counts for"`
	Seconds      float64               `db:"seconds" json:"seconds" doc:"How long it took; 0 for what is only counted"`
	TicketID     uuid.UUID             `db:"ticket_id" json:"ticket_id" doc:"The ticket"`
	Channel      ticket.Channel        `db:"channel" json:"channel" doc:"The ticket's channel"`
	DepartmentID table.Ref             `db:"department_id" json:"department_id" doc:"The ticket's department then, or null"`
	Tags         table.List[uuid.UUID] `db:"tags" json:"tags" doc:"The ticket's tags then"`
	Anomaly      bool                  `db:"anomaly" json:"anomaly" doc:"The clocks disagree: it ended before it began, and counts as 0 seconds"`
}

// A TicketClock is what must be known of a ticket to tell how long things took.
type TicketClock struct {
	ID            uuid.UUID             `db:"ticket_id,key" doc:"The ticket"`
	OpenedAt      table.Instant         `db:"opened_at" doc:"When it was opened"`
	Channel       ticket.Channel        `db:"channel" doc:"What it came in through"`
	DepartmentID  table.Ref             `db:"department_id" doc:"Where it belongs, or null"`
	AgentID       table.Ref             `db:"agent_id" doc:"Whose it is, or null"`
	Tags          table.List[uuid.UUID] `db:"tags" doc:"Tags that were put on it"`
	Status        ticket.Status         `db:"status" doc:"Where it stands"`
	PostponedFrom ticket.Status         `db:"postponed_from" doc:"Where it stood before it was postponed"`
	SpamFrom      ticket.Status         `db:"spam_from" doc:"Where it stood before it was marked as spam"`
	DeletedFrom   ticket.Status         `db:"deleted_from" doc:"Where it stood before it was deleted"`
	NewAnswerOver bool                  `db:"new_answer_over" doc:"It was answered by an agent, resolved, closed or spam once: no first answer is measured any more"`
	Assigned      bool                  `db:"assigned" doc:"It was assigned once"`
	Resolved      bool                  `db:"resolved" doc:"It was resolved once"`
	ResolverID    table.Ref             `db:"resolver_id" doc:"Who resolved it last, or null"`
	WaitingSince  table.Instant         `db:"waiting_since" doc:"Since when it is open, or null"`
}

// A PresenceChange is one moment at which an agent began or ceased to work, or to be available for a service in a
// department. It never changes.
type PresenceChange struct {
	Position     Position      `db:"position,key" json:"position" doc:"Where its event stands in the log"`
	Seq          int64         `db:"seq,key" json:"seq" doc:"Its number among the changes of one event"`
	At           table.Instant `db:"at" json:"at" doc:"When it happened"`
	AgentID      uuid.UUID     `db:"agent_id" json:"agent_id" doc:"The agent"`
	Service      agent.Service `db:"service" json:"service" doc:"tickets, chats or calls; empty for work as such"`
	DepartmentID table.Ref     `db:"department_id" json:"department_id" doc:"Where; null for work as such"`
	On           bool          `db:"began" json:"began" doc:"Whether it began"`
}

// An AgentPresence is what must be known of an agent to tell when work and services begin and end.
type AgentPresence struct {
	ID          uuid.UUID              `db:"agent_id,key" doc:"The agent"`
	Devices     table.List[string]     `db:"devices" doc:"Where the agent is signed in"`
	Paused      bool                   `db:"paused" doc:"Whether the agent takes a break"`
	Departments table.List[Membership] `db:"departments" doc:"Where the agent serves"`
}

// The tables of the agent reports.
var (
	ActivityTable = table.Table{Name: "agent_activity", Comment: "The facts that agent reports are made of.", Row: Activity{},
		Indexes: []string{"at, agent_id", "ticket_id, position"}}
	TicketClocksTable = table.Table{Name: "ticket_clocks", Comment: "Working memory of agent_activity: what is under way on each ticket.", Row: TicketClock{}}
	PresenceTable     = table.Table{Name: "agent_presence", Comment: "When agents began and ceased to work and to be available.", Row: PresenceChange{},
		Indexes: []string{"agent_id, position"}}
	PresencesTable = table.Table{Name: "agent_presence_now", Comment: "Working memory of agent_presence: what is under way for each agent.", Row: AgentPresence{}}
)
