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

// WhichNote is a note of a contact: by its id, or in an imported history by the source's name for it, which may be that of another note of
// another contact.
type WhichNote struct {
	Note uuid.UUID `json:"-"`
	Name uuid.UUID `json:"-" line:"note" ref:"note"`
}

// of returns the id of a note of a contact.
func (n WhichNote) of(contact uuid.UUID) uuid.UUID {
	if n.Name != uuid.Nil {
		return uuid.NewSHA1(contact, n.Name[:])
	}
	return n.Note
}

// AddContactNote adds a note to a contact, who does not see it.
type AddContactNote struct {
	WhichNote           // none: it gets the id of NewNote
	Body      string    `json:"body" doc:"Note, 1 to 100000 characters"`
	Ticket    uuid.UUID `json:"ticket_id,omitzero" line:"ticket" ref:"ticket" doc:"Ticket during which the note was written, if any"`
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
	note := c.of(by.ID)
	if note == uuid.Nil {
		note = NewNote(by.Request)
	}
	if slices.Contains(co.Notes, note) {
		return nil, domain.Conflict("note-exists", "The contact has this note already.")
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteAdded{Note: note, Ticket: c.Ticket, Body: body})
}

// EditContactNote gives a note of a contact another text.
type EditContactNote struct {
	WhichNote
	Body string `json:"body" doc:"Note, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (EditContactNote) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a note that is not there. Whoever edits a note is named beside its author, also if the text is the same.
func (c EditContactNote) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := cmp.Or(co.MustExist(), notByContact(by), co.MustHaveNote(c.of(by.ID))); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteEdited{Note: c.of(by.ID), Body: body})
}

// RemoveContactNote removes a note of a contact.
type RemoveContactNote struct {
	WhichNote
}

// Permission returns the permission that the caller needs.
func (RemoveContactNote) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses a note that is not there.
func (c RemoveContactNote) Decide(co contact.Contact, by By) ([]contact.Event, error) {
	if err := cmp.Or(co.MustExist(), co.MustHaveNote(c.of(by.ID))); err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.NoteRemoved{Note: c.of(by.ID)})
}
