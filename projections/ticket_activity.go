package projections

import (
	"github.com/google/uuid"

	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// AgentActivity maintains agent_activity: the facts that agent reports are computed from. Each is credited to the agent who acted,
// with the ticket's department and tags at that time. docs/metrics.md defines the metrics.
var AgentActivity = engine.Projection{Name: "agent_activity", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	clocks := engine.NewTable[uuid.UUID, readmodels.TicketClock](l, readmodels.TicketClocksTable)
	facts := engine.NewFacts[report.Activity](l, report.ActivityTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case ticket.Opened:
			clock := readmodels.TicketClock{
				ID: e.ID, OpenedAt: e.At, Channel: ev.Channel, DepartmentID: table.Ref(ev.Department), Status: ticket.StatusNew,
			}
			clocks.Insert(clock)
			count(facts, e, &clock, report.Created, actor(e))
		case ticket.Event:
			clocks.Update(e.ID, func(c *readmodels.TicketClock) { tick(facts, e, c, ev) })
		}
	}
}}

// tick updates a ticket's clock and inserts the facts of an event.
func tick(facts *engine.Facts[report.Activity], e *engine.Recorded, c *readmodels.TicketClock, ev ticket.Event) {
	before := c.Status
	stand(&c.Status, &c.PostponedFrom, &c.SpamFrom, &c.DeletedFrom, ev)
	switch ev := ev.(type) {
	case ticket.Replied:
		if actor(e) == (table.Ref{}) { // only agents' replies count
			break
		}
		count(facts, e, c, report.Replied, actor(e))
		if !c.NewAnswerOver {
			measure(facts, e, c, report.FirstAnswered, actor(e), c.OpenedAt)
			c.NewAnswerOver = true
		}
		if before == ticket.StatusOpen && c.WaitingSince != 0 {
			measure(facts, e, c, report.NextAnswered, actor(e), c.WaitingSince)
		}
	case ticket.Noted:
		if actor(e) != (table.Ref{}) {
			count(facts, e, c, report.Noted, actor(e))
		}
	case ticket.Assigned:
		assignee := table.Ref(ev.Agent)
		if c.AgentID != (table.Ref{}) {
			count(facts, e, c, report.TransferOut, actor(e))
			count(facts, e, c, report.TransferIn, assignee)
			if actor(e) != c.AgentID {
				count(facts, e, c, report.TakenAway, c.AgentID)
			}
		}
		count(facts, e, c, report.Assigned, assignee)
		if !c.Assigned {
			measure(facts, e, c, report.FirstAssigned, assignee, c.OpenedAt)
		}
		c.AgentID, c.Assigned = assignee, true
	case ticket.Unassigned:
		c.AgentID = table.Ref{}
	case ticket.Transferred:
		who := actor(e)
		if ev.Cause == ticket.ByDeletion {
			who = table.Ref{}
		}
		if c.DepartmentID != (table.Ref{}) { // a first department is no transfer
			count(facts, e, c, report.TransferOut, who)
		}
		c.DepartmentID = table.Ref(ev.Department)
	case ticket.Tagged:
		c.Tags = with(c.Tags, ev.Tag)
	case ticket.Untagged:
		c.Tags = without(c.Tags, ev.Tag)
	case ticket.Resolved:
		count(facts, e, c, report.Resolved, actor(e))
		if !c.Resolved {
			measure(facts, e, c, report.FirstResolved, actor(e), c.OpenedAt)
		}
		c.ResolverID, c.Resolved = actor(e), true
	case ticket.Reopened:
		count(facts, e, c, report.Reopened, c.ResolverID)
	}
	switch c.Status {
	case ticket.StatusResolved, ticket.StatusClosed, ticket.StatusSpam:
		c.NewAnswerOver = true
	}
	switch {
	case c.Status != ticket.StatusOpen:
		c.WaitingSince = 0
	case before != ticket.StatusOpen:
		c.WaitingSince = e.At
	}
	switch is, was := excluded(c.Status), excluded(before); {
	case is && !was:
		count(facts, e, c, report.Excluded, table.Ref{})
	case was && !is:
		count(facts, e, c, report.Included, table.Ref{})
	}
}

// excluded reports whether reports leave out tickets of a status by default.
func excluded(s ticket.Status) bool { return s == ticket.StatusSpam || s == ticket.StatusDeleted }

// actor is the agent who caused the event, or none.
func actor(e *engine.Recorded) table.Ref { return table.Ref(e.Meta.Actor.AgentID()) }

// count inserts a fact that is counted.
func count(facts *engine.Facts[report.Activity], e *engine.Recorded, c *readmodels.TicketClock, kind report.Fact, agent table.Ref) {
	facts.Insert(factOf(e, c, kind, agent))
}

// measure inserts a fact with the seconds from since until the event.
func measure(facts *engine.Facts[report.Activity], e *engine.Recorded, c *readmodels.TicketClock, kind report.Fact, agent table.Ref, since table.Instant) {
	f := factOf(e, c, kind, agent)
	f.Seconds = e.At.Time().Sub(since.Time()).Seconds()
	if f.Seconds < 0 {
		f.Seconds, f.Anomaly = 0, true
	}
	facts.Insert(f)
}

func factOf(e *engine.Recorded, c *readmodels.TicketClock, kind report.Fact, agent table.Ref) report.Activity {
	return report.Activity{
		Position: table.Position(e.Position), Seq: kind.Number, At: e.At, AgentID: agent, Fact: kind.Name,
		TicketID: c.ID, Channel: c.Channel, DepartmentID: c.DepartmentID, Tags: c.Tags,
	}
}
