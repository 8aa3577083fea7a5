package projections

import (
	"daybook/domain/operation"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Operations maintains operations: one row per command over many items.
var Operations = engine.Projection{Name: "operations", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Operation](l, operation.Stream.Category, readmodels.OperationsTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case operation.Begun:
			rows.Insert(readmodels.Operation{
				ID: e.ID, Plan: ev.Plan, About: ev.About, With: table.Ref(ev.With), Actor: e.Meta.Actor.String(), BegunAt: e.At, ChangedAt: e.RecordedAt, Events: begun(e),
			})
		case operation.Event:
			rows.Update(e.ID, func(r *readmodels.Operation) {
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = e.RecordedAt
				switch ev := ev.(type) {
				case operation.Progressed:
					r.Done += int64(ev.Things)
				case operation.Ended:
					r.EndedAt = e.RecordedAt
				}
			})
		}
	}
}}
