package readmodels

import (
	"strconv"

	"github.com/google/uuid"

	"daybook/domain/ticket"
	"daybook/readmodels/table"
)

// Position is where an event stands in the log. In JSON it is a string, since callers only hand it back.
type Position int64

// MarshalText writes the position as eventstore.Position does.
func (p Position) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(p), 10), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	*p = Position(n)
	return err
}

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

// The tables of tickets.
var (
	TicketsTable = table.Table{Name: "tickets", Comment: "The desk's work list: one row a ticket.", Row: Ticket{},
		Indexes: []string{"opened_at, ticket_id", "status, opened_at, ticket_id", "agent_id, opened_at, ticket_id", "ref"}}
	TicketHistoryTable = table.Table{Name: "ticket_history", Comment: "The tickets of each contact, to be read newest first.", Row: TicketHistory{},
		Indexes: []string{"contact_id, opened_at, ticket_id"}}
)
