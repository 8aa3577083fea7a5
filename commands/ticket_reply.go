package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// Reply replies to the contact. A resolved ticket becomes answered, which does not count as reopening it. Only an agent
// answers: what a program, a rule or the system writes is sent, and leaves the ticket as it was.
type Reply struct {
	Body string `json:"body" doc:"Message to the contact, 1 to 100000 characters"`
}

// Permission returns the permission that the caller needs.
func (Reply) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is closed, spam or deleted.
func (c Reply) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if err := cmp.Or(t.MustBeWorkable(), notByContact(by)); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	if by.Actor.AgentID() == uuid.Nil {
		return happened[ticket.Event](ticket.MessageSent{Body: body})
	}
	return happened[ticket.Event](ticket.Replied{Body: body})
}

// Carry replies, and settles a ticket that was resolved: its agent may be gone.
func (c Reply) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	return settled(w, id, c, by)
}

// words validates the body of a message.
func words(body string) (personal.Text, error) {
	body, err := profile.Text("body", body, ticket.MaxBody)
	if err == nil && body == "" {
		err = domain.Invalid("body", "body-required", "body must not be empty.")
	}
	return personal.New(body), err
}
