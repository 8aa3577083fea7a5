package commands

import (
	"cmp"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// OpenTicket opens a ticket for a contact.
type OpenTicket struct {
	Contact    uuid.UUID        `json:"contact_id" format:"uuid" doc:"Id of the contact"`
	Channel    ticket.Channel   `json:"channel" doc:"Channel through which the request came in"`
	Subject    string           `json:"subject" doc:"Subject, at most 1000 characters"`
	Body       string           `json:"body,omitempty" doc:"First message, at most 100000 characters"`
	Department uuid.UUID        `json:"department_id,omitzero" required:"false" format:"uuid" doc:"Id of the department, which the API key must serve"`
	Priority   ticket.Priority  `json:"priority,omitempty" doc:"Priority; default normal"`
	MessageID  string           `json:"message_id,omitempty" doc:"Id that the channel gave the message, at most 1000 characters"`
	FollowUpOf uuid.UUID        `json:"-"`
	Inherited  uuid.UUID        `json:"-"` // the department, if Department is none
	Identity   *contact.Address `json:"-"` // the address that it came from, if the contact wrote
	Ref        string           `json:"-"`
}

// Permission returns the permission that the caller needs.
func (OpenTicket) Permission() role.Permission { return role.TicketsWork }

// Carry also records of a contact who had only visited that there is a ticket now.
func (c OpenTicket) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	if err := work.Ahead(w, work.On(ticket.Stream, id), work.On(contact.Stream, c.Contact), work.On(department.Stream, c.in())); err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	answer, err := work.Run(w, ticket.Stream, id, c, by)
	if err == nil && !answer.Replayed {
		_, err = work.Run(w, contact.Stream, c.Contact, engage{}, by.Aside(work.EventID(by.Request, ticket.Stream.Stream(id), 0)))
	}
	return answer, err
}

// Refs returns the contact, and the department if there is one. A deleted contact may still write to an old ticket.
func (c OpenTicket) Refs() []Reference {
	must := contact.Contact.MustExist
	if c.FollowUpOf != uuid.Nil {
		must = contact.Contact.MustBeRegistered
	}
	refs := []Reference{work.Needs("contact_id", contact.Stream, c.Contact, must)}
	if in := c.in(); in != uuid.Nil {
		refs = append(refs, work.Needs("department_id", department.Stream, in, department.Department.MustExist))
	}
	return refs
}

// in returns the department.
func (c OpenTicket) in() uuid.UUID { return cmp.Or(c.Department, c.Inherited) }

// subjectOf validates a subject, which is one line. What a contact wrote, or another desk had, is made one.
func subjectOf(subject string, by By) (string, error) {
	if by.History || by.Actor.Kind == event.Contact {
		subject = profile.OneLine(subject)
	}
	return profile.Line("subject", subject, ticket.MaxSubject)
}

// Decide refuses a ticket that already exists, invalid fields, and a department that the caller names and does not serve,
// except in an imported history.
func (c OpenTicket) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if t.Opened {
		return nil, domain.Conflict("ticket-exists", "This ticket already exists.")
	}
	if by.Actor.Kind == event.Contact && by.Actor.ID != c.Contact {
		return nil, domain.Invalid("by", "not-by-contact", "The contact who opens a ticket is the ticket's: name that contact, or who else opened it.")
	}
	if !by.History && !by.Sight.Sees(c.Department) {
		return nil, domain.Forbidden("department-not-served", "Your API key does not serve this department. Name one that it serves, or leave out department.")
	}
	if c.Priority == "" {
		c.Priority = ticket.Normal
	}
	subject, subjectErr := subjectOf(c.Subject, by)
	body, bodyErr := profile.Text("body", c.Body, ticket.MaxBody)
	id, idErr := messageID(by, c.MessageID)
	if err := domain.Join(ticket.KnownChannel(c.Channel), ticket.KnownPriority(c.Priority), subjectErr, bodyErr, idErr); err != nil {
		return nil, err
	}
	who, err := work.Known(by, contact.Stream, c.Contact)
	if err != nil {
		return nil, err
	}
	return happened[ticket.Event](ticket.Opened{
		Contact: c.Contact, Company: who.Company, Channel: c.Channel, Identity: c.Identity, MessageID: id, Subject: personal.New(subject), Body: personal.New(body),
		Department: c.in(), Priority: c.Priority, FollowUpOf: c.FollowUpOf, Ref: personal.New(c.Ref),
	})
}
