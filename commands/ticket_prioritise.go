package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// PrioritiseTicket sets a ticket's priority.
type PrioritiseTicket struct {
	Priority ticket.Priority `json:"priority" doc:"New priority"`
}

// Permission returns the permission that the caller needs.
func (PrioritiseTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing for a ticket that already has the priority.
func (c PrioritiseTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil {
		return nil, err
	}
	if err := ticket.KnownPriority(c.Priority); err != nil || t.Priority == c.Priority {
		return nil, err
	}
	return happened[ticket.Event](ticket.Prioritised{Priority: c.Priority})
}
