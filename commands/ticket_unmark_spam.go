package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UnmarkSpam unmarks a ticket as spam. It is new if it was new before, open otherwise.
type UnmarkSpam struct{}

// Permission returns the permission that the caller needs.
func (UnmarkSpam) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not spam.
func (UnmarkSpam) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || t.Status != ticket.StatusSpam {
		return nil, err
	}
	return happened[ticket.Event](ticket.UnmarkedSpam{})
}

// Carry unmarks the ticket, and moves it if its department was deleted meanwhile.
func (c UnmarkSpam) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return bringBack(w, id, c, by)
}
