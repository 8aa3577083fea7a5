package report

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain/agent"
	"daybook/readmodels/table"
)

// A PresenceChange is one moment at which an agent began or ceased to work, or to be available for a service in a
// department. It never changes.
type PresenceChange struct {
	Position     table.Position `db:"position,key" json:"position" doc:"Where its event stands in the log"`
	Seq          int64          `db:"seq,key" json:"seq" doc:"Its number among the changes of one event"`
	At           table.Instant  `db:"at" json:"at" doc:"When it happened"`
	AgentID      uuid.UUID      `db:"agent_id" json:"agent_id" doc:"The agent"`
	Service      agent.Service  `db:"service" json:"service" doc:"tickets, chats or calls; empty for work as such"`
	DepartmentID table.Ref      `db:"department_id" json:"department_id" doc:"Where; null for work as such"`
	On           bool           `db:"began" json:"began" doc:"Whether it began"`
}

// The facts about presence: spans of time, which are made of changes when a report asks.
var (
	Worked         = Fact{Name: "worked"}
	TicketsServed  = Fact{Name: "served_tickets"}
	ChatsServed    = Fact{Name: "served_chats"}
	CallsServed    = Fact{Name: "served_calls"}
	servedServices = map[agent.Service]Fact{"": Worked, agent.Tickets: TicketsServed, agent.Chats: ChatsServed, agent.Calls: CallsServed}
)

// The metrics about presence.
var (
	Worktime      = Metric{"worktime", OfPresence, Time, "the agent", presenceSlices, "Signed in on at least one device and not pausing; several devices at once count once.", Worked}
	OnlineTickets = Metric{"online_time_tickets", OfPresence, Time, "the agent", presenceSlices, "Working, and tickets switched on in at least one department (the one asked for, if any).", TicketsServed}
	OnlineChats   = Metric{"online_time_chats", OfPresence, Time, "the agent", presenceSlices, "Working, and chats switched on in at least one department (the one asked for, if any).", ChatsServed}
	OnlineCalls   = Metric{"online_time_calls", OfPresence, Time, "the agent", presenceSlices, "Working, and calls switched on in at least one department (the one asked for, if any).", CallsServed}
)

// PresenceTable is the table of the changes of presence.
var PresenceTable = table.Table{Name: "agent_presence", Comment: "When agents began and ceased to work and to be available.", Row: PresenceChange{},
	Indexes: []string{"agent_id, position"}}

// presence adds the times that agents worked and were available, each cut at the edges of the buckets. What has not ended
// lasts until the log's last event was recorded.
func (t tally) presence(ctx context.Context, q table.Queryer, ask Query, buckets Buckets) error {
	var until table.Instant
	err := sqlx.GetContext(ctx, q, &until, "SELECT recorded_at FROM event_trail WHERE position <= $1 ORDER BY position DESC LIMIT 1", int64(ask.KnownAt))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading event_trail: %w", err)
	}
	var w table.Where
	w.And("position <= %s", int64(ask.KnownAt))
	w.IsID("agent_id", ask.Agent)
	if ask.Department != uuid.Nil {
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
	since := make(map[availability]time.Time)
	end := func(a availability, at time.Time) {
		buckets.Clip(since[a], at, func(bucket int, length time.Duration) {
			t.add(cell{bucket, table.Ref(a.agent)}, servedServices[a.service].Name, length.Seconds())
		})
		delete(since, a)
	}
	for _, c := range changes {
		a := availability{c.AgentID, c.Service}
		if c.On {
			if departments[a]++; departments[a] == 1 {
				since[a] = c.At.Time()
			}
		} else if departments[a]--; departments[a] == 0 {
			end(a, c.At.Time())
		}
	}
	for a := range since {
		end(a, until.Time())
	}
	return nil
}

// An AgentName is a name that an agent had from an event on. It never changes.
type AgentName struct {
	Position table.Position `db:"position,key" json:"position" doc:"Where its event stands in the log"`
	AgentID  uuid.UUID      `db:"agent_id" json:"agent_id" doc:"The agent"`
	Name     string         `db:"name" json:"name" doc:"The name from then on"`
}

// AgentNamesTable is the table of the names that agents had.
var AgentNamesTable = table.Table{Name: "agent_names", Comment: "The names that agents had, from when on.", Row: AgentName{}}

// agentNames are those that the agents had when the log ended.
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
