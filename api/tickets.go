package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// TicketQuery asks for tickets.
type TicketQuery struct {
	Listing
	Contact    uuid.UUID       `query:"contact" format:"uuid" doc:"Who asked"`
	Company    uuid.UUID       `query:"company" format:"uuid" doc:"Whose contact asked"`
	Agent      string          `query:"agent" doc:"Whose they are: an agent's id, or none"`
	Department uuid.UUID       `query:"department" format:"uuid" doc:"Where they belong"`
	Status     []ticket.Status `query:"status" enum:"new,open,answered,postponed,resolved,closed,spam,deleted" doc:"Where they stand; several with commas between"`
	Channel    ticket.Channel  `query:"channel" enum:"email,chat,call,form,forum,facebook,x,whatsapp,api" doc:"What they came in through"`
	Priority   ticket.Priority `query:"priority" enum:"low,normal,high,urgent" doc:"How urgent they are"`
	Tag        string          `query:"tag" doc:"A tag, by id or name"`
	Ref        string          `query:"ref" doc:"The name that an imported desk had for the ticket"`
	FollowUpOf uuid.UUID       `query:"follow_up_of" format:"uuid" doc:"The ticket that they go on with"`
	From       string          `query:"from" doc:"Opened at this instant or later"`
	To         string          `query:"to" doc:"Opened before this instant"`
	Expand     []string        `query:"expand" enum:"contact,agent,department,tags" doc:"Other things to show whole; several with commas between"`
}

// A TicketRow is a ticket with the other things that were asked for.
type TicketRow struct {
	readmodels.Ticket
	Expanded
}

// A HistoryRow is a ticket of a contact's history with the other things that were asked for.
type HistoryRow struct {
	readmodels.TicketHistory
	Expanded
}

// Expanded are the other things that a row names.
type Expanded struct {
	Contact    *readmodels.Contact    `json:"contact,omitempty" doc:"Who asked, if expanded"`
	Agent      *readmodels.Agent      `json:"agent,omitempty" doc:"Whose it is, if expanded"`
	Department *readmodels.Department `json:"department,omitempty" doc:"Where it belongs, if expanded"`
	TagRows    []readmodels.Tag       `json:"tag_rows,omitempty" doc:"Its tags, if expanded"`
}

func (s *server) tickets() {
	const list, one = "/v1/tickets", "/v1/tickets/{id}"
	s.inquiries()
	create(s, list, "Tickets", "Open a ticket of a contact", ticket.Stream, readmodels.Ticket{}, commands.OpenTicket{})
	huma.Register(s.api, operation(http.MethodGet, list, "Tickets", "List tickets, the newest first"), func(ctx context.Context, in *TicketQuery) (*Answered[List[TicketRow]], error) {
		return s.listTickets(ctx, list, in)
	})
	get(s, one, "Tickets", "A ticket, now or as of then", "ticket", role.TicketsRead, readmodels.TicketsTable, func(r readmodels.Ticket) int64 { return r.Revision }, s.maySee)
	huma.Register(s.api, conditional(operation(http.MethodGet, one+"/thread", "Tickets", "What was said and done on a ticket, the oldest first")), s.thread)
	change(s, http.MethodPost, one+"/replies", "Tickets", "Answer the contact", ticket.Stream, readmodels.Ticket{}, commands.Reply{})
	s.messages(one + "/messages")
	change(s, http.MethodPost, one+"/notes", "Tickets", "Write a note that the contact does not see", ticket.Stream, readmodels.Ticket{}, commands.AddNote{})
	change(s, http.MethodPost, one+"/assign", "Tickets", "Make a ticket an agent's", ticket.Stream, readmodels.Ticket{}, commands.AssignTicket{})
	step(s, http.MethodPost, one+"/unassign", "Tickets", "Make a ticket nobody's", ticket.Stream, readmodels.Ticket{}, commands.UnassignTicket{})
	change(s, http.MethodPost, one+"/transfer", "Tickets", "Hand a ticket to another department", ticket.Stream, readmodels.Ticket{}, commands.TransferTicket{})
	change(s, http.MethodPost, one+"/priority", "Tickets", "Say how urgent a ticket is", ticket.Stream, readmodels.Ticket{}, commands.PrioritiseTicket{})
	link(s, http.MethodPut, one+"/tags/{other}", "Tickets", "Tag a ticket", ticket.Stream, readmodels.Ticket{}, s.ticketTag(), func(t uuid.UUID) commands.Command[ticket.Ticket, ticket.Event] {
		return commands.TagTicket{Tag: t}
	})
	link(s, http.MethodPost, one+"/tags/{other}", "Tickets", "Tag a ticket, as PUT does", ticket.Stream, readmodels.Ticket{}, s.ticketTag(), func(t uuid.UUID) commands.Command[ticket.Ticket, ticket.Event] {
		return commands.TagTicket{Tag: t}
	})
	link(s, http.MethodDelete, one+"/tags/{other}", "Tickets", "Untag a ticket", ticket.Stream, readmodels.Ticket{}, s.ticketTag(), func(t uuid.UUID) commands.Command[ticket.Ticket, ticket.Event] {
		return commands.UntagTicket{Tag: t}
	})
	step(s, http.MethodPost, one+"/postpone", "Tickets", "Have a ticket wait", ticket.Stream, readmodels.Ticket{}, commands.PostponeTicket{})
	step(s, http.MethodPost, one+"/resume", "Tickets", "Have a ticket wait no more", ticket.Stream, readmodels.Ticket{}, commands.ResumeTicket{})
	step(s, http.MethodPost, one+"/resolve", "Tickets", "Mark a ticket as done", ticket.Stream, readmodels.Ticket{}, commands.ResolveTicket{})
	step(s, http.MethodPost, one+"/reopen", "Tickets", "Take up a ticket that was done", ticket.Stream, readmodels.Ticket{}, commands.ReopenTicket{})
	step(s, http.MethodPost, one+"/close", "Tickets", "Mark a ticket as done for good", ticket.Stream, readmodels.Ticket{}, commands.CloseTicket{})
	step(s, http.MethodPost, one+"/spam", "Tickets", "Mark a ticket as none", ticket.Stream, readmodels.Ticket{}, commands.MarkSpam{})
	step(s, http.MethodPost, one+"/unspam", "Tickets", "Take the mark off again", ticket.Stream, readmodels.Ticket{}, commands.UnmarkSpam{})
	step(s, http.MethodDelete, one, "Tickets", "Take a ticket out of the way", ticket.Stream, readmodels.Ticket{}, commands.DeleteTicket{})
	step(s, http.MethodPost, one+"/restore", "Tickets", "Bring a deleted ticket back", ticket.Stream, readmodels.Ticket{}, commands.RestoreTicket{})
}

// inquiries takes what came in through a channel.
func (s *server) inquiries() {
	op := command(http.MethodPost, "/v1/inquiries", "Tickets", "What came in through a channel: finds or registers the contact and opens a ticket, or adds to one")
	op.DefaultStatus = http.StatusCreated
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The ticket that it was added to",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[readmodels.Ticket](), true, "")}},
	}}
	huma.Register(s.api, op, func(ctx context.Context, in *NewThing[commands.Inquiry]) (*Changed[readmodels.Ticket], error) {
		return carry[readmodels.Ticket](ctx, s, in.Asking, digest(op, "", in.RawBody), func(by commands.By) (outcome, error) {
			a, err := commands.TakeInquiry(ctx, s.Desk, newID(by, ticket.Stream.Category), in.Body, by)
			done := of(ticket.Stream, a)
			done.created = in.Body.InReplyTo == uuid.Nil
			return done, err
		})
	})
}

// messages takes what the contact wrote on a ticket. The answer is the ticket that it went to, which is a follow-up if the
// ticket is closed or deleted.
func (s *server) messages(path string) {
	op := command(http.MethodPost, path, "Tickets", "Take a message of the contact; on a closed or deleted ticket it opens a follow-up")
	huma.Register(s.api, op, func(ctx context.Context, in *With[commands.ReceiveMessage]) (*Changed[readmodels.Ticket], error) {
		return carry[readmodels.Ticket](ctx, s, in.Asking, digest(op, in.ID.String(), in.RawBody), func(by commands.By) (outcome, error) {
			a, err := commands.Receive(ctx, s.Desk, in.ID, in.Body.Body, by)
			return of(ticket.Stream, a), err
		})
	})
}

// listTickets lists tickets with the other things that were asked for.
func (s *server) listTickets(ctx context.Context, path string, in *TicketQuery) (*Answered[List[TicketRow]], error) {
	filter, err := s.ticketFilter(ctx, in)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	return listing(ctx, s, in.Listing, path, role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[TicketRow], error) {
		found, err := readmodels.FindTickets(ctx, q, filter, p)
		if err != nil {
			return table.Found[TicketRow]{}, err
		}
		return expand(ctx, q, found, in.Expand, func(r readmodels.Ticket) readmodels.TicketState { return r.TicketState }, func(r readmodels.Ticket, e Expanded) TicketRow { return TicketRow{r, e} })
	})
}

// history is the ticket-by-contact history.
func (s *server) history(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The contact"`
	TicketQuery
}) (*Answered[List[HistoryRow]], error) {
	filter, err := s.ticketFilter(ctx, &in.TicketQuery)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	return listing(ctx, s, in.Listing, "/v1/contacts/"+in.ID.String()+"/tickets", role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[HistoryRow], error) {
		found, err := readmodels.HistoryOfContact(ctx, q, in.ID, filter, p)
		if err == nil && len(found.Rows) == 0 {
			err = mustHave(ctx, q, readmodels.ContactsTable, in.ID, contact.Contact{}.MustExist())
		}
		if err != nil {
			return table.Found[HistoryRow]{}, err
		}
		return expand(ctx, q, found, in.Expand, func(r readmodels.TicketHistory) readmodels.TicketState { return r.TicketState }, func(r readmodels.TicketHistory, e Expanded) HistoryRow { return HistoryRow{r, e} })
	})
}

func (s *server) ticketFilter(ctx context.Context, in *TicketQuery) (f readmodels.TicketFilter, err error) {
	f = readmodels.TicketFilter{
		Contact: in.Contact, Company: in.Company, Department: in.Department, Statuses: in.Status, Channel: in.Channel, Priority: in.Priority, Ref: in.Ref,
		FollowUpOf: in.FollowUpOf, Unassigned: in.Agent == "none",
	}
	if f.Departments, err = s.sees(ctx); err != nil {
		return f, err
	}
	if in.Agent != "" && !f.Unassigned {
		if f.Agent, err = uuid.Parse(in.Agent); err != nil {
			return f, domain.Invalid("agent", "id-malformed", "agent must be an agent's id, or none.")
		}
	}
	if in.Tag != "" {
		if f.Tag, err = s.ticketTag()(ctx, in.Tag); err != nil {
			return f, err
		}
	}
	if f.From, err = instantOf("from", in.From); err != nil {
		return f, err
	}
	f.To, err = instantOf("to", in.To)
	return f, err
}

// maySee refuses a ticket of a department that the caller does not serve.
func (s *server) maySee(ctx context.Context, r readmodels.Ticket) error {
	departments, err := s.sees(ctx)
	if err != nil || departments == nil || r.DepartmentID == (table.Ref{}) || slices.Contains(departments, uuid.UUID(r.DepartmentID)) {
		return err
	}
	return ticket.Ticket{}.MustExist()
}

// expand adds the other things that were asked for, with one query a kind.
func expand[R, X any](ctx context.Context, q table.Queryer, found table.Found[R], wanted []string, state func(R) readmodels.TicketState, with func(R, Expanded) X) (table.Found[X], error) {
	out := table.Found[X]{Rows: make([]X, len(found.Rows)), Next: found.Next}
	var contactIDs, agentIDs, departmentIDs, tagIDs []uuid.UUID
	for _, r := range found.Rows {
		t := state(r)
		contactIDs = append(contactIDs, t.ContactID)
		agentIDs = append(agentIDs, uuid.UUID(t.AgentID))
		departmentIDs = append(departmentIDs, uuid.UUID(t.DepartmentID))
		tagIDs = append(tagIDs, t.Tags...)
	}
	contacts, err := wantedRows(ctx, q, wanted, "contact", readmodels.ContactsTable, contactIDs, func(r readmodels.Contact) uuid.UUID { return r.ID })
	if err != nil {
		return out, err
	}
	agents, err := wantedRows(ctx, q, wanted, "agent", readmodels.AgentsTable, agentIDs, func(r readmodels.Agent) uuid.UUID { return r.ID })
	if err != nil {
		return out, err
	}
	departments, err := wantedRows(ctx, q, wanted, "department", readmodels.DepartmentsTable, departmentIDs, func(r readmodels.Department) uuid.UUID { return r.ID })
	if err != nil {
		return out, err
	}
	tags, err := wantedRows(ctx, q, wanted, "tags", readmodels.TagsTable, tagIDs, func(r readmodels.Tag) uuid.UUID { return r.ID })
	if err != nil {
		return out, err
	}
	for i, r := range found.Rows {
		t := state(r)
		e := Expanded{Contact: contacts[t.ContactID], Agent: agents[uuid.UUID(t.AgentID)], Department: departments[uuid.UUID(t.DepartmentID)]}
		for _, id := range t.Tags {
			if row := tags[id]; row != nil {
				e.TagRows = append(e.TagRows, *row)
			}
		}
		out.Rows[i] = with(r, e)
	}
	return out, nil
}

func wantedRows[R any](ctx context.Context, q table.Queryer, wanted []string, name string, in table.Table, ids []uuid.UUID, key func(R) uuid.UUID) (map[uuid.UUID]*R, error) {
	if !slices.Contains(wanted, name) {
		return nil, nil
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	rows, err := table.Many(ctx, q, in, slices.Compact(ids), key)
	byID := make(map[uuid.UUID]*R, len(rows))
	for id, r := range rows {
		byID[id] = &r
	}
	return byID, err
}
