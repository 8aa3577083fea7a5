package projections

import (
	"daybook/domain/tag"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// Tags maintains tags: one row per tag of contacts or of tickets.
var Tags = engine.Projection{Name: "tags", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Tag](l, tag.Stream.Category, readmodels.TagsTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case tag.Created:
			rows.Insert(readmodels.Tag{ID: e.ID, Scope: ev.Scope, Name: ev.Name, Ref: ev.Ref.String(), CreatedAt: e.At, Events: begun(e), Sought: sought(ev.Name)})
		case tag.Event:
			rows.Update(e.ID, func(r *readmodels.Tag) {
				r.Moved(e.Position, e.Revision)
				switch ev := ev.(type) {
				case tag.Renamed:
					r.Name, r.Sought = ev.Name, sought(ev.Name)
				case tag.Archived:
					r.Archived = true
				case tag.Unarchived:
					r.Archived = false
				}
			})
		}
	}
}}
