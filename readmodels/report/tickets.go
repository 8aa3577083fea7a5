package report

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

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

	TakenAway = Fact{"taken_away", 14}

	// Excluded and Included: a ticket became, or stopped being, spam or deleted. No metric counts them.
	Excluded = Fact{"excluded", 12}
	Included = Fact{"included", 13}
)

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

// An Activity is a fact about a ticket. It never changes.
type Activity struct {
	Position     table.Position        `db:"position,key" json:"position" doc:"The event's position in the log"`
	Seq          int64                 `db:"seq,key" json:"seq" doc:"The number of the kind of fact, unique among the facts of an event"`
	At           table.Instant         `db:"at" json:"at" doc:"When it happened"`
	AgentID      table.Ref             `db:"agent_id" json:"agent_id" doc:"The agent it is credited to, or null"`
	Fact         string                `db:"fact" json:"fact" doc:"The kind of fact: created, answered, new_answer …; docs/metrics.md defines the metrics computed from it"`
	Seconds      float64               `db:"seconds" json:"seconds" doc:"How long it took, in seconds; 0 if it is only counted"`
	TicketID     uuid.UUID             `db:"ticket_id" json:"ticket_id" doc:"The ticket"`
	Channel      ticket.Channel        `db:"channel" json:"channel" doc:"The ticket's channel"`
	DepartmentID table.Ref             `db:"department_id" json:"department_id" doc:"The ticket's department at that time, or null"`
	Tags         table.List[uuid.UUID] `db:"tags" json:"tags" doc:"The ticket's tags at that time"`
	Anomaly      bool                  `db:"anomaly" json:"anomaly" doc:"Whether it ended before it began because clocks disagree; it counts as 0 seconds"`
}

// ActivityTable is the table of the facts about tickets.
var ActivityTable = table.Table{Name: "agent_activity", Comment: "The facts from which agent reports are computed.", Row: Activity{},
	Indexes: []string{"at, agent_id", "ticket_id, position"}}

// count adds the facts about tickets.
func (t tally) count(ctx context.Context, q table.Queryer, ask Query, buckets Buckets) error {
	excluded, err := excludedTickets(ctx, q, ask)
	if err != nil {
		return err
	}
	var w table.Where
	w.During("at", table.At(buckets[0].Start), table.At(buckets[len(buckets)-1].End))
	w.And("position <= %s", int64(ask.KnownAt))
	w.IsID("agent_id", ask.Agent)
	w.IsID("department_id", ask.Department)
	w.Is("channel", string(ask.Channel))
	w.Lists("tags", ask.Tag)
	rows, err := q.QueryxContext(ctx, "SELECT at, agent_id, fact, seconds, ticket_id FROM agent_activity WHERE "+w.String(), w.Args...)
	if err != nil {
		return fmt.Errorf("reading agent_activity: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var at table.Instant
		var agentID table.Ref
		var fact string
		var seconds float64
		var ticketID string
		if err := rows.Scan(&at, &agentID, &fact, &seconds, &ticketID); err != nil {
			return fmt.Errorf("reading agent_activity: %w", err)
		}
		if fact != Excluded.Name && fact != Included.Name && !excluded[ticketID] {
			t.add(cell{buckets.Of(at.Time()), agentID}, fact, seconds)
		}
	}
	return rows.Err()
}

// excludedTickets returns the tickets that are spam or deleted at the cut-off.
func excludedTickets(ctx context.Context, q table.Queryer, ask Query) (map[string]bool, error) {
	if ask.Excluded {
		return nil, nil
	}
	var changes []struct {
		TicketID string `db:"ticket_id"`
		Fact     string `db:"fact"`
	}
	err := sqlx.SelectContext(ctx, q, &changes,
		"SELECT ticket_id, fact FROM agent_activity WHERE fact IN ($1, $2) AND position <= $3 ORDER BY position", Excluded.Name, Included.Name, int64(ask.KnownAt))
	excluded := make(map[string]bool, len(changes))
	for _, c := range changes {
		excluded[c.TicketID] = c.Fact == Excluded.Name
	}
	return excluded, err
}
