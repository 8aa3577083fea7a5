package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// The facts about tickets. An event can have several, at most one of each kind.
var (
	Created       = Fact{"created", 0}
	Replied       = Fact{"answered", 1}
	Noted         = Fact{"noted", 2}
	Assigned      = Fact{"assigned", 3}
	Resolved      = Fact{"resolved", 4}
	Reopened      = Fact{"reopened", 5}
	TransferOut   = Fact{"transferred_out", 6}
	TransferIn    = Fact{"transferred_in", 7}
	FirstAnswered = Fact{"new_answer", 8}
	NextAnswered  = Fact{"next_answer", 9}
	FirstAssigned = Fact{"first_assign", 10}
	FirstResolved = Fact{"first_resolve", 11}
	TakenAway     = Fact{"taken_away", 14}
)

var ticketFacts = []Fact{
	Created, Replied, Noted, Assigned, Resolved, Reopened, TransferOut, TransferIn, FirstAnswered, NextAnswered, FirstAssigned, FirstResolved, TakenAway,
}

// The metrics about tickets.
var (
	CreatedTickets   = Metric{"created_tickets", OfTickets, Count, "the agent who opened the ticket; the row without an agent if a contact did", ticketSlices, "Tickets opened by the agent. Tickets opened by contacts are on the row without an agent.", Created}
	AssignedTickets  = Metric{"assigned_tickets", OfTickets, Count, "the assignee", ticketSlices, "Assignments to the agent, no matter who assigned.", Assigned}
	ResolvedTickets  = Metric{"resolved_tickets", OfTickets, Count, "the agent who resolved the ticket", ticketSlices, "Resolutions by the agent. A ticket that is resolved twice counts twice.", Resolved}
	ReopenedTickets  = Metric{"reopened", OfTickets, Count, "the agent who last resolved the ticket", ticketSlices, "Times that tickets were reopened which the agent had been the last to resolve.", Reopened}
	Answers          = Metric{"answers", OfTickets, Count, "the agent who replied", ticketSlices, "Replies by the agent.", Replied}
	Notes            = Metric{"notes", OfTickets, Count, "the agent who wrote the note", ticketSlices, "Notes by the agent.", Noted}
	TransfersOut     = Metric{"transfers_out", OfTickets, Count, "the agent who transferred or assigned the ticket", ticketSlices, "Transfers from one department to another by the agent, and tickets of one agent that the agent assigned to another.", TransferOut}
	TransfersIn      = Metric{"transfers_in", OfTickets, Count, "the assignee", ticketSlices, "Tickets of another agent that were assigned to this one.", TransferIn}
	TicketsTakenAway = Metric{"taken_away", OfTickets, Count, "the agent who had the ticket before", ticketSlices, "Tickets of the agent that somebody else assigned to another agent.", TakenAway}
	NewAnswerTime    = Metric{"new_answer_time", OfTickets, Duration, "the agent who replied", ticketSlices, "Time from opening to the first reply by an agent, credited to the agent who replied. None if the ticket was resolved, closed or marked as spam first.", FirstAnswered}
	NextAnswerTime   = Metric{"next_answer_time", OfTickets, Duration, "the agent who replied", ticketSlices, "Time from the moment a ticket became open to the reply while it was open, credited to the agent who replied.", NextAnswered}
	FirstAssignTime  = Metric{"first_assign_time", OfTickets, Duration, "the assignee", ticketSlices, "Time from opening to the first assignment, credited to the assignee.", FirstAssigned}
	FirstResolveTime = Metric{"first_resolve_time", OfTickets, Duration, "the agent who resolved the ticket", ticketSlices, "Time from opening to the first resolution, credited to the agent who resolved. Reopening does not change it.", FirstResolved}
	AnswersPerHour   = Metric{"answers_ph", OfTickets, Rate, "the agent who replied", presenceSlices, "Answers per hour of worktime; null without worktime.", Replied}
	ResolvedPerHour  = Metric{"resolved_tickets_ph", OfTickets, Rate, "the agent who resolved the ticket", presenceSlices, "Resolutions per hour of worktime; null without worktime.", Resolved}
)

// An Activity is a fact about a ticket: what an agent did, at a time, and how long it took.
type Activity struct {
	At      table.Instant         // when it happened
	Fact    Number                // the kind of fact
	Sign    Sign                  // whether it counts, or no longer does
	Micros  int64                 // how long it took, in microseconds; 0 if it is only counted
	Channel ticket.Channel        // the ticket's
	Tags    table.List[uuid.UUID] // the ticket's at that time
	Anomaly bool                  // it ended before it began because clocks disagree; it counts as 0
}

// A Sign says what a fact does to a sum. When a ticket becomes spam or is deleted, each of its facts is learnt again with its own time, as
// Retracted, and when it comes back, as Reinstated. So the sum of what was learnt up to a position is what was known there, for ever.
type Sign byte

// The signs.
const (
	Plain Sign = iota
	Retracted
	Reinstated
)

var signs = []string{"plain", "retracted", "reinstated"}

// MarshalText returns what the sign is called.
func (s Sign) MarshalText() ([]byte, error) {
	if int(s) >= len(signs) {
		return nil, fmt.Errorf("there is no sign %d", s)
	}
	return []byte(signs[s]), nil
}

// times is how often the fact counts: once, or once less if it no longer does.
func (a *Activity) times() int64 {
	if a.Sign == Retracted {
		return -1
	}
	return 1
}

// Code implements table.Fact. The first byte is the kind of fact, with the sign and the anomaly in its upper bits.
func (a *Activity) Code(c *table.Coder) {
	first := byte(a.Fact) | byte(a.Sign)<<5
	if a.Anomaly {
		first |= 1 << 7
	}
	c.Byte(&first)
	a.Fact, a.Sign, a.Anomaly = Number(first&31), Sign(first>>5&3), first>>7 > 0
	c.Instant(&a.At)
	if measured(a.Fact) {
		c.Number(&a.Micros)
	}
	table.Word(c, &a.Channel)
	c.IDs(&a.Tags)
}

// measured reports whether facts of a kind say how long something took.
func measured(n Number) bool { return n >= FirstAnswered.Number && n <= FirstResolved.Number }

// An ActivityKey is what the facts about tickets are found by.
type ActivityKey struct {
	AgentID      table.Ref `db:"agent_id,key" doc:"The agent that the facts are credited to; the nil id if none"`
	Week         Week      `db:"week,key" doc:"The week in which they happened, as weeks of 7 days in UTC since 1970-01-01"`
	DepartmentID table.Ref `db:"department_id,key" doc:"The ticket's department at that time; the nil id if none"`
}

// ActivityTable is the table of the facts about tickets.
var ActivityTable = table.Table{Name: "agent_activity", Comment: "The facts from which agent reports are computed, packed by agent, week and department.",
	Row: ActivityKey{}, Facts: new(Activity)}

// A PostedKey is the ticket that facts are about.
type PostedKey struct {
	TicketID uuid.UUID `db:"ticket_id,key" doc:"The ticket"`
}

// A Posted is a fact that a ticket has posted to agent_activity.
type Posted struct {
	Activity
	AgentID, DepartmentID table.Ref
}

// Code implements table.Fact.
func (p *Posted) Code(c *table.Coder) {
	p.Activity.Code(c)
	c.Ref(&p.AgentID)
	c.Ref(&p.DepartmentID)
}

// Key is what the fact is found by in agent_activity.
func (p *Posted) Key() ActivityKey {
	return ActivityKey{AgentID: p.AgentID, Week: WeekOf(p.At), DepartmentID: p.DepartmentID}
}

// PostedTable is the table of what each ticket has posted.
var PostedTable = table.Table{Name: "ticket_posted", Comment: "The facts that each ticket has posted to agent_activity, packed; they are read when it becomes spam or is deleted, and when it comes back.",
	Row: PostedKey{}, Facts: new(Posted)}

// A Day is a day in UTC, as days since 1970.
type Day int64

const dayLength = int64(24 * time.Hour / time.Microsecond)

// DayOf returns the day of an instant.
func DayOf(at table.Instant) Day {
	d := at.Stored() / dayLength
	if at.Stored()%dayLength < 0 {
		d--
	}
	return Day(d)
}

// Start returns the first instant of the day.
func (d Day) Start() table.Instant { return table.At(time.UnixMicro(int64(d) * dayLength)) }

// End returns the first instant of the next day.
func (d Day) End() table.Instant { return (d + 1).Start() }

// A Week is 7 days in UTC, as weeks since 1970-01-01, which was a Thursday. Facts are packed by it: an agent has some hundreds of them in
// a week, so that a pack is neither dear to find nor to change.
type Week int64

// WeekOf returns the week of an instant.
func WeekOf(at table.Instant) Week {
	d := DayOf(at)
	if d < 0 {
		d -= 6
	}
	return Week(d / 7)
}

// agentsAtOnce is of how many agents the facts are in memory together.
const agentsAtOnce = 32

// activity adds the figures of some agents' facts about tickets.
func (t tally) activity(ctx context.Context, q table.Queryer, ask Query, buckets edges, agents []table.Ref) error {
	some := make(tally)
	var unpacker table.Unpacker[Activity, *Activity]
	w := ask.packs(buckets, agents)
	w.IsID("department_id", (*uuid.UUID)(ask.Department))
	err := eachPack(ctx, q, ActivityTable, w, func(agent table.Ref, pack []byte) error {
		facts, err := unpacker.Unpack(pack)
		if err != nil {
			return err
		}
		bucket := -1
		var in *figures
		for i := range facts {
			a := &facts[i].Fact
			if facts[i].Position > ask.KnownAt || !ask.wants(a) {
				continue
			}
			if bucket < 0 || !buckets.in(bucket, a.At) {
				if bucket = buckets.of(a.At); bucket < 0 {
					continue
				}
				in = some.at(cell{bucket, agent})
			}
			in.add(a)
		}
		return nil
	})
	for c, f := range some {
		f.settle()
		all := t.at(c)
		f.n[Odd.Number] += all.n[Odd.Number]
		all.n, all.sample = f.n, f.sample
	}
	return err
}

// wants reports whether a fact is of those that are asked for.
func (ask Query) wants(a *Activity) bool {
	return (a.Sign == Plain || !ask.Excluded) && (ask.Channel == "" || a.Channel == ask.Channel) && ask.tagged(a.Tags)
}

// tagged reports whether tags are of those that are asked for.
func (ask Query) tagged(tags table.List[uuid.UUID]) bool {
	switch {
	case ask.Tag == nil:
		return true
	case *ask.Tag == table.Ref{}:
		return len(tags) == 0
	}
	return slices.Contains(tags, uuid.UUID(*ask.Tag))
}
