// Package ticket is the requests of contacts and how the desk answers them.
//
// A ticket goes from new through open, answered and postponed to resolved and closed; it may be marked as spam or
// deleted, and restored from there. A closed or deleted ticket takes no more messages: the contact's next message opens a
// follow-up.
package ticket

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// A Ticket is the state that rules need.
type Ticket struct {
	Opened bool
	Standing
	WroteAsSpam bool // a contact wrote since it was marked as spam
	Contact     uuid.UUID
	Others      []uuid.UUID // contacts who take part too
	Channel     Channel
	Subject     personal.Text
	Agent       uuid.UUID // nil: unassigned
	Department  uuid.UUID // nil: none
	Priority    Priority
	Tags        []uuid.UUID
}

// Standing is the status of a ticket, and the statuses to which it returns when it is resumed, unmarked or restored.
type Standing struct {
	Status        Status
	PostponedFrom Status
	SpamFrom      Status
	DeletedFrom   Status
}

// After returns the standing after an event.
func (s Standing) After(e Event) Standing {
	switch e.(type) {
	case Opened:
		s.Status = StatusNew
	case Received:
		switch {
		case s.Status == StatusSpam && s.SpamFrom == StatusAnswered:
			s.SpamFrom = StatusOpen
		case s.Status == StatusAnswered:
			s.Status = StatusOpen
		}
	case Replied:
		s.Status = StatusAnswered
	case Postponed:
		s.PostponedFrom, s.Status = s.Status, StatusPostponed
	case Resumed:
		s.Status = StatusOpen
		if s.PostponedFrom == StatusNew {
			s.Status = StatusNew
		}
	case Resolved:
		s.Status = StatusResolved
	case Reopened:
		s.Status = StatusOpen
	case Closed:
		s.Status = StatusClosed
	case MarkedSpam:
		s.SpamFrom, s.Status = s.Status, StatusSpam
	case UnmarkedSpam:
		s.Status = s.SpamFrom
	case Deleted:
		s.DeletedFrom, s.Status = s.Status, StatusDeleted
	case Restored:
		s.Status = s.DeletedFrom
	}
	return s
}

// Status is the status of a ticket.
type Status string

// The statuses.
const (
	StatusNew       Status = "new"
	StatusOpen      Status = "open"
	StatusAnswered  Status = "answered"
	StatusPostponed Status = "postponed"
	StatusResolved  Status = "resolved"
	StatusClosed    Status = "closed"
	StatusSpam      Status = "spam"
	StatusDeleted   Status = "deleted"
)

// Statuses lists the statuses.
var Statuses = []Status{StatusNew, StatusOpen, StatusAnswered, StatusPostponed, StatusResolved, StatusClosed, StatusSpam, StatusDeleted}

// Unfinished lists the statuses of tickets that are still to be worked on.
var Unfinished = []Status{StatusNew, StatusOpen, StatusAnswered, StatusPostponed}

// Workable lists the statuses of tickets that are or may be worked on again: a message reopens a resolved one. See
// MustBeWorkable.
var Workable = append(slices.Clone(Unfinished), StatusResolved)

// Channel is the channel through which a ticket came in.
type Channel string

// Channels lists the channels.
var Channels = []Channel{"email", "chat", "call", "form", "forum", "facebook", "x", "whatsapp", "api"}

// Priority is how urgent a ticket is.
type Priority string

// The priorities.
const (
	Low    Priority = "low"
	Normal Priority = "normal"
	High   Priority = "high"
	Urgent Priority = "urgent"
)

// Priorities lists the priorities, from the least to the most urgent.
var Priorities = []Priority{Low, Normal, High, Urgent}

// The longest subject, message and id of a message, in characters.
const (
	MaxSubject   = 1_000
	MaxBody      = 100_000
	MaxMessageID = 1_000
)

// Stream is the kind of a ticket's stream. A ticket's personal texts are sealed under the key of its contact.
var Stream = event.Kind[Ticket, Event]{
	Category: "ticket",
	Events:   Events,
	Apply: func(t *Ticket, e Event) {
		t.Standing = t.Standing.After(e)
		e.apply(t)
	},
	Exists:  func(t Ticket) bool { return t.Opened },
	Unknown: domain.NotFound("ticket-unknown", "There is no such ticket, or you may not see it. Check its id."),
	Order:   event.Late,
	Seen:    func(t Ticket, s role.Sight) bool { return s.Sees(t.Department) },
	Subject: func(t Ticket) uuid.UUID { return t.Contact },
}

// FollowUp returns the id of the ticket that a contact's message opens when this one is closed or deleted. It is derived
// from id, so that two messages at once open only one follow-up.
func FollowUp(id uuid.UUID) uuid.UUID { return uuid.NewSHA1(id, []byte("follow-up")) }

// MustExist returns an error if the ticket does not exist.
func (t Ticket) MustExist() error {
	return Stream.Must(t)
}

// MustNotBe returns an error if the ticket does not exist or has one of these statuses.
func (t Ticket) MustNotBe(statuses ...Status) error {
	if err := t.MustExist(); err != nil {
		return err
	}
	if slices.Contains(statuses, t.Status) {
		return domain.Conflict("ticket-"+string(t.Status), "The ticket is %s. %s", t.Status, wayOut[t.Status])
	}
	return nil
}

// wayOut says what to do about a status that forbids a command.
var wayOut = map[Status]string{
	StatusResolved: "Reopen it first.",
	StatusClosed:   "Reopen it first.",
	StatusSpam:     "Unmark it first.",
	StatusDeleted:  "Restore it first.",
}

// MustBeWorkable returns an error if the ticket does not exist, or is closed, spam or deleted.
func (t Ticket) MustBeWorkable() error { return t.MustNotBe(StatusClosed, StatusSpam, StatusDeleted) }

// TakesMessages reports whether a contact's message goes to this ticket rather than to a follow-up.
func (t Ticket) TakesMessages() bool { return t.Status != StatusClosed && t.Status != StatusDeleted }

// KnownChannel returns an error if there is no such channel.
func KnownChannel(c Channel) error {
	if !slices.Contains(Channels, c) {
		return domain.Invalid("channel", "channel-unknown", "channel must be one of %v.", Channels)
	}
	return nil
}

// KnownPriority returns an error if there is no such priority.
func KnownPriority(p Priority) error {
	if !slices.Contains(Priorities, p) {
		return domain.Invalid("priority", "priority-unknown", "priority must be one of %v.", Priorities)
	}
	return nil
}
