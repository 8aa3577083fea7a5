package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UnmarkSpam unmarks a ticket as spam. It has the status again that it had before. If a contact wrote meanwhile, it becomes
// what that message would have made of it: a resolved ticket is reopened now.
type UnmarkSpam struct{}

// Permission returns the permission that the caller needs.
func (UnmarkSpam) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not spam.
func (UnmarkSpam) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || t.Status != ticket.StatusSpam {
		return nil, err
	}
	events := []ticket.Event{ticket.UnmarkedSpam{}}
	if t.WroteAsSpam {
		events = append(events, afterMessage(t.SpamFrom)...)
	}
	return events, nil
}

// Carry unmarks the ticket, and settles it: its department or its agent may be gone.
func (c UnmarkSpam) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return settled(w, id, c, by)
}
