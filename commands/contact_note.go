package commands

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// AddContactNote adds a note to a contact, who does not see it.
type AddContactNote struct {
	Note   uuid.UUID `json:"-" line:"note" ref:"note"` // nil: it gets the id of NewNote
	Body   string    `json:"body" doc:"Note, 1 to 100000 characters"`
	Ticket uuid.UUID `json:"ticket_id,omitzero" line:"ticket" ref:"ticket" doc:"Ticket during which the note was written, if any"`
}

// NewNote returns the id of the note that a request adds.
func NewNote(request uuid.UUID) uuid.UUID { return uuid.NewSHA1(request, []byte("contact-note")) }

// Permission returns the permission that the caller needs.
func (AddContactNote) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the ticket, which the caller must see.
func (c AddContactNote) Refs() []Reference {
	if c.Ticket == uuid.Nil {
		return nil
	}
	return []Reference{work.Needs("ticket_id", ticket.Stream, c.Ticket, ticket.Ticket.MustExist)}
}

// Decide refuses a note that the contact has already.
func (c AddContactNote) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := cmp.Or(co.MustExist(), notByContact(by)); err != nil {
		return nil, err
	}
	if c.Note == uuid.Nil {
		c.Note = NewNote(by.Request)
	}
	if slices.Contains(co.Notes, c.Note) {
		return nil, domain.Conflict("note-exists", "The contact has this note already.")
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteAdded{Note: c.Note, Ticket: c.Ticket, Body: body})
}

// EditContactNote gives a note of a contact another text.
type EditContactNote struct {
	Note uuid.UUID `json:"-" line:"note" ref:"note"`
	Body string    `json:"body" doc:"Note, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (EditContactNote) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a note that is not there. Whoever edits a note is named beside its author, also if the text is the same.
func (c EditContactNote) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := cmp.Or(co.MustExist(), notByContact(by), co.MustHaveNote(c.Note)); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteEdited{Note: c.Note, Body: body})
}

// RemoveContactNote removes a note of a contact.
type RemoveContactNote struct {
	Note uuid.UUID `json:"-" line:"note" ref:"note"`
}

// Permission returns the permission that the caller needs.
func (RemoveContactNote) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a note that is not there.
func (c RemoveContactNote) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := cmp.Or(co.MustExist(), co.MustHaveNote(c.Note)); err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteRemoved{Note: c.Note})
}
