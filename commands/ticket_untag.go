package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// UntagTicket removes a tag from a ticket.
type UntagTicket struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/tickets"`
}

// Permission returns the permission that the caller needs.
func (UntagTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the tag.
func (c UntagTicket) Refs() []Reference {
	return []Reference{work.Had("tag", tag.Stream, c.Tag, func(t tag.Tag) error { return t.MustBeOf(tag.Tickets) })}
}

// Decide refuses a deleted ticket. It changes nothing for one that does not have the tag.
func (c UntagTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || !slices.Contains(t.Tags, c.Tag) {
		return nil, err
	}
	return happened[ticket.Event](ticket.Untagged{Tag: c.Tag})
}
