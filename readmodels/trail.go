package readmodels

import "daybook/readmodels/table"

// A TrailEntry says where an event stands and who did it. The event itself is read from the log.
type TrailEntry struct {
	Position    Position      `db:"position,key" json:"position" doc:"Where the event stands in the log"`
	Stream      string        `db:"stream" json:"stream" doc:"What it happened to"`
	Revision    int64         `db:"revision" json:"revision" doc:"Its number in the stream"`
	Type        string        `db:"type" json:"type" doc:"Its type"`
	Actor       string        `db:"actor" json:"actor" doc:"Who did it"`
	Correlation string        `db:"correlation" json:"correlation" doc:"The conversation that it belongs to"`
	At          table.Instant `db:"at" json:"at" doc:"When it happened"`
	RecordedAt  table.Instant `db:"recorded_at" json:"recorded_at" doc:"When it was written down"`
}

// TrailTable is the table of the audit trail.
var TrailTable = table.Table{Name: "event_trail", Comment: "Where each event of the desk stands in the log, and who did it.", Row: TrailEntry{},
	Indexes: []string{"stream, position", "type, position", "actor, position", "recorded_at, position"}}
