package report

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

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
	Position     table.Position        `db:"position,key" json:"position" doc:"Where its event stands in the log"`
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

// The tables of the agent reports.
var (
	ActivityTable = table.Table{Name: "agent_activity", Comment: "The facts that agent reports are made of.", Row: Activity{},
		Indexes: []string{"at, agent_id", "ticket_id, position"}}
)

// count adds the facts.
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
	rows, err := q.QueryxContext(ctx, "SELECT at, agent_id, metric, seconds, ticket_id FROM agent_activity WHERE "+w.String(), w.Args...)
	if err != nil {
		return fmt.Errorf("reading agent_activity: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var at table.Instant
		var agentID table.Ref
		var metric Metric
		var seconds float64
		var ticketID string
		if err := rows.Scan(&at, &agentID, &metric, &seconds, &ticketID); err != nil {
			return fmt.Errorf("reading agent_activity: %w", err)
		}
		if metric != Excluded && metric != Included && !excluded[ticketID] {
			t.add(place{buckets.Of(at.Time()), agentID}, metric, seconds)
		}
	}
	return rows.Err()
}

// excludedTickets are those that were spam or deleted when the log ended.
func excludedTickets(ctx context.Context, q table.Queryer, ask Query) (map[string]bool, error) {
	if ask.Excluded {
		return nil, nil
	}
	var changes []struct {
		TicketID string `db:"ticket_id"`
		Metric   Metric `db:"metric"`
	}
	err := sqlx.SelectContext(ctx, q, &changes,
		"SELECT ticket_id, metric FROM agent_activity WHERE metric IN ($1, $2) AND position <= $3 ORDER BY position", string(Excluded), string(Included), int64(ask.KnownAt))
	excluded := make(map[string]bool, len(changes))
	for _, c := range changes {
		excluded[c.TicketID] = c.Metric == Excluded
	}
	return excluded, err
}
