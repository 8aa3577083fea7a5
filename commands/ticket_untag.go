package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UntagTicket takes a tag off a ticket.
type UntagTicket struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/tickets"`
}

// Permission is what the caller's role needs.
func (UntagTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing where the tag is not there.
func (c UntagTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || !slices.Contains(t.Tags, c.Tag) {
		return nil, err
	}
	return happened[ticket.Event](ticket.Untagged{Tag: c.Tag})
}
