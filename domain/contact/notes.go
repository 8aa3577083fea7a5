package contact

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
)

// NoteAdded: somebody wrote down something about the contact, who does not see it.
type NoteAdded struct {
	Note   uuid.UUID     `json:"note"`
	Ticket uuid.UUID     `json:"ticket,omitzero"` // during which it was written; nil: none
	Body   personal.Text `json:"body"`
}

// EventType returns the stored name.
func (NoteAdded) EventType() string { return "contact-note-added" }

func (e NoteAdded) apply(c *Contact) { c.Notes = append(slices.Clone(c.Notes), e.Note) }

// NoteEdited: the note has another text.
type NoteEdited struct {
	Note uuid.UUID     `json:"note"`
	Body personal.Text `json:"body"`
}

// EventType returns the stored name.
func (NoteEdited) EventType() string { return "contact-note-edited" }

func (NoteEdited) apply(*Contact) {}

// NoteRemoved: the note is no longer shown.
type NoteRemoved struct {
	Note uuid.UUID `json:"note"`
}

// EventType returns the stored name.
func (NoteRemoved) EventType() string { return "contact-note-removed" }

func (e NoteRemoved) apply(c *Contact) { c.Notes = without(c.Notes, e.Note) }

// NoteUnknown refuses a note that the contact does not have.
var NoteUnknown = domain.NotFound("note-unknown", "The contact has no such note. It may have been removed.")

// MustHaveNote returns an error if the contact has no such note.
func (c Contact) MustHaveNote(note uuid.UUID) error {
	if !slices.Contains(c.Notes, note) {
		return NoteUnknown
	}
	return nil
}
