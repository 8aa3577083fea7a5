package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// A TicketState is what the work list and the history show of a ticket alike.
type TicketState struct {
	ID            uuid.UUID             `db:"ticket_id,key" json:"id" doc:"The ticket"`
	ContactID     uuid.UUID             `db:"contact_id" json:"contact_id" doc:"Who asked"`
	Channel       ticket.Channel        `db:"channel" json:"channel" doc:"What it came in through"`
	Subject       string                `db:"subject" json:"subject" doc:"What it is about"`
	Status        ticket.Status         `db:"status" json:"status" doc:"Where it stands"`
	AgentID       table.Ref             `db:"agent_id" json:"agent_id" doc:"Whose it is, or null"`
	DepartmentID  table.Ref             `db:"department_id" json:"department_id" doc:"Where it belongs, or null"`
	Priority      ticket.Priority       `db:"priority" json:"priority" doc:"How urgent it is"`
	Tags          table.List[uuid.UUID] `db:"tags" json:"tags" doc:"Tags that were put on it"`
	FollowUpOf    table.Ref             `db:"follow_up_of" json:"follow_up_of" doc:"The ticket that it goes on with, or null"`
	Ref           string                `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	OpenedAt      table.Instant         `db:"opened_at" json:"opened_at" doc:"When it was opened"`
	AnsweredAt    table.Instant         `db:"answered_at" json:"answered_at" doc:"When it was first answered, or null"`
	ResolvedAt    table.Instant         `db:"resolved_at" json:"resolved_at" doc:"When it was last resolved, or null; a reopening does not unset it"`
	ClosedAt      table.Instant         `db:"closed_at" json:"closed_at" doc:"When it was last closed, or null"`
	ChangedAt     table.Instant         `db:"changed_at" json:"changed_at" doc:"When something last happened to it"`
	Reopens       int64                 `db:"reopens" json:"reopens" doc:"How often it was reopened from resolved or closed"`
	PostponedFrom ticket.Status         `db:"postponed_from" json:"-" doc:"Where it stood before it was postponed"`
	SpamFrom      ticket.Status         `db:"spam_from" json:"-" doc:"Where it stood before it was marked as spam"`
	DeletedFrom   ticket.Status         `db:"deleted_from" json:"-" doc:"Where it stood before it was deleted"`
}

// A Ticket is a row of the desk's work list.
type Ticket struct {
	TicketState
	Messages      int64         `db:"messages" json:"messages" doc:"Messages from the contact, the first included"`
	Answers       int64         `db:"answers" json:"answers" doc:"Replies"`
	Notes         int64         `db:"notes" json:"notes" doc:"Notes that the contact does not see"`
	LastMessageAt table.Instant `db:"last_message_at" json:"last_message_at" doc:"When the contact last wrote"`
	Revision      int64         `db:"revision" json:"-" doc:"The number of its last event"`
}

// A TicketHistory is a row of the history of a contact's tickets.
type TicketHistory struct {
	TicketState
}

// A TicketClock is what must be known of a ticket to tell how long things took.
type TicketClock struct {
	ID            uuid.UUID             `db:"ticket_id,key" doc:"The ticket"`
	OpenedAt      table.Instant         `db:"opened_at" doc:"When it was opened"`
	Channel       ticket.Channel        `db:"channel" doc:"What it came in through"`
	DepartmentID  table.Ref             `db:"department_id" doc:"Where it belongs, or null"`
	AgentID       table.Ref             `db:"agent_id" doc:"Whose it is, or null"`
	Tags          table.List[uuid.UUID] `db:"tags" doc:"Tags that were put on it"`
	Status        ticket.Status         `db:"status" doc:"Where it stands"`
	PostponedFrom ticket.Status         `db:"postponed_from" doc:"Where it stood before it was postponed"`
	SpamFrom      ticket.Status         `db:"spam_from" doc:"Where it stood before it was marked as spam"`
	DeletedFrom   ticket.Status         `db:"deleted_from" doc:"Where it stood before it was deleted"`
	NewAnswerOver bool                  `db:"new_answer_over" doc:"It was answered by an agent, resolved, closed or spam once: no first answer is measured any more"`
	Assigned      bool                  `db:"assigned" doc:"It was assigned once"`
	Resolved      bool                  `db:"resolved" doc:"It was resolved once"`
	ResolverID    table.Ref             `db:"resolver_id" doc:"Who resolved it last, or null"`
	WaitingSince  table.Instant         `db:"waiting_since" doc:"Since when it is open, or null"`
}

// The tables of tickets.
var (
	TicketsTable = table.Table{Name: "tickets", Comment: "The desk's work list: one row a ticket.", Row: Ticket{},
		Indexes: []string{"opened_at, ticket_id", "status, opened_at, ticket_id", "agent_id, opened_at, ticket_id", "ref"}}
	TicketHistoryTable = table.Table{Name: "ticket_history", Comment: "The tickets of each contact, to be read newest first.", Row: TicketHistory{},
		Indexes: []string{"contact_id, opened_at, ticket_id"}}
)

// TicketClocksTable is the table of what is under way on tickets.
var TicketClocksTable = table.Table{Name: "ticket_clocks", Comment: "Working memory of agent_activity: what is under way on each ticket.", Row: TicketClock{}}

// A TicketFilter says which tickets are wanted; what is empty is not asked for.
type TicketFilter struct {
	Contact    uuid.UUID
	Company    uuid.UUID // whose contacts asked
	Agent      uuid.UUID
	Unassigned bool // those that are nobody's
	Department uuid.UUID
	Sight      role.Sight // of who asks
	Statuses   []ticket.Status
	Channel    ticket.Channel
	Priority   ticket.Priority
	Tag        uuid.UUID
	Ref        string
	FollowUpOf uuid.UUID
	From, To   table.Instant // opened in [From, To)
}

func (f TicketFilter) where() table.Where {
	var w table.Where
	w.IsID("contact_id", f.Contact)
	if f.Company != uuid.Nil {
		w.And("contact_id IN (SELECT contact_id FROM contacts WHERE company_id = %s)", f.Company.String())
	}
	w.IsID("agent_id", f.Agent)
	if f.Unassigned {
		w.Say("agent_id IS NULL")
	}
	w.IsID("department_id", f.Department)
	w.Say(seen(&w, f.Sight))
	table.OneOf(&w, "status", f.Statuses)
	w.Is("channel", string(f.Channel))
	w.Is("priority", string(f.Priority))
	w.Lists("tags", f.Tag)
	w.Is("ref", f.Ref)
	w.IsID("follow_up_of", f.FollowUpOf)
	w.During("opened_at", f.From, f.To)
	return w
}

// seen is what holds for tickets that are seen.
func seen(w *table.Where, s role.Sight) string {
	departments, all := s.Departments()
	if all {
		return "TRUE"
	}
	clause := "(department_id IS NULL"
	for _, d := range departments {
		clause += " OR department_id = " + w.Arg(d.String())
	}
	return clause + ")"
}

// SeenBy reports whether somebody sees the ticket.
func (t TicketState) SeenBy(s role.Sight) bool { return s.Sees(uuid.UUID(t.DepartmentID)) }

// FindTickets lists tickets, the newest first.
func FindTickets(ctx context.Context, q table.Queryer, f TicketFilter, p table.Page) (table.Found[Ticket], error) {
	return table.Find(ctx, q, TicketsTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t Ticket, sort string) (any, any) {
		return sortedTicket(t.TicketState, sort)
	})
}

// HistoryOfContact lists the tickets of a contact, the newest first.
func HistoryOfContact(ctx context.Context, q table.Queryer, contact uuid.UUID, f TicketFilter, p table.Page) (table.Found[TicketHistory], error) {
	f.Contact = contact
	return table.Find(ctx, q, TicketHistoryTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t TicketHistory, sort string) (any, any) {
		return sortedTicket(t.TicketState, sort)
	})
}

func sortedTicket(t TicketState, sort string) (any, any) {
	if sort == "changed_at" {
		return int64(t.ChangedAt), t.ID
	}
	return int64(t.OpenedAt), t.ID
}
