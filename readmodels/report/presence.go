package report

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain/agent"
	"daybook/readmodels/table"
)

// The facts about presence are spans of time.
var (
	Worked        = Fact{"worked", 16}
	TicketsServed = Fact{"served_tickets", 17}
	ChatsServed   = Fact{"served_chats", 18}
	CallsServed   = Fact{"served_calls", 19}
	Odd           = Fact{"odd", 20} // what cannot be, such as a session that ends and was not there: an instant

	presenceFacts = []Fact{Worked, TicketsServed, ChatsServed, CallsServed, Odd}
)

// Served is the fact that an agent is available for a service.
var Served = map[agent.Service]Fact{agent.Tickets: TicketsServed, agent.Chats: ChatsServed, agent.Calls: CallsServed}

// LongSession is how long a session may last, in microseconds, before it is counted as an anomaly.
const LongSession = table.Instant(24 * time.Hour / time.Microsecond)

// The metrics about presence.
var (
	Worktime      = Metric{"worktime", OfPresence, Time, "the agent", presenceSlices, "Time signed in on at least one device and not on a break. Several devices at the same time count once.", Worked}
	OnlineTickets = Metric{"online_time_tickets", OfPresence, Time, "the agent", presenceSlices, "Worktime with tickets switched on in at least one department, or in the one that the query names.", TicketsServed}
	OnlineChats   = Metric{"online_time_chats", OfPresence, Time, "the agent", presenceSlices, "Worktime with chats switched on in at least one department, or in the one that the query names.", ChatsServed}
	OnlineCalls   = Metric{"online_time_calls", OfPresence, Time, "the agent", presenceSlices, "Worktime with calls switched on in at least one department, or in the one that the query names.", CallsServed}
)

// A Span is a fact about presence: a part of a day in UTC in which an agent worked or was available. It can turn out later not to be so.
type Span struct {
	Start, End   table.Instant
	Kind         Number
	DepartmentID table.Ref // none: worktime, or a service in any department
	Gone         bool      // it is not so after all
}

// Code implements table.Fact.
func (s *Span) Code(c *table.Coder) {
	first := byte(s.Kind)
	if s.Gone {
		first |= 1 << 7
	}
	c.Byte(&first)
	s.Kind, s.Gone = Number(first&31), first>>7 > 0
	c.Instant(&s.Start)
	c.Instant(&s.End)
	c.Ref(&s.DepartmentID)
}

// Compare orders spans.
func (s Span) Compare(other Span) int {
	return cmp.Or(cmp.Compare(s.Start, other.Start), cmp.Compare(s.End, other.End), cmp.Compare(s.Kind, other.Kind),
		bytes.Compare(s.DepartmentID[:], other.DepartmentID[:]))
}

// A SpanKey is what spans are found by.
type SpanKey struct {
	AgentID uuid.UUID `db:"agent_id,key" doc:"The agent"`
	Week    Week      `db:"week,key" doc:"The week, as weeks of 7 days in UTC since 1970-01-01"`
}

// SpansTable is the table of spans.
var SpansTable = table.Table{Name: "agent_presence", Comment: "The spans in which agents worked and were available, packed by agent and week.", Row: SpanKey{}, Facts: new(Span)}

// A Slot is what an agent can be present for: work or a service, in one department or in any.
type Slot struct {
	Kind         Number        `json:"kind"`
	DepartmentID table.Ref     `json:"department_id"`
	Since        table.Instant `json:"since"`
}

// Compare orders slots.
func (s Slot) Compare(other Slot) int {
	return cmp.Or(cmp.Compare(s.Kind, other.Kind), bytes.Compare(s.DepartmentID[:], other.DepartmentID[:]))
}

// An OpenPresence is what an agent is present for from an event on, until a later one. It never changes.
type OpenPresence struct {
	Position table.Position            `db:"position,key" doc:"The event's position in the log"`
	AgentID  uuid.UUID                 `db:"agent_id" doc:"The agent"`
	Slots    table.List[Slot]          `db:"slots" doc:"What the agent is present for, and since when"`
	Sessions table.List[table.Instant] `db:"sessions" doc:"When the agent's sessions began"`
}

// OpenTable is the table of open presence.
var OpenTable = table.Table{Name: "agent_presence_open", Comment: "What each agent is present for after each change.", Row: OpenPresence{}, Indexes: []string{"agent_id, position"}}

// presence adds the times that agents worked and were available, each split at the edges of the buckets, and the anomalies. What has not
// ended lasts until the last event up to the cut-off was recorded.
func (t tally) presence(ctx context.Context, q table.Queryer, ask Query, buckets edges) error {
	agents, err := ask.agents(ctx, q, SpansTable)
	if err != nil {
		return err
	}
	within := table.Ref{}
	if ask.Department != nil {
		within = *ask.Department
	}
	var unpacker table.Unpacker[Span, *Span]
	for some := range slices.Chunk(agents, agentsAtOnce) {
		w := ask.packs(buckets, some)
		err := eachPack(ctx, q, SpansTable, w, func(agent table.Ref, pack []byte) error {
			spans, err := unpacker.Unpack(pack)
			if err != nil {
				return err
			}
			for _, s := range spans {
				if s.Position > ask.KnownAt {
					continue
				}
				sign := int64(1)
				if s.Fact.Gone {
					sign = -1
				}
				switch {
				case s.Fact.Kind == Odd.Number:
					if bucket := buckets.of(s.Fact.Start); bucket >= 0 {
						t.at(cell{bucket, agent}).n[Odd.Number] += int32(sign)
					}
				case s.Fact.DepartmentID == within:
					t.last(agent, s.Fact.Kind, sign, s.Fact.Start, s.Fact.End, buckets)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return t.stillPresent(ctx, q, ask, within, buckets)
}

// last adds the part of a span that lies in each bucket.
func (t tally) last(agent table.Ref, kind Number, sign int64, start, end table.Instant, buckets edges) {
	buckets.clip(start, end, func(bucket int, micros int64) { t.at(cell{bucket, agent}).micros[kind-Worked.Number] += sign * micros })
}

// stillPresent adds what had not ended at the cut-off.
func (t tally) stillPresent(ctx context.Context, q table.Queryer, ask Query, within table.Ref, buckets edges) error {
	var until table.Instant
	err := sqlx.GetContext(ctx, q, &until, "SELECT recorded_at FROM event_trail WHERE position <= $1 ORDER BY position DESC LIMIT 1", int64(ask.KnownAt))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading event_trail: %w", err)
	}
	w := table.Where{Args: []any{int64(ask.KnownAt)}}
	w.IsID("a.agent_id", (*uuid.UUID)(ask.Agent))
	var all []OpenPresence
	err = sqlx.SelectContext(ctx, q, &all, `SELECT o.* FROM agent_presence_now AS a JOIN agent_presence_open AS o
		ON o.position = (SELECT max(position) FROM agent_presence_open WHERE agent_id = a.agent_id AND position <= $1) WHERE `+w.String(), w.Args...)
	if err != nil {
		return fmt.Errorf("reading agent_presence_open: %w", err)
	}
	for _, open := range all {
		agent := table.Ref(open.AgentID)
		for _, slot := range open.Slots {
			if slot.DepartmentID == within {
				t.last(agent, slot.Kind, 1, slot.Since, until, buckets)
			}
		}
		for _, since := range open.Sessions {
			if until-since <= LongSession {
				continue
			}
			if bucket := buckets.lastWithin(since, until); bucket >= 0 {
				t.at(cell{bucket, agent}).n[Odd.Number]++
			}
		}
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
