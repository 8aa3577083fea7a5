package report

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain/agent"
	"daybook/readmodels/table"
)

// A PresenceChange is a moment at which an agent started or stopped working, or being available for a service in a department.
// It never changes.
type PresenceChange struct {
	Position     table.Position `db:"position,key" json:"position" doc:"The event's position in the log"`
	Seq          int64          `db:"seq,key" json:"seq" doc:"The change's number among those of the event"`
	At           table.Instant  `db:"at" json:"at" doc:"When it happened"`
	AgentID      uuid.UUID      `db:"agent_id" json:"agent_id" doc:"The agent"`
	Service      agent.Service  `db:"service" json:"service" doc:"tickets, chats or calls; empty for worktime"`
	DepartmentID table.Ref      `db:"department_id" json:"department_id" doc:"The department; null for worktime"`
	On           bool           `db:"began" json:"began" doc:"true if it began, false if it ended"`
}

// The facts about presence are spans of time. They are computed from the changes when a report is requested.
var (
	Worked         = Fact{"worked", 16}
	TicketsServed  = Fact{"served_tickets", 17}
	ChatsServed    = Fact{"served_chats", 18}
	CallsServed    = Fact{"served_calls", 19}
	servedServices = map[agent.Service]Fact{"": Worked, agent.Tickets: TicketsServed, agent.Chats: ChatsServed, agent.Calls: CallsServed}
)

// The metrics about presence.
var (
	Worktime      = Metric{"worktime", OfPresence, Time, "the agent", presenceSlices, "Time signed in on at least one device and not on a break. Several devices at the same time count once.", Worked}
	OnlineTickets = Metric{"online_time_tickets", OfPresence, Time, "the agent", presenceSlices, "Worktime with tickets switched on in at least one department, or in the one that the query names.", TicketsServed}
	OnlineChats   = Metric{"online_time_chats", OfPresence, Time, "the agent", presenceSlices, "Worktime with chats switched on in at least one department, or in the one that the query names.", ChatsServed}
	OnlineCalls   = Metric{"online_time_calls", OfPresence, Time, "the agent", presenceSlices, "Worktime with calls switched on in at least one department, or in the one that the query names.", CallsServed}
)

// PresenceTable is the table of presence changes.
var PresenceTable = table.Table{Name: "agent_presence", Comment: "When agents started and stopped working and being available.", Row: PresenceChange{},
	Indexes: []string{"agent_id, position"}}

// presence adds the times that agents worked and were available, each split at the edges of the buckets. A span that has not
// ended lasts until the last event up to the cut-off was recorded.
func (t tally) presence(ctx context.Context, q table.Queryer, ask Query, buckets Buckets) error {
	var until table.Instant
	err := sqlx.GetContext(ctx, q, &until, "SELECT recorded_at FROM event_trail WHERE position <= $1 ORDER BY position DESC LIMIT 1", int64(ask.KnownAt))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading event_trail: %w", err)
	}
	var w table.Where
	w.And("position <= %s", int64(ask.KnownAt))
	w.IsID("agent_id", ask.Agent)
	if ask.Department != nil {
		w.And("(department_id = %s OR service = '')", ask.Department.String())
	}
	var changes []PresenceChange
	if err := sqlx.SelectContext(ctx, q, &changes, "SELECT * FROM agent_presence WHERE "+w.String()+" ORDER BY position, seq", w.Args...); err != nil {
		return fmt.Errorf("reading agent_presence: %w", err)
	}
	type availability struct {
		agent   uuid.UUID
		service agent.Service
	}
	departments := make(map[availability]int)
	since := make(map[availability]table.Instant)
	edges := buckets.edges()
	end := func(a availability, at table.Instant) {
		edges.clip(since[a], at, func(bucket int, micros int64) {
			t.at(cell{bucket, table.Ref(a.agent)}).micros[servedServices[a.service].Number] += micros
		})
		delete(since, a)
	}
	for _, c := range changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := availability{c.AgentID, c.Service}
		if c.On {
			if departments[a]++; departments[a] == 1 {
				since[a] = c.At
			}
		} else if departments[a]--; departments[a] == 0 {
			end(a, c.At)
		}
	}
	for a := range since {
		end(a, until)
	}
	return nil
}

// An AgentName is an agent's name from an event on. It never changes.
type AgentName struct {
	Position table.Position `db:"position,key" json:"position" doc:"The event's position in the log"`
	AgentID  uuid.UUID      `db:"agent_id" json:"agent_id" doc:"The agent"`
	Name     string         `db:"name" json:"name" doc:"The name from this event on"`
}

// AgentNamesTable is the table of agents' names over time.
var AgentNamesTable = table.Table{Name: "agent_names", Comment: "The names of each agent over time.", Row: AgentName{}}

// agentNames returns the names as of a position.
func agentNames(ctx context.Context, q table.Queryer, known table.Position) (map[table.Ref]string, error) {
	var all []AgentName
	err := sqlx.SelectContext(ctx, q, &all, "SELECT * FROM agent_names WHERE position <= $1 ORDER BY position", int64(known))
	if err != nil {
		return nil, fmt.Errorf("reading agent_names: %w", err)
	}
	names := make(map[table.Ref]string, len(all))
	for _, n := range all {
		names[table.Ref(n.AgentID)] = n.Name
	}
	return names, nil
}
