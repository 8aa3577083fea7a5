package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ResumeTicket resumes a postponed ticket.
type ResumeTicket struct{}

// Permission returns the permission that the caller needs.
func (ResumeTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that is not postponed.
func (ResumeTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil || t.Status != ticket.StatusPostponed {
		return nil, err
	}
	return happened[ticket.Event](ticket.Resumed{})
}
