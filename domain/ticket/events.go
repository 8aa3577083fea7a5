package ticket

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal"
)

// Event is what happens to a ticket.
type Event interface {
	event.Event
	apply(*Ticket) // all but the standing: see Standing.After
}

// Events decodes ticket events.
var Events = event.NewTable(
	of[Opened](), of[Received](), of[Replied](), of[MessageSent](), of[Noted](), of[Assigned](), of[Unassigned](), of[Transferred](),
	of[Prioritised](), of[Tagged](), of[Untagged](), of[Postponed](), of[Resumed](), of[Resolved](), of[Reopened](),
	of[Closed](), of[MarkedSpam](), of[UnmarkedSpam](), of[Deleted](), of[Restored](), of[SubjectCorrected](), of[Joined](),
)

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Opened: a contact wrote to the desk, or an agent opened a ticket for them. The body is the contact's message, also if an
// agent took it down; what an agent has to say about it is an event of its own.
type Opened struct {
	Contact    uuid.UUID        `json:"contact"`
	Company    uuid.UUID        `json:"company,omitzero"` // of the contact, at that time
	Channel    Channel          `json:"channel"`
	Identity   *contact.Address `json:"identity,omitempty"` // by which the contact wrote, if they did
	MessageID  *personal.Hashed `json:"message_id,omitempty"`
	Subject    personal.Text    `json:"subject"`
	Body       personal.Text    `json:"body"`
	Department uuid.UUID        `json:"department,omitzero"`
	Priority   Priority         `json:"priority"`
	FollowUpOf uuid.UUID        `json:"follow_up_of,omitzero"`
	Ref        personal.Text    `json:"ref,omitzero"` // the ticket's name in the imported desk
}

// NewMessageID returns the id that the source of a message gave it.
func NewMessageID(names personal.Hasher, id string) personal.Hashed {
	return personal.Hash(names, "message", id)
}

// EventType returns the stored name.
func (Opened) EventType() string { return "ticket-opened" }

func (e Opened) apply(t *Ticket) {
	t.Opened = true
	t.Contact, t.Channel, t.Subject = e.Contact, e.Channel, e.Subject
	t.Department, t.Priority = e.Department, e.Priority
}

// Received: a contact wrote a message, the ticket's own or another. An answered ticket is open again; one that was answered
// when it was marked as spam will be. The message belongs to who wrote it.
type Received struct {
	Contact   uuid.UUID        `json:"contact"` // who wrote
	Identity  *contact.Address `json:"identity,omitempty"`
	Channel   Channel          `json:"channel"`
	MessageID *personal.Hashed `json:"message_id,omitempty"`
	Body      personal.Text    `json:"body"`

	// What an inquiry asked for, in case it had opened a new ticket. The ticket keeps its own.
	Subject    personal.Text `json:"subject,omitzero"`
	Department uuid.UUID     `json:"department,omitzero"`
	Priority   Priority      `json:"priority,omitempty"`
}

// EventType returns the stored name.
func (Received) EventType() string { return "ticket-message-received" }

// Owner returns who wrote.
func (e Received) Owner() uuid.UUID { return e.Contact }

func (Received) apply(t *Ticket) { t.WroteAsSpam = t.WroteAsSpam || t.Status == StatusSpam }

// Joined: a contact takes part in another contact's ticket, since they wrote to it.
type Joined struct {
	Contact uuid.UUID `json:"contact"`
}

// Consequence says that a message leads to it.
func (Joined) Consequence() {}

// EventType returns the stored name.
func (Joined) EventType() string { return "ticket-joined" }

// Owner returns who takes part.
func (e Joined) Owner() uuid.UUID { return e.Contact }

func (e Joined) apply(t *Ticket) { t.Others = append(slices.Clone(t.Others), e.Contact) }

// Replied: an agent replied to the contact.
type Replied struct {
	Body personal.Text `json:"body"`
}

// EventType returns the stored name.
func (Replied) EventType() string { return "ticket-replied" }

func (Replied) apply(*Ticket) {}

// MessageSent: the desk wrote to the contact, but no agent did: a program, a rule, the system. It answers nothing.
type MessageSent struct {
	Body personal.Text `json:"body"`
}

// EventType returns the stored name.
func (MessageSent) EventType() string { return "ticket-message-sent" }

func (MessageSent) apply(*Ticket) {}

// Noted: an internal note was added, which the contact does not see.
type Noted struct {
	Body personal.Text `json:"body"`
}

// EventType returns the stored name.
func (Noted) EventType() string { return "ticket-noted" }

func (Noted) apply(*Ticket) {}

// Assigned: the ticket was assigned to an agent.
type Assigned struct {
	Agent uuid.UUID `json:"agent"`
}

// EventType returns the stored name.
func (Assigned) EventType() string { return "ticket-assigned" }

func (e Assigned) apply(t *Ticket) { t.Agent = e.Agent }

// Unassigned: the ticket has no agent any more.
type Unassigned struct{}

// EventType returns the stored name.
func (Unassigned) EventType() string { return "ticket-unassigned" }

func (Unassigned) apply(t *Ticket) { t.Agent = uuid.Nil }

// Transferred: the ticket was moved to another department.
type Transferred struct {
	Department uuid.UUID `json:"department,omitzero"` // nil: none
	Cause      Cause     `json:"cause"`
}

// EventType returns the stored name.
func (Transferred) EventType() string { return "ticket-transferred" }

func (e Transferred) apply(t *Ticket) { t.Department = e.Department }

// Prioritised: the ticket's priority changed.
type Prioritised struct {
	Priority Priority `json:"priority"`
}

// EventType returns the stored name.
func (Prioritised) EventType() string { return "ticket-prioritised" }

func (e Prioritised) apply(t *Ticket) { t.Priority = e.Priority }

// Tagged: the ticket was tagged.
type Tagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType returns the stored name.
func (Tagged) EventType() string { return "ticket-tagged" }

func (e Tagged) apply(t *Ticket) { t.Tags = append(slices.Clone(t.Tags), e.Tag) }

// Untagged: a tag was removed from the ticket.
type Untagged struct {
	Tag uuid.UUID `json:"tag"`
}

// EventType returns the stored name.
func (Untagged) EventType() string { return "ticket-untagged" }

func (e Untagged) apply(t *Ticket) {
	t.Tags = slices.DeleteFunc(slices.Clone(t.Tags), func(tag uuid.UUID) bool { return tag == e.Tag })
}

// Postponed: the ticket was put off for later.
type Postponed struct{}

// EventType returns the stored name.
func (Postponed) EventType() string { return "ticket-postponed" }

func (Postponed) apply(*Ticket) {}

// Resumed: the ticket is no longer postponed. It is new if it was new before, open otherwise.
type Resumed struct{}

// Consequence says that a message or an unmarking leads to it.
func (Resumed) Consequence() {}

// EventType returns the stored name.
func (Resumed) EventType() string { return "ticket-resumed" }

func (Resumed) apply(*Ticket) {}

// Resolved: an agent or a rule considers the ticket done.
type Resolved struct{}

// EventType returns the stored name.
func (Resolved) EventType() string { return "ticket-resolved" }

func (Resolved) apply(*Ticket) {}

// Reopened: a resolved or closed ticket is open again.
type Reopened struct {
	Cause Cause `json:"cause"`
}

// Cause is what reopened or transferred a ticket.
type Cause string

// The causes of reopenings and transfers.
const (
	ByCommand  Cause = "command"  // somebody did
	ByMessage  Cause = "message"  // the contact wrote again
	ByDeletion Cause = "deletion" // its department was deleted
)

// Consequence says that a message or an unmarking leads to it.
func (Reopened) Consequence() {}

// EventType returns the stored name.
func (Reopened) EventType() string { return "ticket-reopened" }

func (Reopened) apply(*Ticket) {}

// Closed: the ticket is finished. The contact's next message opens a follow-up.
type Closed struct{}

// EventType returns the stored name.
func (Closed) EventType() string { return "ticket-closed" }

func (Closed) apply(*Ticket) {}

// MarkedSpam: the ticket was marked as spam.
type MarkedSpam struct{}

// EventType returns the stored name.
func (MarkedSpam) EventType() string { return "ticket-marked-spam" }

func (MarkedSpam) apply(t *Ticket) { t.WroteAsSpam = false }

// UnmarkedSpam: the ticket is not spam after all. It has the status again that it had before; what the contact wrote
// meanwhile leads to what it would have led to then.
type UnmarkedSpam struct{}

// EventType returns the stored name.
func (UnmarkedSpam) EventType() string { return "ticket-unmarked-spam" }

func (UnmarkedSpam) apply(*Ticket) {}

// Deleted: the ticket was deleted. Its history stays, and it can be restored.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "ticket-deleted" }

func (Deleted) apply(*Ticket) {}

// Restored: the ticket has the status again that it had before it was deleted.
type Restored struct{}

// EventType returns the stored name.
func (Restored) EventType() string { return "ticket-restored" }

func (Restored) apply(*Ticket) {}

// SubjectCorrected: the ticket has a new subject.
type SubjectCorrected struct {
	Subject personal.Text `json:"subject"`
}

// EventType returns the stored name.
func (SubjectCorrected) EventType() string { return "ticket-subject-corrected" }

func (e SubjectCorrected) apply(t *Ticket) { t.Subject = e.Subject }
