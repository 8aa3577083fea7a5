package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// OpenTicket opens a ticket for a contact.
type OpenTicket struct {
	Contact    uuid.UUID       `json:"contact" format:"uuid" doc:"Id of the contact"`
	Channel    ticket.Channel  `json:"channel" doc:"Channel through which the request came in"`
	Subject    string          `json:"subject" doc:"Subject, at most 1000 characters"`
	Body       string          `json:"body,omitempty" doc:"First message, at most 100000 characters"`
	Department uuid.UUID       `json:"department,omitzero" required:"false" format:"uuid" doc:"Id of the department"`
	Priority   ticket.Priority `json:"priority,omitempty" doc:"Priority; default normal"`
	FollowUpOf uuid.UUID       `json:"-"`
	Ref        string          `json:"-"`
}

// Permission returns the permission that the caller needs.
func (OpenTicket) Permission() role.Permission { return role.TicketsWork }

// Refs returns the contact, and the department if there is one.
func (c OpenTicket) Refs() []Reference {
	refs := []Reference{work.Needs("contact", contact.Stream, c.Contact, contact.Contact.MustExist)}
	if c.Department != uuid.Nil {
		refs = append(refs, work.Needs("department", department.Stream, c.Department, department.Department.MustExist))
	}
	return refs
}

// Decide refuses a ticket that already exists, and invalid fields.
func (c OpenTicket) Decide(t ticket.Ticket, _ By) ([]ticket.Event, error) {
	if t.Opened {
		return nil, domain.Conflict("ticket-exists", "This ticket already exists.")
	}
	if c.Priority == "" {
		c.Priority = ticket.Normal
	}
	subject, subjectErr := profile.Text("subject", c.Subject, ticket.MaxSubject)
	body, bodyErr := profile.Text("body", c.Body, ticket.MaxBody)
	if err := domain.Join(ticket.KnownChannel(c.Channel), ticket.KnownPriority(c.Priority), subjectErr, bodyErr); err != nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Opened{
		Contact: c.Contact, Channel: c.Channel, Subject: personal.New(subject), Body: personal.New(body),
		Department: c.Department, Priority: c.Priority, FollowUpOf: c.FollowUpOf, Ref: c.Ref,
	})
}
