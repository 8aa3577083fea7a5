package projections

import (
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/desk"
	"daybook/domain/group"
	"daybook/domain/operation"
	"daybook/domain/reservation"
	"daybook/domain/tag"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Trail maintains event_trail, from which the audit trail is queried: each event's position and actor. It leaves out Daybook's own
// events (claims of names, the list of owners, the results of journal lines): they are not part of what happened on the desk, and
// depend on how it was recorded.
var Trail = engine.Projection{Name: "event_trail", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	entries := engine.NewFacts[readmodels.TrailEntry](l, readmodels.TrailTable)
	return func(e *engine.Recorded) {
		switch e.Event.(type) {
		case reservation.Event, operation.Event, desk.OwnersEvent, desk.ImportEvent, agent.ClaimLapsed, contact.ClaimLapsed, group.ClaimLapsed, tag.ClaimLapsed:
			return
		}
		entries.Insert(readmodels.TrailEntry{
			Position: table.Position(e.Position), Stream: e.Stream, Revision: int64(e.Revision), Type: e.Event.EventType(), Actor: e.Meta.Actor.String(),
			Correlation: e.Meta.Correlation, At: e.At, RecordedAt: e.RecordedAt,
		})
	}
}}
