package commands

import (
	"cmp"

	"daybook/domain/role"
	"daybook/domain/ticket"
)

// AddNote adds an internal note to a ticket. The contact does not see it.
type AddNote struct {
	Body string `json:"body" doc:"Note, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (AddNote) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a deleted ticket.
func (c AddNote) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if err := cmp.Or(t.MustNotBe(ticket.StatusDeleted), notByContact(by)); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Noted{Body: body})
}
