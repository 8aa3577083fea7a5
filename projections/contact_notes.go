package projections

import (
	"daybook/domain/contact"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// ContactNotes maintains contact_notes: one row per note that was not removed.
var ContactNotes = engine.Projection{Name: "contact_notes", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.KeepParts[readmodels.ContactNote](l, contact.Stream.Category, readmodels.ContactNotesTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case contact.NoteAdded:
			rows.Insert(readmodels.ContactNote{
				ID: ev.Note, ContactID: e.ID, TicketID: table.Ref(ev.Ticket), Body: ev.Body.String(),
				Author: e.Meta.Actor.String(), Through: e.Meta.Through, At: e.At, Events: begun(e),
			})
		case contact.NoteEdited:
			rows.Update(ev.Note, func(r *readmodels.ContactNote) {
				r.Moved(e.Position, e.Revision)
				r.Body, r.EditedBy, r.EditedAt = ev.Body.String(), e.Meta.Actor.String(), e.At
			})
		case contact.NoteRemoved:
			rows.Delete(ev.Note)
		}
	}
}}
