package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// TagTicket tags a ticket.
type TagTicket struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/tickets,create"`
}

// Permission returns the permission that the caller needs.
func (TagTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the tag.
func (c TagTicket) Refs() []Reference {
	return []Reference{work.Needs("tag", tag.Stream, c.Tag, func(t tag.Tag) error { return t.MustBeFor(tag.Tickets) })}
}

// Decide refuses a deleted ticket. It changes nothing for one that already has the tag.
func (c TagTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || slices.Contains(t.Tags, c.Tag) {
		return nil, err
	}
	return happened[ticket.Event](ticket.Tagged{Tag: c.Tag})
}
