package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// UnmarkSpam takes the mark off again. A ticket that was new is new, any other is open.
type UnmarkSpam struct{}

// Permission is what the caller's role needs.
func (UnmarkSpam) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not spam.
func (UnmarkSpam) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusDeleted); err != nil || t.Status != ticket.StatusSpam {
		return nil, err
	}
	return happened[ticket.Event](ticket.UnmarkedSpam{})
}
