package readmodels

import (
	"context"

	"daybook/readmodels/table"
)

// A TrailEntry locates an event in the log and names its actor. The event itself is read from the log.
type TrailEntry struct {
	Position    table.Position `db:"position,key" json:"position" doc:"The event's position in the log"`
	Stream      string         `db:"stream" json:"stream" doc:"The stream that the event belongs to"`
	Revision    int64          `db:"revision" json:"revision" doc:"The event's revision in its stream"`
	Type        string         `db:"type" json:"type" doc:"The type of the event"`
	Actor       string         `db:"actor" json:"actor" doc:"Who did it"`
	Correlation string         `db:"correlation" json:"correlation" doc:"The correlation id, which related events share"`
	At          table.Instant  `db:"at" json:"at" doc:"When it happened"`
	RecordedAt  table.Instant  `db:"recorded_at" json:"recorded_at" doc:"When it was recorded in the log"`
}

// TrailTable is the table of the audit trail.
var TrailTable = table.Table{Name: "event_trail", Comment: "The audit trail: the position of each event in the log, and who caused it.", Row: TrailEntry{}, At: "position",
	Indexes: []string{"stream, position", "type, position", "actor, position", "correlation, position", "at, position", "recorded_at, position"}}

// A TrailFilter selects events. Empty fields select all.
type TrailFilter struct {
	Stream      string
	Type        string
	Actor       string
	Correlation string
	From, To    table.Instant // happened in [From, To)
	After       table.Position
}

// FindEvents lists the positions of events, in log order.
func FindEvents(ctx context.Context, q table.Queryer, f TrailFilter, p table.Page) (table.Found[TrailEntry], error) {
	ask := table.Ask(TrailTable)
	ask.Is("stream", f.Stream)
	ask.Is("type", f.Type)
	ask.Is("actor", f.Actor)
	ask.Is("correlation", f.Correlation)
	ask.During("at", f.From, f.To)
	ask.After("position", f.After)
	return table.Find[TrailEntry](ctx, q, ask, p, "position")
}
