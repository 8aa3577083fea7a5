package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// TicketQuery are the parameters of the list of all tickets.
type TicketQuery struct {
	TicketTerms
	Contact    ThingID `query:"contact" doc:"Only tickets of this contact, by id"`
	Identity   string  `query:"identity" maxLength:"1000" doc:"Only tickets of the contact with this identity, as KIND:VALUE, such as customer:4711 or visitor:abc"`
	Company    string  `query:"company" doc:"Only tickets whose contact belonged to this company when they were opened, by id; none for tickets of contacts without a company"`
	CompanyNow string  `query:"company_now" doc:"Only tickets whose contact belongs to this company today, by id; none for tickets of contacts without a company"`
}

// TicketTerms are the parameters of every list of tickets.
type TicketTerms struct {
	Listing
	Q          string            `query:"q" maxLength:"200" doc:"Words to search for in subjects; each is the beginning of a word"`
	Agent      string            `query:"agent" doc:"Only tickets of this agent, by id; none for unassigned tickets"`
	Department string            `query:"department" doc:"Only tickets of this department, by id; none for tickets of no department"`
	Status     []ticket.Status   `query:"status" doc:"Only tickets with one of these statuses, separated by commas"`
	Channel    []ticket.Channel  `query:"channel" doc:"Only tickets that came in through one of these channels, separated by commas"`
	Priority   []ticket.Priority `query:"priority" doc:"Only tickets with one of these priorities, separated by commas"`
	Tags
	Ref         string  `query:"ref" doc:"Only tickets with this name in an imported journal"`
	FollowUpOf  ThingID `query:"follow_up_of" doc:"Only the follow-up of this ticket, by id"`
	From        string  `query:"from" doc:"Only tickets opened at this instant (RFC 3339) or later"`
	To          string  `query:"to" doc:"Only tickets opened before this instant (RFC 3339)"`
	ChangedFrom string  `query:"changed_from" doc:"Only tickets that last changed at this instant (RFC 3339) or later"`
	ChangedTo   string  `query:"changed_to" doc:"Only tickets that last changed before this instant (RFC 3339)"`
	ExpandTicket
}

// ExpandTicket says which things that a ticket refers to are shown with it.
type ExpandTicket struct {
	Expand []string `query:"expand" enum:"contact,agent,department,tags" doc:"Things that the ticket refers to, to include in full, separated by commas"`
}

func (e ExpandTicket) expands() []string { return e.Expand }

// OneTicket is a query for a ticket.
type OneTicket struct {
	OneThing
	ExpandTicket
}

// A TicketRow is a ticket with the things that the query expands.
type TicketRow struct {
	readmodels.Ticket
	TicketThings
}

// A HistoryRow is a ticket of a contact's history with the things that the query expands.
type HistoryRow struct {
	readmodels.TicketHistory
	TicketThings
}

// TicketThings are the things that a ticket refers to.
type TicketThings struct {
	Contact      *readmodels.Contact    `json:"contact,omitempty" doc:"Contact of the ticket, if expanded"`
	Agent        *readmodels.Agent      `json:"agent,omitempty" doc:"Agent of the ticket, if expanded and if there is one"`
	Department   *readmodels.Department `json:"department,omitempty" doc:"Department of the ticket, if expanded and if there is one"`
	ExpandedTags []readmodels.Tag       `json:"tags,omitzero" required:"false" doc:"Tags of the ticket, if expanded"`
}

var (
	ticketView  = view[readmodels.Ticket, TicketRow]{func(r readmodels.Ticket) TicketRow { return TicketRow{Ticket: r} }, ticketRelations(func(r *TicketRow) (*readmodels.TicketState, *TicketThings) { return &r.TicketState, &r.TicketThings })}
	historyView = view[readmodels.TicketHistory, HistoryRow]{func(r readmodels.TicketHistory) HistoryRow { return HistoryRow{TicketHistory: r} }, ticketRelations(func(r *HistoryRow) (*readmodels.TicketState, *TicketThings) { return &r.TicketState, &r.TicketThings })}
)

// ticketRelations are what rows with the state of a ticket refer to. of returns the state, and where the things go.
func ticketRelations[X any](of func(*X) (*readmodels.TicketState, *TicketThings)) []relation[X] {
	state := func(x X) *readmodels.TicketState { s, _ := of(&x); return s }
	things := func(x *X) *TicketThings { _, t := of(x); return t }
	return []relation[X]{
		refers("contact", contactRows, func(x X) []uuid.UUID { return []uuid.UUID{state(x).ContactID} }, func(x *X, all []readmodels.Contact) { things(x).Contact = first(all) }),
		refers("agent", agentRows, func(x X) []uuid.UUID { return []uuid.UUID{uuid.UUID(state(x).AgentID)} }, func(x *X, all []readmodels.Agent) { things(x).Agent = first(all) }),
		refers("department", departmentRows, func(x X) []uuid.UUID { return []uuid.UUID{uuid.UUID(state(x).DepartmentID)} }, func(x *X, all []readmodels.Department) { things(x).Department = first(all) }),
		refers("tags", tagRows, func(x X) []uuid.UUID { return state(x).Tags }, func(x *X, all []readmodels.Tag) { things(x).ExpandedTags = all }),
	}
}

// tickets are the routes of tickets.
func (s *server) tickets() {
	t := resourceOf(s, ticket.Stream, "/v1/tickets", "Tickets", role.TicketsRead, readmodels.TicketsTable,
		func(r readmodels.Ticket) int64 { return r.Revision })
	messages := &resource[ticket.Ticket, ticket.Event, Taken]{server: s, kind: t.kind, path: t.path, title: t.title, answer: taken}
	creates(messages, "/v1/inquiries", "createInquiry", "Receive a message from a channel. Finds or registers the contact, and opens a ticket or adds to one", "The ticket that the message was added to",
		func(in commands.Inquiry) work.Plan[ticket.Ticket] { return in })
	create[commands.OpenTicket](t, "createTicket", "Open a ticket for a contact")
	huma.Register(s.api, describe(route{http.MethodGet, t.path, t.title, "listTickets", "List tickets, newest first", role.TicketsRead}), func(ctx context.Context, in *TicketQuery) (*Answered[List[TicketRow]], error) {
		return s.listTickets(ctx, t.path, in.TicketTerms, func(q table.Queryer) (of readmodels.TicketFilter, err error) {
			whose, err := s.identified(ctx, in.Identity)
			err = domain.Join(err,
				s.resolveAll(ctx, q, naming{"contact", "contact", string(in.Contact), &of.Contact}),
				s.refer(ctx, q, reference{"company", "company", in.Company, &of.Company}, reference{"company_now", "company", in.CompanyNow, &of.CompanyNow}))
			switch {
			case whose != nil && of.Contact == nil:
				of.Contact = whose
			case whose != nil && *whose != *of.Contact:
				of.Contact = new(uuid.UUID) // nobody's
			}
			return of, err
		})
	})
	gets[OneTicket](t, "getTicket", "Get a ticket, now or in the past", ticketView)
	huma.Register(s.api, conditional(describe(route{http.MethodGet, t.one() + "/thread", t.title, "listTicketThread", "List the messages, notes and other events of a ticket, oldest first", role.TicketsRead})), s.thread)
	post[commands.Reply](t, "/replies", "replyToTicket", "Reply to the contact")
	carries[commands.TakeMessage](messages, "/messages", "addTicketMessage", "Receive a message from the contact. On a closed or deleted ticket, it opens a follow-up")
	post[commands.AddNote](t, "/notes", "addTicketNote", "Add an internal note, which the contact does not see")
	post[commands.AssignTicket](t, "/assign", "assignTicket", "Assign a ticket to an agent")
	post[commands.UnassignTicket](t, "/unassign", "unassignTicket", "Unassign a ticket")
	post[commands.TransferTicket](t, "/transfer", "transferTicket", "Transfer a ticket to another department. An agent who does not serve it does not keep the ticket")
	post[commands.CorrectSubject](t, "/subject", "setTicketSubject", "Correct the subject of a ticket")
	post[commands.PrioritiseTicket](t, "/priority", "setTicketPriority", "Set the priority of a ticket")
	put[commands.TagTicket](t, "/tags/{tag}", "addTicketTag", "Tag a ticket")
	post[commands.TagTicket](t, "/tags/{tag}", "postTicketTag", "Tag a ticket, as PUT does")
	del[commands.UntagTicket](t, "/tags/{tag}", "removeTicketTag", "Untag a ticket")
	post[commands.PostponeTicket](t, "/postpone", "postponeTicket", "Postpone a ticket")
	post[commands.ResumeTicket](t, "/resume", "resumeTicket", "Resume a postponed ticket")
	post[commands.ResolveTicket](t, "/resolve", "resolveTicket", "Resolve a ticket")
	post[commands.ReopenTicket](t, "/reopen", "reopenTicket", "Reopen a ticket")
	post[commands.CloseTicket](t, "/close", "closeTicket", "Close a ticket. The contact's next message opens a follow-up")
	post[commands.MarkSpam](t, "/spam", "markTicketSpam", "Mark a ticket as spam")
	post[commands.UnmarkSpam](t, "/unspam", "unmarkTicketSpam", "Unmark a ticket as spam")
	del[commands.DeleteTicket](t, "", "deleteTicket", "Delete a ticket. It can be restored")
	post[commands.RestoreTicket](t, "/restore", "restoreTicket", "Restore a deleted ticket")
}

// Taken is the answer to a message: the ticket, or only its id if the API key may not read tickets.
type Taken struct{ shown any }

// A Receipt is what a key that may not read tickets learns of the one that took its message.
type Receipt struct {
	ID uuid.UUID `json:"id" doc:"The ticket that the message was added to"`
}

func taken(row any, id uuid.UUID, p principal) Taken {
	if p.MustMay(role.TicketsRead) != nil {
		return Taken{Receipt{id}}
	}
	return Taken{row}
}

// MarshalJSON shows the ticket or the receipt.
func (t Taken) MarshalJSON() ([]byte, error) { return json.Marshal(t.shown) }

// Schema implements huma.SchemaProvider.
func (Taken) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[readmodels.Ticket](), true, ""), r.Schema(reflect.TypeFor[Receipt](), true, ""),
	}}
}

// listTickets lists the tickets of a contact, a company or everybody, with the related things that the query expands.
// whose returns a filter for whose they are.
func (s *server) listTickets(ctx context.Context, path string, in TicketTerms, whose func(table.Queryer) (readmodels.TicketFilter, error)) (*Answered[List[TicketRow]], error) {
	return listing(ctx, s, in.Listing, path, role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[TicketRow], error) {
		filter, err := whose(q)
		if err == nil {
			filter, err = s.ticketFilter(ctx, q, in, filter)
		}
		if err != nil {
			return table.Found[TicketRow]{}, err
		}
		found, err := readmodels.FindTickets(ctx, q, filter, p)
		return ticketView.page(ctx, q, found, err, in.Expand)
	})
}

// history lists the tickets of a contact.
func (s *server) history(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the contact"`
	TicketTerms
}) (*Answered[List[HistoryRow]], error) {
	return listing(ctx, s, in.Listing, "/v1/contacts/"+in.ID.String()+"/tickets", role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[HistoryRow], error) {
		filter, err := s.ticketFilter(ctx, q, in.TicketTerms, readmodels.TicketFilter{})
		if err != nil {
			return table.Found[HistoryRow]{}, err
		}
		found, err := readmodels.HistoryOfContact(ctx, q, in.ID, filter, p)
		if err == nil && len(found.Rows) == 0 {
			err = s.things[contact.Stream.Category].must(ctx, q, in.ID)
		}
		return historyView.page(ctx, q, found, err, in.Expand)
	})
}

// ticketFilter adds the terms of a query to a filter.
func (s *server) ticketFilter(ctx context.Context, q table.Queryer, in TicketTerms, of readmodels.TicketFilter) (f readmodels.TicketFilter, err error) {
	f = readmodels.TicketFilter{
		Q: in.Q, Contact: of.Contact, Company: of.Company, CompanyNow: of.CompanyNow, Statuses: in.Status, Channels: in.Channel, Priorities: in.Priority, Ref: in.Ref, Sight: who(ctx).Sight,
	}
	errs := []error{
		s.refer(ctx, q, reference{"agent", "agent", in.Agent, &f.Agent}, reference{"department", "department", in.Department, &f.Department}),
		s.resolveAll(ctx, q, naming{"follow_up_of", "ticket", string(in.FollowUpOf), &f.FollowUpOf}),
	}
	f.Tags, err = s.tagged(ctx, q, tag.Tickets, in.Tags)
	errs = append(errs, err)
	errs = append(errs, bounds(bound{"from", in.From, &f.From}, bound{"to", in.To, &f.To}, bound{"changed_from", in.ChangedFrom, &f.ChangedFrom}, bound{"changed_to", in.ChangedTo, &f.ChangedTo}))
	return f, domain.Join(errs...)
}
