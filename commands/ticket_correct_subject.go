package commands

import (
	"cmp"

	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// CorrectSubject corrects the subject of a ticket.
type CorrectSubject struct {
	Subject string `json:"subject" doc:"New subject, at most 1000 characters"`
}

// Permission returns the permission that the caller needs.
func (CorrectSubject) Permission() role.Permission { return role.TicketsWork }

// Decide refuses a ticket that is closed, spam or deleted. It changes nothing for one that already has the subject.
func (c CorrectSubject) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if err := cmp.Or(t.MustBeWorkable(), notByContact(by)); err != nil {
		return nil, err
	}
	subject, err := subjectOf(c.Subject, by)
	if err != nil || personal.New(subject) == t.Subject {
		return nil, err
	}
	return happened[ticket.Event](ticket.SubjectCorrected{Subject: personal.New(subject)})
}
