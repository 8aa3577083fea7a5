package report

import (
	"fmt"
	"time"

	"daybook/readmodels/table"
)

// A DayKey is what a row of agent_days is found by.
type DayKey struct {
	AgentID      table.Ref  `db:"agent_id,key" doc:"The agent; the nil id for what no agent did"`
	DepartmentID table.Ref  `db:"department_id,key" doc:"The department of the tickets at that time; the nil id if they had none. Presence in the desk as a whole is in the row of the nil id, too"`
	Day          table.Date `db:"day,key" doc:"The day, in the time zone that serve --zone names"`
}

// An AgentDay is what an agent did on a day within a department: the figures of the agent report by day, for dashboards that read SQL.
type AgentDay struct {
	DayKey
	Created           int64         `db:"created_tickets" doc:"Tickets opened by the agent; without an agent, by contacts"`
	Assigned          int64         `db:"assigned_tickets" doc:"Assignments to the agent"`
	Resolved          int64         `db:"resolved_tickets" doc:"Resolutions by the agent"`
	Reopened          int64         `db:"reopened" doc:"Times that tickets were reopened which the agent had been the last to resolve"`
	Answers           int64         `db:"answers" doc:"Replies by the agent"`
	Notes             int64         `db:"notes" doc:"Notes by the agent"`
	TransfersOut      int64         `db:"transfers_out" doc:"Transfers to another department by the agent, and tickets of one agent that the agent assigned to another"`
	TransfersIn       int64         `db:"transfers_in" doc:"Tickets of another agent that were assigned to this one"`
	TakenAway         int64         `db:"taken_away" doc:"Tickets of the agent that somebody else assigned to another agent"`
	NewAnswerTime     table.Seconds `db:"new_answer_time" doc:"Seconds from opening to the first reply by an agent, in all; the average of any rows is sum(new_answer_time) / nullif(sum(new_answer_time_n), 0)"`
	NewAnswerTimeN    int64         `db:"new_answer_time_n" doc:"How many first replies new_answer_time adds up"`
	NextAnswerTime    table.Seconds `db:"next_answer_time" doc:"Seconds from the moment a ticket became open to the reply, in all"`
	NextAnswerTimeN   int64         `db:"next_answer_time_n" doc:"How many replies next_answer_time adds up"`
	FirstAssignTime   table.Seconds `db:"first_assign_time" doc:"Seconds from opening to the first assignment, in all"`
	FirstAssignTimeN  int64         `db:"first_assign_time_n" doc:"How many assignments first_assign_time adds up"`
	FirstResolveTime  table.Seconds `db:"first_resolve_time" doc:"Seconds from opening to the first resolution, in all"`
	FirstResolveTimeN int64         `db:"first_resolve_time_n" doc:"How many resolutions first_resolve_time adds up"`
	Worktime          table.Seconds `db:"worktime" doc:"Seconds signed in and not on a break, as a member of the department; in the row without a department, in all. What has not ended is not in it yet. Add up over days and agents, not over departments: an agent can work for several at once"`
	OnlineTimeTickets table.Seconds `db:"online_time_tickets" doc:"Seconds of worktime with tickets switched on in the department; in the row without one, in at least one. Added up as worktime"`
	OnlineTimeChats   table.Seconds `db:"online_time_chats" doc:"Seconds of worktime with chats switched on in the department; in the row without one, in at least one. Added up as worktime"`
	OnlineTimeCalls   table.Seconds `db:"online_time_calls" doc:"Seconds of worktime with calls switched on in the department; in the row without one, in at least one. Added up as worktime"`
	Anomalies         int64         `db:"anomalies" doc:"How often something was recorded that cannot be or hardly so, such as a sign-out without a session"`
}

// DaysTable is the table of agents' days.
var DaysTable = table.Table{Name: "agent_days", Comment: "What each agent did on each day within each department: the agent report by day as rows, without tickets that are spam or deleted. Rows in which all is zero are left out.",
	Row: AgentDay{}, Indexes: []string{"day"}}

// Note adds what a fact about a ticket counts.
func (d *AgentDay) Note(a *Activity) {
	if a.Anomaly {
		d.Anomalies += a.times()
	}
	n, took := d.of(a.Fact)
	*n += a.times()
	if took != nil {
		*took += table.Seconds(a.times() * a.Micros)
	}
}

// of returns where facts of a kind are counted, and how long they took in all, if they are measured.
func (d *AgentDay) of(kind Number) (n *int64, took *table.Seconds) {
	switch kind {
	case Created.Number:
		return &d.Created, nil
	case Assigned.Number:
		return &d.Assigned, nil
	case Resolved.Number:
		return &d.Resolved, nil
	case Reopened.Number:
		return &d.Reopened, nil
	case Replied.Number:
		return &d.Answers, nil
	case Noted.Number:
		return &d.Notes, nil
	case TransferOut.Number:
		return &d.TransfersOut, nil
	case TransferIn.Number:
		return &d.TransfersIn, nil
	case TakenAway.Number:
		return &d.TakenAway, nil
	case FirstAnswered.Number:
		return &d.NewAnswerTimeN, &d.NewAnswerTime
	case NextAnswered.Number:
		return &d.NextAnswerTimeN, &d.NextAnswerTime
	case FirstAssigned.Number:
		return &d.FirstAssignTimeN, &d.FirstAssignTime
	case FirstResolved.Number:
		return &d.FirstResolveTimeN, &d.FirstResolveTime
	}
	panic(fmt.Sprintf("agent_days has no column for facts of the kind %d", kind))
}

// Last adds a length of time for which an agent was present.
func (d *AgentDay) Last(kind Number, time table.Seconds) {
	switch kind {
	case Worked.Number:
		d.Worktime += time
	case TicketsServed.Number:
		d.OnlineTimeTickets += time
	case ChatsServed.Number:
		d.OnlineTimeChats += time
	case CallsServed.Number:
		d.OnlineTimeCalls += time
	}
}

// A Calendar tells on which day of a time zone an instant lies. The days are those of reports; see MakeBuckets. One goroutine uses it.
type Calendar struct {
	zone       *time.Location
	day        table.Date // the last one that was asked for
	start, end table.Instant
}

// CalendarOf returns the calendar of a zone.
func CalendarOf(zone *time.Location) *Calendar { return &Calendar{zone: zone} }

// Day returns the day of an instant, and where it ends.
func (c *Calendar) Day(at table.Instant) (day table.Date, end table.Instant) {
	if c.start <= at && at < c.end {
		return c.day, c.end
	}
	// What the clocks show can be the day before, where they were set back past midnight.
	for c.day = table.DateOf(at.Time().In(c.zone)); ; c.day++ {
		c.start, c.end = c.midnight(c.day), c.midnight(c.day+1)
		if at < c.end {
			return c.day, c.end
		}
	}
}

func (c *Calendar) midnight(day table.Date) table.Instant {
	return table.At(dayStart(day.Midnight(), c.zone))
}
