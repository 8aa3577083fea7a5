package readmodels

import (
	"context"

	"daybook/readmodels/table"
)

// A TrailEntry says where an event stands and who did it. The event itself is read from the log.
type TrailEntry struct {
	Position    table.Position `db:"position,key" json:"position" doc:"Where the event stands in the log"`
	Stream      string         `db:"stream" json:"stream" doc:"What it happened to"`
	Revision    int64          `db:"revision" json:"revision" doc:"Its number in the stream"`
	Type        string         `db:"type" json:"type" doc:"Its type"`
	Actor       string         `db:"actor" json:"actor" doc:"Who did it"`
	Correlation string         `db:"correlation" json:"correlation" doc:"The conversation that it belongs to"`
	At          table.Instant  `db:"at" json:"at" doc:"When it happened"`
	RecordedAt  table.Instant  `db:"recorded_at" json:"recorded_at" doc:"When it was written down"`
}

// TrailTable is the table of the audit trail.
var TrailTable = table.Table{Name: "event_trail", Comment: "Where each event of the desk stands in the log, and who did it.", Row: TrailEntry{},
	Indexes: []string{"stream, position", "type, position", "actor, position", "recorded_at, position"}}

// A TrailFilter says which events are wanted; what is empty is not asked for.
type TrailFilter struct {
	Stream      string
	Type        string
	Actor       string
	Correlation string
	From, To    table.Instant // happened in [From, To)
	After       table.Position
}

// FindEvents lists where events stand, in the order of the log.
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
	return table.Find(ctx, q, TrailTable, w, p, []string{"position"}, func(e TrailEntry, _ string) (any, any) { return int64(e.Position), int64(e.Position) })
}
