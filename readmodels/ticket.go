package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/search"
	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// A TicketState holds the fields that the work list and the ticket history share.
type TicketState struct {
	ID            uuid.UUID             `db:"ticket_id,key" json:"id" doc:"The ticket"`
	ContactID     uuid.UUID             `db:"contact_id" json:"contact_id" doc:"The contact who opened the ticket"`
	CompanyID     table.Ref             `db:"company_id" json:"company_id" doc:"The company that the contact belonged to when it was opened, or null"`
	Channel       ticket.Channel        `db:"channel" json:"channel" doc:"The channel that it came in through"`
	Subject       string                `db:"subject" json:"subject" doc:"The subject"`
	Status        ticket.Status         `db:"status" json:"status" doc:"The status"`
	AgentID       table.Ref             `db:"agent_id" json:"agent_id" doc:"The agent that it is assigned to, or null"`
	DepartmentID  table.Ref             `db:"department_id" json:"department_id" doc:"The department that it belongs to, or null"`
	Priority      ticket.Priority       `db:"priority" json:"priority" doc:"The priority"`
	Tags          table.List[uuid.UUID] `db:"tags" json:"tag_ids" doc:"The ticket's tags"`
	Participants  table.List[uuid.UUID] `db:"participants" json:"participant_ids" doc:"Other contacts who wrote to it"`
	FollowUpOf    table.Ref             `db:"follow_up_of" json:"follow_up_of" doc:"The ticket that it follows up, or null"`
	Ref           string                `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	OpenedAt      table.Instant         `db:"opened_at" json:"opened_at" doc:"When it was opened"`
	AnsweredAt    table.Instant         `db:"answered_at" json:"answered_at" doc:"When an agent first replied, or null"`
	ResolvedAt    table.Instant         `db:"resolved_at" json:"resolved_at" doc:"When it was last resolved, or null; reopening does not clear it"`
	ClosedAt      table.Instant         `db:"closed_at" json:"closed_at" doc:"When it was last closed, or null"`
	ChangedAt     table.Instant         `db:"changed_at" json:"changed_at" doc:"When it last changed"`
	Reopens       int64                 `db:"reopens" json:"reopens" doc:"How often it was reopened from resolved or closed"`
	PostponedFrom ticket.Status         `db:"postponed_from" json:"-" doc:"The status before it was postponed"`
	SpamFrom      ticket.Status         `db:"spam_from" json:"-" doc:"The status before it was marked as spam"`
	DeletedFrom   ticket.Status         `db:"deleted_from" json:"-" doc:"The status before it was deleted"`
	Search        string                `db:"search" json:"-" doc:"The words of the subject, by which it is found, each with a space before it"`
	Events
}

// A Ticket is a row of the work list.
type Ticket struct {
	TicketState
	Messages      int64         `db:"messages" json:"messages" doc:"How many messages the contact wrote, the first included"`
	Answers       int64         `db:"answers" json:"answers" doc:"How many replies agents wrote"`
	Notes         int64         `db:"notes" json:"notes" doc:"How many notes it has, which the contact does not see"`
	LastMessageAt table.Instant `db:"last_message_at" json:"last_message_at" doc:"When the contact last wrote"`
}

// A TicketHistory is a row of the history of a contact's tickets.
type TicketHistory struct {
	TicketState
}

// A TicketClock is what the projection agent_activity remembers of a ticket to tell how long things took.
type TicketClock struct {
	ID            uuid.UUID             `db:"ticket_id,key" doc:"The ticket"`
	OpenedAt      table.Instant         `db:"opened_at" doc:"When it was opened"`
	Channel       ticket.Channel        `db:"channel" doc:"The channel that it came in through"`
	DepartmentID  table.Ref             `db:"department_id" doc:"The department that it belongs to, or null"`
	AgentID       table.Ref             `db:"agent_id" doc:"The agent that it is assigned to, or null"`
	Tags          table.List[uuid.UUID] `db:"tags" doc:"The ticket's tags"`
	Status        ticket.Status         `db:"status" doc:"The status"`
	PostponedFrom ticket.Status         `db:"postponed_from" doc:"The status before it was postponed"`
	SpamFrom      ticket.Status         `db:"spam_from" doc:"The status before it was marked as spam"`
	DeletedFrom   ticket.Status         `db:"deleted_from" doc:"The status before it was deleted"`
	NewAnswerOver bool                  `db:"new_answer_over" doc:"Whether it was ever answered by an agent, resolved, closed or spam: new_answer_time is no longer measured"`
	Assigned      bool                  `db:"assigned" doc:"Whether it was ever assigned"`
	Resolved      bool                  `db:"resolved" doc:"Whether it was ever resolved"`
	ResolverID    table.Ref             `db:"resolver_id" doc:"The agent who last resolved it, or null"`
	WaitingSince  table.Instant         `db:"waiting_since" doc:"When it became open, or null if it is not open"`
}

// A TicketWord is a word by which a ticket is found.
type TicketWord struct {
	Word     string         `db:"word,key" doc:"The word, without case and accents"`
	OpenedAt table.Instant  `db:"opened_at,key" doc:"When the ticket was opened"`
	First    table.Position `db:"first_position,key" doc:"The position of the ticket's first event in the log"`
}

// A TicketTag is a tag of a ticket.
type TicketTag struct {
	TagID    uuid.UUID      `db:"tag_id,key" doc:"The tag"`
	OpenedAt table.Instant  `db:"opened_at,key" doc:"When the ticket was opened"`
	First    table.Position `db:"first_position,key" doc:"The position of the ticket's first event in the log"`
}

// The tables of tickets.
var (
	TicketsTable = table.Table{Name: "tickets", Comment: "The work list: one row per ticket.", Row: Ticket{}, At: "opened_at",
		Indexes: []string{
			"opened_at, first_position, ticket_id, status, agent_id, department_id, priority, channel, contact_id, changed_at",
			"changed_at, first_position, opened_at", "position, first_position, opened_at",
			"status, opened_at, first_position", "agent_id, opened_at, first_position", "department_id, opened_at, first_position", "priority, opened_at, first_position",
			"channel, opened_at, first_position", "company_id, opened_at, first_position", "contact_id, opened_at, first_position", "follow_up_of", "ref", "department_id, ticket_id",
		}}
	TicketWordsTable   = table.Table{Name: "ticket_words", Comment: "The words of the tickets' subjects.", Row: TicketWord{}}
	TicketTagsTable    = table.Table{Name: "ticket_tags", Comment: "The tickets of each tag.", Row: TicketTag{}}
	TicketHistoryTable = table.Table{Name: "ticket_history", Comment: "The tickets of each contact.", Row: TicketHistory{}, At: "opened_at",
		Indexes: []string{"contact_id, opened_at, first_position"}}
)

// A Participant is a contact who wrote to another contact's ticket.
type Participant struct {
	Position  table.Position `db:"position,key" doc:"The position of the event in the log"`
	Seq       int64          `db:"seq,key" doc:"Always 0: an event has one participant"`
	ContactID uuid.UUID      `db:"contact_id" doc:"The contact"`
	TicketID  uuid.UUID      `db:"ticket_id" doc:"The ticket"`
}

// ParticipantsTable is the table of contacts who take part in other contacts' tickets.
var ParticipantsTable = table.Table{Name: "ticket_participants", Comment: "The contacts who wrote to other contacts' tickets.", Row: Participant{},
	Indexes: []string{"contact_id"}}

// TicketClocksTable is the table of the tickets' clocks.
var TicketClocksTable = table.Table{Name: "ticket_clocks", Comment: "The current state of each ticket's clocks, from which agent_activity is computed.", Row: TicketClock{}}

// A TicketFilter selects tickets. Empty fields select all.
type TicketFilter struct {
	Q          string
	Contact    *uuid.UUID
	Company    *table.Ref // of the contact, when it was opened
	CompanyNow *table.Ref // of the contact, today
	Agent      *table.Ref
	Department *table.Ref
	Sight      role.Sight // of the caller
	Statuses   []ticket.Status
	Channels   []ticket.Channel
	Priorities []ticket.Priority
	Tags       Tagged
	Ref        string
	FollowUpOf *uuid.UUID

	From, To               table.Instant // opened in [From, To)
	ChangedFrom, ChangedTo table.Instant // changed last in [ChangedFrom, ChangedTo)
}

// in adds the conditions to a question about tickets. words is the table of their words; nil: there is none.
func (f TicketFilter) in(ask *table.Question, words *table.Table) {
	ask.Words("search", words, search.Question(f.Q))
	ask.Refers("company_id", f.Company)
	ask.Through("contact_id", ContactsTable, "company_id", f.CompanyNow)
	ask.Refers("agent_id", f.Agent)
	ask.Refers("department_id", f.Department)
	f.seen(ask)
	table.AnyOf(ask, "status", f.Statuses)
	table.AnyOf(ask, "channel", f.Channels)
	table.AnyOf(ask, "priority", f.Priorities)
	f.Tags.in(ask, TicketTagsTable)
	ask.Is("ref", f.Ref)
	ask.IsID("follow_up_of", f.FollowUpOf)
	ask.During("opened_at", f.From, f.To)
	ask.During("changed_at", f.ChangedFrom, f.ChangedTo)
}

// seen requires tickets to be within the caller's sight.
func (f TicketFilter) seen(ask *table.Question) {
	departments, all := f.Sight.Departments()
	switch {
	case all:
	case f.Department == nil:
		ask.AmongIDs("department_id", departments)
	case !f.Sight.Sees(uuid.UUID(*f.Department)):
		ask.Never()
	}
}

// SeenBy reports whether the ticket is within a sight.
func (t TicketState) SeenBy(s role.Sight) bool { return s.Sees(uuid.UUID(t.DepartmentID)) }

// FindTickets lists tickets, newest first.
func FindTickets(ctx context.Context, q table.Queryer, f TicketFilter, p table.Page) (table.Found[Ticket], error) {
	ask := table.Ask(TicketsTable)
	ask.IsID("contact_id", f.Contact)
	f.in(ask, &TicketWordsTable)
	return table.Find[Ticket](ctx, q, ask, p, "-opened_at", "changed_at", "position")
}

// HistoryOfContact lists the tickets of a contact and those that they take part in, newest first.
func HistoryOfContact(ctx context.Context, q table.Queryer, contact uuid.UUID, f TicketFilter, p table.Page) (table.Found[TicketHistory], error) {
	var part table.Where
	part.IsID("contact_id", &contact)
	others, err := table.Count(ctx, q, ParticipantsTable, part)
	if err != nil {
		return table.Found[TicketHistory]{}, err
	}
	ask := table.Ask(TicketHistoryTable)
	if others == 0 { // as with most contacts: one index has their tickets in order
		ask.Of("contact_id", contact, nil)
	} else {
		ask.Of("contact_id", contact, &ParticipantsTable)
	}
	f.in(ask, nil)
	return table.Find[TicketHistory](ctx, q, ask, p, "-opened_at", "changed_at", "position")
}
