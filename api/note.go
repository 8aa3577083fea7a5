package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// OneNote is a request about a note of a contact.
type OneNote struct {
	About
	Note uuid.UUID `path:"note_id" format:"uuid" doc:"Id of the note"`
}

func (n OneNote) about() string { return n.About.about() + "/" + n.Note.String() }

// contactNotes are the routes of the contacts' notes.
func contactNotes(t *resource[contact.Contact, contact.Event, readmodels.Contact]) {
	path := t.one() + "/notes"
	huma.Register(t.api, describe(route{http.MethodGet, path, t.title, "listContactNotes", "List the notes on a contact, newest first", t.reading}), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the contact"`
	}) (*Answered[List[readmodels.ContactNote]], error) {
		return listing(ctx, t.server, in.Listing, t.path+"/"+in.ID.String()+"/notes", t.reading, func(q table.Queryer, p table.Page) (table.Found[readmodels.ContactNote], error) {
			if err := t.must(ctx, q, in.ID); err != nil {
				return table.Found[readmodels.ContactNote]{}, err
			}
			return readmodels.NotesOf(ctx, q, in.ID, who(ctx).Sight, p)
		})
	})
	huma.Register(t.api, describe(route{http.MethodGet, path + "/{note_id}", t.title, "getContactNote", "Get a note on a contact", t.reading}), func(ctx context.Context, in *struct {
		Reading
		ID   uuid.UUID `path:"id" format:"uuid" doc:"Id of the contact"`
		Note uuid.UUID `path:"note_id" format:"uuid" doc:"Id of the note"`
	}) (*Answered[readmodels.ContactNote], error) {
		return read(ctx, t.server, in.Reading, t.reading, func(q table.Queryer) (readmodels.ContactNote, error) {
			n, found, err := table.One[readmodels.ContactNote](ctx, q, readmodels.ContactNotesTable, in.Note)
			if err == nil && !found { // it may be too new for the read models
				n, err = noteNow(ctx, t, in.ID, in.Note)
			}
			if err == nil && n.ContactID != in.ID {
				err = contact.NoteUnknown
			}
			if err != nil {
				return n, cmp.Or(t.must(ctx, q, in.ID), err)
			}
			err = t.within(ctx, &n)
			return n, err
		})
	})
	add := command(route{http.MethodPost, path, t.title, "addContactNote", "Add a note to a contact, who does not see it", role.ContactsWrite})
	add.DefaultStatus = http.StatusCreated
	noteCommand[commands.AddContactNote](t.server, add)
	huma.Register(t.api, add, func(ctx context.Context, in *With[commands.AddContactNote]) (*Changed[readmodels.ContactNote], error) {
		note := commands.NewNote(t.Request(who(ctx).Principal, in.Key)) // of a repeated request
		done, err := t.done(ctx, in.Changing, add, in.about(), in.RawBody, func(by work.By) (access.Outcome, error) {
			note = commands.NewNote(by.Request)
			a, err := work.Do(ctx, t.Desk, t.kind, in.ID, in.Body, by)
			return outcome(t.kind, a), err
		})
		answer, err := noteOf(ctx, t, note, done, done.Written, err)
		if err == nil {
			answer.Status, answer.Location = http.StatusCreated, t.path+"/"+in.ID.String()+"/notes/"+note.String()
		}
		return answer, err
	})
	edit := command(route{http.MethodPatch, path + "/{note_id}", t.title, "updateContactNote", "Edit a note on a contact", role.ContactsWrite})
	noteCommand[commands.EditContactNote](t.server, edit)
	huma.Register(t.api, edit, func(ctx context.Context, in *struct {
		With[commands.EditContactNote]
		Note uuid.UUID `path:"note_id" format:"uuid" doc:"Id of the note"`
	}) (*Changed[readmodels.ContactNote], error) {
		in.Body.Note = in.Note
		done, err := t.done(ctx, in.Changing, edit, OneNote{in.About, in.Note}.about(), in.RawBody, func(by work.By) (access.Outcome, error) {
			a, err := work.Do(ctx, t.Desk, t.kind, in.ID, in.Body, by)
			return outcome(t.kind, a), err
		})
		return noteOf(ctx, t, in.Note, done, nil, err)
	})
	remove := command(route{http.MethodDelete, path + "/{note_id}", t.title, "removeContactNote", "Remove a note from a contact", role.ContactsWrite})
	noteCommand[commands.RemoveContactNote](t.server, remove)
	huma.Register(t.api, remove, func(ctx context.Context, in *OneNote) (*Changed[readmodels.Contact], error) {
		return carry(ctx, t, in.Changing, remove, in.about(), nil, func(by work.By) (access.Outcome, error) {
			a, err := work.Do(ctx, t.Desk, t.kind, in.ID, commands.RemoveContactNote{WhichNote: commands.WhichNote{Note: in.Note}}, by)
			return outcome(t.kind, a), err
		})
	})
}

// noteOf answers a command on a note, unless it was refused. written are the contact's new events if the note began with them, or none.
func noteOf(ctx context.Context, t *resource[contact.Contact, contact.Event, readmodels.Contact], note uuid.UUID, done access.Outcome, written []event.Written, err error) (*Changed[readmodels.ContactNote], error) {
	answer := &Changed[readmodels.ContactNote]{Status: http.StatusOK, ETag: etag(done.Revision), Position: done.Position.String()}
	if err == nil {
		answer.Body, err = notePart(ctx, t, done.ID, note, done.Revision, written)
	}
	if err == nil {
		err = t.within(ctx, &answer.Body)
	}
	if err != nil {
		return nil, t.refused(ctx, err)
	}
	if done.Replayed {
		answer.Replayed = "true"
	}
	return answer, nil
}

// noteNow returns a note from its contact's stream.
func noteNow(ctx context.Context, t *resource[contact.Contact, contact.Event, readmodels.Contact], id, note uuid.UUID) (n readmodels.ContactNote, err error) {
	a, err := work.State(ctx, t.Desk, t.kind, id)
	if err == nil {
		err = a.State.MustHaveNote(note)
	}
	if err != nil {
		return n, err
	}
	return notePart(ctx, t, id, note, a.Revision, nil)
}

func notePart(ctx context.Context, t *resource[contact.Contact, contact.Event, readmodels.Contact], id, note uuid.UUID, revision eventstore.Revision, written []event.Written) (n readmodels.ContactNote, err error) {
	row, err := t.Rows.Part(ctx, t.kind.Category, id, readmodels.ContactNotesTable.Name, note, revision, written)
	if errors.Is(err, table.ErrNoRow) {
		err = contact.NoteUnknown
	}
	if err != nil {
		return n, err
	}
	return row.(readmodels.ContactNote), nil
}

// within hides the ticket of a note if the caller does not see that.
func (s *server) within(ctx context.Context, n *readmodels.ContactNote) error {
	if n.TicketID == (table.Ref{}) {
		return nil
	}
	sees, err := work.Sees(ctx, s.Desk, ticket.Stream, uuid.UUID(n.TicketID), who(ctx).Sight)
	if !sees {
		n.TicketID = table.Ref{}
	}
	return err
}
