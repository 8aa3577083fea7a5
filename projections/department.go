package projections

import (
	"daybook/domain/department"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// Departments maintains departments: one row per department.
var Departments = engine.Projection{Name: "departments", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Department](l, department.Stream.Category, readmodels.DepartmentsTable)
	return func(e *engine.Recorded) {
		ev, ok := e.Event.(department.Event)
		if !ok {
			return
		}
		rows.Upsert(e.ID, func(r *readmodels.Department) {
			r.Moved(e.Position, e.Revision)
			switch ev := ev.(type) {
			case department.Created:
				r.Name, r.Sought, r.Ref, r.CreatedAt = ev.Name, sought(ev.Name), ev.Ref.String(), e.At
			case department.Renamed:
				r.Name, r.Sought = ev.Name, sought(ev.Name)
			case department.Deleted:
				r.DeletedAt = e.At
			}
		})
	}
}}
