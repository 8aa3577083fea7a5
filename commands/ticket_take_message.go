package commands

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/department"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// TakeMessage adds a message of the contact to a ticket. If the ticket is closed or deleted, the message opens a follow-up,
// and later messages go to that follow-up until it is closed or deleted in turn. The answer is the ticket that the message
// was added to.
type TakeMessage struct {
	Body      string         `json:"body" doc:"Message of the contact, 1 to 100000 characters"`
	Channel   ticket.Channel `json:"channel,omitempty" doc:"Channel through which the message came in; default the ticket's"`
	MessageID string         `json:"message_id,omitempty" doc:"Id that the channel gave the message, at most 1000 characters"`
}

// Permission returns the permission that the caller needs.
func (TakeMessage) Permission() role.Permission { return role.ChannelsWrite }

// Carry finds the ticket that takes the message, or opens a follow-up. In an imported history, a contact other than the
// ticket's may have written it.
func (c TakeMessage) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	to, err := targetOf(w, id, by)
	if err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	m := ReceiveMessage{Body: c.Body, Channel: c.Channel, MessageID: c.MessageID}
	if by.Actor.Kind == event.Contact {
		m.From = by.Actor.ID
	}
	if c.Channel != "" {
		if err := ticket.KnownChannel(c.Channel); err != nil { // before it names the door
			return work.Answer[ticket.Ticket]{}, err
		}
	}
	return m.carry(w, to, carriedBy(cmp.Or(c.Channel, to.before.Channel), by))
}

// contactToBe is, in a request, the contact whom it turns out to be from.
var contactToBe = event.Actor{Kind: event.Contact}

// carriedBy returns by for what a contact wrote: the contact is the actor, whoever carried it in, and the channel is the
// door. An imported history keeps its door, and the agent who opened a ticket for somebody.
func carriedBy(channel ticket.Channel, by By) By {
	if !by.History {
		by.Through = event.ThroughChannel(string(channel))
	}
	if !by.History || by.Actor.Kind != event.Agent {
		by.Actor = contactToBe
	}
	return by
}

// A target is where a message to a ticket goes.
type target struct {
	id     uuid.UUID     // the ticket that takes it, or its follow-up, which is opened
	writer uuid.UUID     // the contact of the ticket that was named: who wrote, if nobody else did
	before ticket.Ticket // the ticket; for a follow-up, the one before it
	of     uuid.UUID     // the ticket before a follow-up that is to be opened; nil: none is
}

// targetOf returns where a message to a ticket goes: to the ticket, or its newest follow-up.
func targetOf(w *work.Work, id uuid.UUID, by By) (target, error) {
	t, err := work.Look(w, ticket.Stream, id)
	if err != nil {
		return target{}, err
	}
	to := target{id: id, writer: t.Contact, before: t}
	for t.Opened && !t.TakesMessages() && !work.Came(w, ticket.Stream, to.id, by) {
		to = target{id: ticket.FollowUp(to.id), writer: to.writer, before: t, of: to.id}
		if t, err = work.Look(w, ticket.Stream, to.id); err != nil {
			return target{}, err
		}
	}
	if !work.Came(w, ticket.Stream, to.id, by) {
		for _, named := range []uuid.UUID{id, cmp.Or(to.of, id)} { // a follow-up shows what its predecessor does
			if err := work.MustSee(w, ticket.Stream, named, by); err != nil {
				return target{}, err
			}
		}
	}
	if t.Opened {
		to.before, to.of = t, uuid.Nil
	}
	return to, nil
}

// carry adds the message to its target, or opens the follow-up. The follow-up is of who wrote, in the department that has
// the tickets of the old one.
func (c ReceiveMessage) carry(w *work.Work, to target, by By) (work.Answer[ticket.Ticket], error) {
	c.From = cmp.Or(c.From, to.writer)
	by.Actor = event.Actor{Kind: event.Contact, ID: c.From}
	if to.of == uuid.Nil {
		return settled(w, to.id, c, by)
	}
	if _, err := words(c.Body); err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	if c.Subject == "" && c.From == to.before.Contact && !to.before.Subject.Forgotten() {
		c.Subject = to.before.Subject.String()
	}
	named, inherited, err := housed(w, c.Department)
	if err == nil && inherited == uuid.Nil {
		inherited, err = heir(w, to.before.Department)
	}
	if err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	return work.Run(w, ticket.Stream, to.id, OpenTicket{
		Contact: c.From, Channel: cmp.Or(c.Channel, to.before.Channel), Identity: c.Identity, MessageID: c.MessageID, Subject: c.Subject, Body: c.Body,
		Department: named, Inherited: inherited, Priority: cmp.Or(c.Priority, to.before.Priority), FollowUpOf: to.of,
	}, by)
}

// housed returns the department that an inquiry names. If it was deleted, it is the one that has its tickets, and nobody named
// that: the message is not lost for it.
func housed(w *work.Work, id uuid.UUID) (named, inherited uuid.UUID, err error) {
	in, err := heir(w, id)
	if in == id {
		return id, uuid.Nil, err
	}
	return uuid.Nil, in, err
}

// heir returns a department, or the one that has its tickets since it was deleted; nil: none. Two departments that were
// deleted at once may name each other: their tickets go to none.
func heir(w *work.Work, id uuid.UUID) (uuid.UUID, error) {
	for seen := []uuid.UUID{uuid.Nil}; !slices.Contains(seen, id); {
		d, err := work.Look(w, department.Stream, id)
		if err != nil || !d.Deleted {
			return id, err
		}
		seen = append(seen, id)
		id = d.Heir
	}
	return uuid.Nil, nil
}
