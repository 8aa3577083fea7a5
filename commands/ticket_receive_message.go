package commands

import (
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ReceiveMessage takes a contact's message on a ticket that takes messages. One that was answered or done is open again,
// and one that waits waits no more. (For a ticket that is closed or deleted see TakeMessage.)
type ReceiveMessage struct {
	Body string `json:"body" doc:"What the contact wrote, 1 to 100000 characters"`
}

// Permission is what the caller's role needs.
func (ReceiveMessage) Permission() role.Permission { return role.TicketsReceive }

// Decide refuses a ticket that takes no messages.
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
