package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// PrioritiseTicket says how urgent a ticket is.
type PrioritiseTicket struct {
	Priority ticket.Priority `json:"priority" doc:"How urgent the ticket is"`
}

// Permission is what the caller's role needs.
func (PrioritiseTicket) Permission() role.Permission { return role.TicketsWork }

// Decide changes nothing where it is so already.
func (c PrioritiseTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil {
		return nil, err
	}
	if err := ticket.KnownPriority(c.Priority); err != nil || t.Priority == c.Priority {
		return nil, err
	}
	return happened[ticket.Event](ticket.Prioritised{Priority: c.Priority})
}
