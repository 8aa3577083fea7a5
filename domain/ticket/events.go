package ticket

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
)

// Event is what happens to a ticket.
type Event interface {
	event.Event
	apply(*Ticket)
}

// Events reads ticket events back.
var Events = event.NewTable(
	of[Opened](), of[Received](), of[Replied](), of[Noted](), of[Assigned](), of[Unassigned](), of[Transferred](),
	of[Prioritised](), of[Tagged](), of[Untagged](), of[Postponed](), of[Resumed](), of[Resolved](), of[Reopened](),
	of[Closed](), of[MarkedSpam](), of[UnmarkedSpam](), of[Deleted](), of[Restored](), of[SubjectCorrected](),
)

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Opened: a contact asked something, or an agent opened a ticket for him.
type Opened struct {
	Contact    uuid.UUID     `json:"contact"`
	Channel    Channel       `json:"channel"`
	Subject    personal.Text `json:"subject"`
	Body       personal.Text `json:"body"`
	Department uuid.UUID     `json:"department,omitzero"`
	Priority   Priority      `json:"priority"`
	FollowUpOf uuid.UUID     `json:"follow_up_of,omitzero"`
	Ref        string        `json:"ref,omitempty"` // the name that an imported desk had for it
}

// EventType is the stored name.
func (Opened) EventType() string { return "ticket-opened" }

func (e Opened) apply(t *Ticket) {
	t.Opened, t.Status = true, StatusNew
	t.Contact, t.Channel, t.Subject = e.Contact, e.Channel, e.Subject
	t.Department, t.Priority = e.Department, e.Priority
}

// Received: the contact wrote.
type Received struct {
	Body personal.Text `json:"body"`
}

// EventType is the stored name.
func (Received) EventType() string { return "ticket-message-received" }

func (Received) apply(t *Ticket) {
	if t.Status == StatusAnswered {
		t.Status = StatusOpen
	}
}

// Replied: an agent answered the contact.
type Replied struct {
	Body personal.Text `json:"body"`
}

// EventType is the stored name.
func (Replied) EventType() string { return "ticket-replied" }

func (Replied) apply(t *Ticket) { t.Status = StatusAnswered }

// Noted: somebody wrote a note that the contact does not see.
type Noted struct {
	Body personal.Text `json:"body"`
}

// EventType is the stored name.
func (Noted) EventType() string { return "ticket-noted" }

func (Noted) apply(*Ticket) {}

// Assigned: the ticket is an agent's.
type Assigned struct {
	Agent uuid.UUID `json:"agent"`
}

// EventType is the stored name.
func (Assigned) EventType() string { return "ticket-assigned" }

func (e Assigned) apply(t *Ticket) { t.Agent = e.Agent }

// Unassigned: the ticket is nobody's.
type Unassigned struct{}

// EventType is the stored name.
func (Unassigned) EventType() string { return "ticket-unassigned" }

func (Unassigned) apply(t *Ticket) { t.Agent = uuid.Nil }

// Transferred: the ticket belongs to another department.
type Transferred struct {
	Department uuid.UUID `json:"department"`
}

// EventType is the stored name.
func (Transferred) EventType() string { return "ticket-transferred" }

func (e Transferred) apply(t *Ticket) { t.Department = e.Department }

// Prioritised: the ticket is more or less urgent than it was.
type Prioritised struct {
	Priority Priority `json:"priority"`
}

// EventType is the stored name.
func (Prioritised) EventType() string { return "ticket-prioritised" }

func (e Prioritised) apply(t *Ticket) { t.Priority = e.Priority }

// Tagged: a tag was put on the ticket.
type Tagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType is the stored name.
func (Tagged) EventType() string { return "ticket-tagged" }

func (e Tagged) apply(t *Ticket) { t.Tags = append(slices.Clone(t.Tags), e.Tag) }

// Untagged: a tag was taken off the ticket.
type Untagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType is the stored name.
func (Untagged) EventType() string { return "ticket-untagged" }

func (e Untagged) apply(t *Ticket) {
	t.Tags = slices.DeleteFunc(slices.Clone(t.Tags), func(tag uuid.UUID) bool { return tag == e.Tag })
}

// Postponed: the ticket waits.
type Postponed struct{}

// EventType is the stored name.
func (Postponed) EventType() string { return "ticket-postponed" }

func (Postponed) apply(t *Ticket) { t.PostponedFrom, t.Status = t.Status, StatusPostponed }

// Resumed: the ticket waits no more. One that was new is new again, any other is open.
type Resumed struct{}

// EventType is the stored name.
func (Resumed) EventType() string { return "ticket-resumed" }

func (Resumed) apply(t *Ticket) { t.Status = back(t.PostponedFrom) }

// Resolved: an agent or a rule considers the ticket done.
type Resolved struct{}

// EventType is the stored name.
func (Resolved) EventType() string { return "ticket-resolved" }

func (Resolved) apply(t *Ticket) { t.Status = StatusResolved }

// Reopened: a ticket that was done is not.
type Reopened struct {
	Cause Cause `json:"cause"`
}

// Cause is what reopened a ticket.
type Cause string

// The causes of a reopening.
const (
	ByCommand Cause = "command" // somebody said so
	ByMessage Cause = "message" // the contact wrote again
)

// EventType is the stored name.
func (Reopened) EventType() string { return "ticket-reopened" }

func (Reopened) apply(t *Ticket) { t.Status = StatusOpen }

// Closed: the ticket is done for good.
type Closed struct{}

// EventType is the stored name.
func (Closed) EventType() string { return "ticket-closed" }

func (Closed) apply(t *Ticket) { t.Status = StatusClosed }

// MarkedSpam: the ticket is none.
type MarkedSpam struct{}

// EventType is the stored name.
func (MarkedSpam) EventType() string { return "ticket-marked-spam" }

func (MarkedSpam) apply(t *Ticket) { t.SpamFrom, t.Status = t.Status, StatusSpam }

// UnmarkedSpam: the ticket is one after all. One that was new is new again, any other is open.
type UnmarkedSpam struct{}

// EventType is the stored name.
func (UnmarkedSpam) EventType() string { return "ticket-unmarked-spam" }

func (UnmarkedSpam) apply(t *Ticket) { t.Status = back(t.SpamFrom) }

// Deleted: the ticket is out of the way; its history stays.
type Deleted struct{}

// EventType is the stored name.
func (Deleted) EventType() string { return "ticket-deleted" }

func (Deleted) apply(t *Ticket) { t.DeletedFrom, t.Status = t.Status, StatusDeleted }

// Restored: the ticket is back in the state it had before it was deleted.
type Restored struct{}

// EventType is the stored name.
func (Restored) EventType() string { return "ticket-restored" }

func (Restored) apply(t *Ticket) { t.Status = t.DeletedFrom }

// SubjectCorrected: the ticket has another subject.
type SubjectCorrected struct {
	Subject personal.Text `json:"subject"`
}

// EventType is the stored name.
func (SubjectCorrected) EventType() string { return "ticket-subject-corrected" }

func (e SubjectCorrected) apply(t *Ticket) { t.Subject = e.Subject }
