package commands

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/ticket"
)

// Receive takes a contact's message on a ticket. If the ticket is closed or deleted, the message opens one follow-up, and
// later messages go to the newest follow-up while that takes any.
func Receive(ctx context.Context, d *Desk, id uuid.UUID, body string, by By) (Answer[ticket.Ticket], error) {
	return together(ctx, d, ticket.Stream, func(w *Work) (Answer[ticket.Ticket], error) { return RunReceive(w, id, body, by) })
}

// RunReceive is Receive as a part of a work.
func RunReceive(w *Work, id uuid.UUID, body string, by By) (Answer[ticket.Ticket], error) {
	t, err := load(w, ticket.Stream, id)
	if err != nil {
		return Answer[ticket.Ticket]{}, err
	}
	var before *loaded[ticket.Ticket, ticket.Event]
	for t.state.Opened && !t.state.TakesMessages() && !t.has(by.Request) {
		before = t
		if t, err = load(w, ticket.Stream, ticket.FollowUp(t.id)); err != nil {
			return Answer[ticket.Ticket]{}, err
		}
	}
	if t.state.Opened || before == nil {
		return Run(w, ticket.Stream, t.id, ReceiveMessage{Body: body}, by)
	}
	if _, err := words(body); err != nil {
		return Answer[ticket.Ticket]{}, err
	}
	return Run(w, ticket.Stream, t.id, OpenTicket{
		Contact: before.state.Contact, Channel: before.state.Channel, Subject: before.state.Subject.String(), Body: body,
		Department: before.state.Department, Priority: before.state.Priority, FollowUpOf: before.id,
	}, by)
}
