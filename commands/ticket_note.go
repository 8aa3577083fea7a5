package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// AddNote writes a note on a ticket that the contact does not see.
type AddNote struct {
	Body string `json:"body" doc:"The note, 1 to 100000 characters"`
}

// Permission is what the caller's role needs.
func (AddNote) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a deleted ticket.
func (c AddNote) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Noted{Body: body})
}
