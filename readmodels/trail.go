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
var TrailTable = table.Table{Name: "event_trail", Comment: "The audit trail: the position of each event in the log, and who caused it.", Row: TrailEntry{},
	Indexes: []string{"stream, position", "type, position", "actor, position", "recorded_at, position"}}

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
	var w table.Where
	w.Is("stream", f.Stream)
	w.Is("type", f.Type)
	w.Is("actor", f.Actor)
	w.Is("correlation", f.Correlation)
	w.During("at", f.From, f.To)
	if f.After > 0 {
		w.And("position > %s", int64(f.After))
	}
	return table.Find[TrailEntry](ctx, q, TrailTable, w, p, "position")
}
