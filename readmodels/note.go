package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/readmodels/table"
)

// A ContactNote is a note on a contact, who does not see it.
type ContactNote struct {
	ID        uuid.UUID     `db:"note_id,key" json:"id" doc:"The note"`
	ContactID uuid.UUID     `db:"contact_id" json:"contact_id" doc:"The contact"`
	TicketID  table.Ref     `db:"ticket_id" json:"ticket_id" doc:"The ticket during which it was written, or null"`
	Body      string        `db:"body" json:"body" doc:"What it says"`
	Author    string        `db:"author" json:"author" doc:"Who wrote it"`
	Through   string        `db:"through" json:"through" doc:"The interface that it came through"`
	At        table.Instant `db:"at" json:"at" doc:"When it was written"`
	EditedBy  string        `db:"edited_by" json:"edited_by" doc:"Who edited it last, or empty"`
	EditedAt  table.Instant `db:"edited_at" json:"edited_at" doc:"When it was edited last, or null"`
	Events
}

// ContactNotesTable is the table of the contacts' notes.
var ContactNotesTable = table.Table{Name: "contact_notes", Comment: "The notes on contacts: what they say, who wrote them, when, and during which ticket.", Row: ContactNote{}, At: "at",
	Indexes: []string{"contact_id, at, first_position"}}

// NotesOf lists the notes on a contact, newest first. Of a ticket outside sight they do not say that they were written during it.
func NotesOf(ctx context.Context, q table.Queryer, contact uuid.UUID, sight role.Sight, p table.Page) (table.Found[ContactNote], error) {
	ask := table.Ask(ContactNotesTable)
	ask.Of("contact_id", contact, nil)
	found, err := table.Find[ContactNote](ctx, q, ask, p, "-at")
	if err != nil {
		return found, err
	}
	var during []uuid.UUID
	for _, n := range found.Rows {
		if n.TicketID != (table.Ref{}) {
			during = append(during, uuid.UUID(n.TicketID))
		}
	}
	tickets, err := table.Many(ctx, q, TicketsTable, during, func(t Ticket) uuid.UUID { return t.ID })
	for i := range found.Rows {
		n := &found.Rows[i]
		if t, there := tickets[uuid.UUID(n.TicketID)]; !there || !t.SeenBy(sight) {
			n.TicketID = table.Ref{}
		}
	}
	return found, err
}
