package commands

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// ReceiveMessage adds a contact's message to a ticket. An answered ticket is open again, a resolved one is reopened and a
// postponed one is resumed. For a ticket that may be closed or deleted, see TakeMessage.
type ReceiveMessage struct {
	Body      string
	Channel   ticket.Channel // default the ticket's
	MessageID string
	From      uuid.UUID        // who wrote; nil: the ticket's contact
	Identity  *contact.Address // the address that it came from, if that is known

	// What an inquiry asked of a new ticket. It is kept with the message, and changes nothing here.
	Subject    string
	Department uuid.UUID
	Priority   ticket.Priority
}

// Permission returns the permission that the caller needs.
func (ReceiveMessage) Permission() role.Permission { return role.ChannelsWrite }

// Decide refuses a ticket that is closed or deleted. A contact who writes to another one's ticket takes part in it from then
// on.
func (c ReceiveMessage) Decide(t ticket.Ticket, by By) ([]ticket.Event, error) {
	if err := t.MustNotBe(ticket.StatusClosed, ticket.StatusDeleted); err != nil {
		return nil, err
	}
	body, bodyErr := words(c.Body)
	subject, subjectErr := subjectOf(c.Subject, by)
	id, idErr := messageID(by, c.MessageID)
	channel := cmp.Or(c.Channel, t.Channel)
	var priorityErr error
	if c.Priority != "" {
		priorityErr = ticket.KnownPriority(c.Priority)
	}
	if err := domain.Join(ticket.KnownChannel(channel), priorityErr, subjectErr, bodyErr, idErr); err != nil {
		return nil, err
	}
	writer := cmp.Or(c.From, t.Contact)
	events := []ticket.Event{ticket.Received{
		Contact: writer, Identity: c.Identity, Channel: channel, MessageID: id, Body: body,
		Subject: personal.New(subject), Department: c.Department, Priority: c.Priority,
	}}
	if writer != t.Contact && !slices.Contains(t.Others, writer) {
		events = append(events, ticket.Joined{Contact: writer})
	}
	return append(events, afterMessage(t.Status)...), nil
}

// afterMessage returns what a contact's message leads to, besides that an answered ticket is open.
func afterMessage(status ticket.Status) []ticket.Event {
	switch status {
	case ticket.StatusPostponed:
		return []ticket.Event{ticket.Resumed{}}
	case ticket.StatusResolved:
		return []ticket.Event{ticket.Reopened{Cause: ticket.ByMessage}}
	}
	return nil
}

// messageID validates the id that a channel gave a message; nil if it gave none.
func messageID(by By, id string) (*personal.Hashed, error) {
	id, err := profile.Text("message_id", id, ticket.MaxMessageID)
	if err != nil || id == "" {
		return nil, err
	}
	hashed := ticket.NewMessageID(by.Names, id)
	return &hashed, nil
}
