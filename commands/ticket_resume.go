package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ResumeTicket has a ticket wait no more.
type ResumeTicket struct{}

// Permission is what the caller's role needs.
func (ResumeTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that does not wait.
func (ResumeTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Status != ticket.StatusPostponed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Resumed{})
}
