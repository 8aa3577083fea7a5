package projections

import (
	"daybook/domain/group"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// Groups maintains groups: one row per group.
var Groups = engine.Projection{Name: "groups", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Group](l, group.Stream.Category, readmodels.GroupsTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case group.Created:
			rows.Insert(readmodels.Group{
				ID: e.ID, Name: ev.Name, Color: ev.Color, Background: ev.Background, Ref: ev.Ref.String(), CreatedAt: e.At, Events: begun(e), Sought: sought(ev.Name),
			})
		case group.Event:
			rows.Update(e.ID, func(r *readmodels.Group) {
				r.Moved(e.Position, e.Revision)
				switch ev := ev.(type) {
				case group.Renamed:
					r.Name, r.Sought = ev.Name, sought(ev.Name)
				case group.Restyled:
					r.Color, r.Background = ev.Color, ev.Background
				case group.Archived:
					r.Archived = true
				case group.Unarchived:
					r.Archived = false
				}
			})
		}
	}
}}
