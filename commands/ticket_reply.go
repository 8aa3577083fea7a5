package commands

import (
	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// Reply answers the contact. A reply to a resolved ticket answers it and is no reopening.
type Reply struct {
	Body string `json:"body" doc:"What the agent wrote, 1 to 100000 characters"`
}

// Permission is what the caller's role needs.
func (Reply) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is closed, spam or deleted.
func (c Reply) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if err := t.MustBeWorkable(); err != nil {
		return nil, err
	}
	body, err := words(c.Body)
	if err != nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Replied{Body: body})
}

// words checks a message.
func words(body string) (personal.Text, error) {
	body, err := profile.Text("body", body, ticket.MaxBody)
	if err == nil && body == "" {
		err = domain.Invalid("body", "body-required", "body must not be empty.")
	}
	return personal.New(body), err
}
