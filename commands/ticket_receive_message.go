package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ReceiveMessage adds a contact's message to a ticket. An answered ticket is open again, a resolved one is reopened and a
// postponed one is resumed. For a ticket that may be closed or deleted, see TakeMessage.
type ReceiveMessage struct {
	Body string `json:"body" doc:"Message of the contact, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (ReceiveMessage) Permission() role.Permission { return role.TicketsReceive }

// Decide refuses a ticket that is closed or deleted.
func (c ReceiveMessage) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusClosed, ticket.StatusDeleted); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	received := ticket.Received{Body: body}
	switch t.Status {
	case ticket.StatusPostponed:
		return happened[ticket.Event](received, ticket.Resumed{})
	case ticket.StatusResolved:
		return happened[ticket.Event](received, ticket.Reopened{Cause: ticket.ByMessage})
	}
	return happened[ticket.Event](received)
}
