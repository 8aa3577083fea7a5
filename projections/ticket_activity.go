package projections

import (
	"github.com/google/uuid"

	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// postActivity posts what agents do with tickets. Each fact is credited to the agent who acted, with the ticket's department and tags at that
// time. docs/metrics.md defines the metrics.
func postActivity(l *engine.Ledger, days *daily) func(*engine.Recorded, ticket.Event) {
	clocks := engine.NewTable[uuid.UUID, readmodels.TicketClock](l, readmodels.TicketClocksTable)
	b := book{
		facts:  engine.NewPacked[report.ActivityKey, report.Activity](l, report.ActivityTable),
		posted: engine.NewPacked[report.PostedKey, report.Posted](l, report.PostedTable),
		days:   days,
	}
	return func(e *engine.Recorded, ev ticket.Event) {
		if opened, is := ev.(ticket.Opened); is {
			clock := readmodels.TicketClock{
				ID: e.ID, OpenedAt: e.At, Channel: opened.Channel, DepartmentID: table.Ref(opened.Department), Status: ticket.StatusNew,
			}
			clocks.Insert(clock)
			entry{b, e, &clock}.count(report.Created, actor(e))
			return
		}
		clocks.Update(e.ID, func(c *readmodels.TicketClock) { entry{b, e, c}.tick(ev) })
	}
}

// A book has the facts about tickets, and for each ticket those that it has posted there, in case they must be retracted.
type book struct {
	facts  *engine.Packed[report.ActivityKey, report.Activity, *report.Activity]
	posted *engine.Packed[report.PostedKey, report.Posted, *report.Posted]
	days   *daily
}

// insert inserts a fact, and adds it to the agent's day.
func (b book) insert(key report.ActivityKey, seq int64, f report.Activity) {
	b.facts.Insert(key, seq, f)
	day, _ := b.days.calendar.Day(f.At)
	b.days.rows.Of(report.DayKey{AgentID: key.AgentID, DepartmentID: key.DepartmentID, Day: day}).Note(&f)
}

// An entry is what an event of a ticket posts.
type entry struct {
	book
	*engine.Recorded
	clock *readmodels.TicketClock
}

// tick updates the ticket's clock and posts the facts of the event.
func (e entry) tick(ev ticket.Event) {
	c, who := e.clock, actor(e.Recorded)
	before := c.Status
	stand(&c.Status, &c.PostponedFrom, &c.SpamFrom, &c.DeletedFrom, ev)
	switch ev := ev.(type) {
	case ticket.Replied:
		if who == (table.Ref{}) { // only agents' replies count
			break
		}
		e.count(report.Replied, who)
		if !c.NewAnswerOver {
			e.measure(report.FirstAnswered, who, c.OpenedAt)
			c.NewAnswerOver = true
		}
		if before == ticket.StatusOpen && c.WaitingSince != 0 {
			e.measure(report.NextAnswered, who, c.WaitingSince)
		}
	case ticket.Noted:
		if who != (table.Ref{}) {
			e.count(report.Noted, who)
		}
	case ticket.Assigned:
		assignee := table.Ref(ev.Agent)
		if c.AgentID != (table.Ref{}) {
			e.count(report.TransferOut, who)
			e.count(report.TransferIn, assignee)
			if who != c.AgentID {
				e.count(report.TakenAway, c.AgentID)
			}
		}
		e.count(report.Assigned, assignee)
		if !c.Assigned {
			e.measure(report.FirstAssigned, assignee, c.OpenedAt)
		}
		c.AgentID, c.Assigned = assignee, true
	case ticket.Unassigned:
		c.AgentID = table.Ref{}
	case ticket.Transferred:
		if ev.Cause == ticket.ByDeletion {
			who = table.Ref{}
		}
		if c.DepartmentID != (table.Ref{}) { // a first department is no transfer
			e.count(report.TransferOut, who)
		}
		c.DepartmentID = table.Ref(ev.Department)
	case ticket.Tagged:
		c.Tags = with(c.Tags, ev.Tag)
	case ticket.Untagged:
		c.Tags = without(c.Tags, ev.Tag)
	case ticket.Resolved:
		e.count(report.Resolved, who)
		if !c.Resolved {
			e.measure(report.FirstResolved, who, c.OpenedAt)
		}
		c.ResolverID, c.Resolved = who, true
	case ticket.Reopened:
		e.count(report.Reopened, c.ResolverID)
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
	if is, was := excluded(c.Status), excluded(before); is || was {
		e.correct(is, was)
	}
}

// correct retracts what the ticket has posted if it is excluded now, and reinstates it if it no longer is. What it posts while it is
// excluded is retracted at once.
func (e entry) correct(is, was bool) {
	sign := report.Retracted
	if !is {
		sign = report.Reinstated
	}
	for i, p := range e.posted.Of(report.PostedKey{TicketID: e.ID}) {
		if is == was && p.Position < table.Position(e.Position) || !is && p.Position == table.Position(e.Position) {
			continue // retracted already, or never
		}
		again := p.Fact.Activity
		again.Sign = sign
		e.insert(p.Fact.Key(), corrections+int64(i), again)
	}
}

// corrections is the number of the first fact that corrects others, after those of all kinds.
const corrections = 32

// excluded reports whether reports leave out tickets of a status by default.
func excluded(s ticket.Status) bool { return s == ticket.StatusSpam || s == ticket.StatusDeleted }

// actor is the agent who caused the event, or none.
func actor(e *engine.Recorded) table.Ref { return table.Ref(e.Meta.Actor.AgentID()) }

// count posts a fact that is counted.
func (e entry) count(kind report.Fact, agent table.Ref) { e.post(kind, agent, e.fact(kind)) }

// measure posts a fact with the time from since until the event.
func (e entry) measure(kind report.Fact, agent table.Ref, since table.Instant) {
	f := e.fact(kind)
	if f.Micros = int64(e.At - since); f.Micros < 0 {
		f.Micros, f.Anomaly = 0, true
	}
	e.post(kind, agent, f)
}

func (e entry) fact(kind report.Fact) report.Activity {
	return report.Activity{At: e.At, Fact: kind.Number, Channel: e.clock.Channel, Tags: e.clock.Tags}
}

func (e entry) post(kind report.Fact, agent table.Ref, f report.Activity) {
	p := report.Posted{Activity: f, AgentID: agent, DepartmentID: e.clock.DepartmentID}
	e.insert(p.Key(), int64(kind.Number), f)
	e.posted.Insert(report.PostedKey{TicketID: e.ID}, int64(kind.Number), p)
}
