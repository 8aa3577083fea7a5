package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// A ContactFilter says which contacts are wanted; what is empty is not asked for.
type ContactFilter struct {
	Q       string // words that name or addresses contain
	Tags    []uuid.UUID
	Without []uuid.UUID // tags that they do not have
	Group   uuid.UUID
	Company uuid.UUID
	Ref     string
	Deleted bool // those taken out of use too
}

// FindContacts lists contacts, the newest first.
func FindContacts(ctx context.Context, q Queryer, f ContactFilter, p Page) (Found[Contact], error) {
	var w where
	w.contains("search", f.Q)
	for _, t := range f.Tags {
		w.lists("tags", t)
	}
	for _, t := range f.Without {
		w.and(`tags NOT LIKE %s`, `%"`+t.String()+`"%`)
	}
	w.lists(`"groups"`, f.Group)
	w.isID("company_id", f.Company)
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, ContactsTable, w, p, []string{"-registered_at", "changed_at", "name"}, func(c Contact, sort string) (any, any) {
		switch sort {
		case "changed_at":
			return int64(c.ChangedAt), c.ID
		case "name":
			return c.Name, c.ID
		}
		return int64(c.RegisteredAt), c.ID
	})
}

// inUse leaves out what was taken out of use, unless deleted is set.
func (w *where) inUse(deleted bool) {
	if !deleted {
		w.clauses = append(w.clauses, "deleted_at IS NULL")
	}
}

// A CompanyFilter says which companies are wanted.
type CompanyFilter struct {
	Q       string
	Group   uuid.UUID
	Ref     string
	Deleted bool
}

// FindCompanies lists companies by name.
func FindCompanies(ctx context.Context, q Queryer, f CompanyFilter, p Page) (Found[Company], error) {
	var w where
	w.contains("search", f.Q)
	w.lists(`"groups"`, f.Group)
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, CompaniesTable, w, p, []string{"name", "registered_at"}, func(c Company, sort string) (any, any) {
		if sort == "registered_at" {
			return int64(c.RegisteredAt), c.ID
		}
		return c.Name, c.ID
	})
}

// An AgentFilter says which agents are wanted.
type AgentFilter struct {
	Department uuid.UUID
	Status     AgentStatus
	Role       role.Role
	Ref        string
	Deleted    bool
}

// FindAgents lists agents by name.
func FindAgents(ctx context.Context, q Queryer, f AgentFilter, p Page) (Found[Agent], error) {
	var w where
	w.lists("departments", f.Department)
	w.is("status", string(f.Status))
	w.is("role", string(f.Role))
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, AgentsTable, w, p, []string{"name", "created_at"}, func(a Agent, sort string) (any, any) {
		if sort == "created_at" {
			return int64(a.CreatedAt), a.ID
		}
		return a.Name, a.ID
	})
}

// A NameFilter says which departments, tags or groups are wanted.
type NameFilter struct {
	Scope   tag.Scope // of tags
	Ref     string
	Deleted bool
}

// FindDepartments lists departments by name.
func FindDepartments(ctx context.Context, q Queryer, f NameFilter, p Page) (Found[Department], error) {
	var w where
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, DepartmentsTable, w, p, []string{"name"}, func(d Department, _ string) (any, any) { return d.Name, d.ID })
}

// FindTags lists tags by name.
func FindTags(ctx context.Context, q Queryer, f NameFilter, p Page) (Found[Tag], error) {
	var w where
	w.is("scope", string(f.Scope))
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, TagsTable, w, p, []string{"name"}, func(t Tag, _ string) (any, any) { return t.Name, t.ID })
}

// FindGroups lists groups by name.
func FindGroups(ctx context.Context, q Queryer, f NameFilter, p Page) (Found[Group], error) {
	var w where
	w.is("ref", f.Ref)
	w.inUse(f.Deleted)
	return page(ctx, q, GroupsTable, w, p, []string{"name"}, func(g Group, _ string) (any, any) { return g.Name, g.ID })
}

// A TicketFilter says which tickets are wanted; what is empty is not asked for.
type TicketFilter struct {
	Contact     uuid.UUID
	Company     uuid.UUID // whose contacts asked
	Agent       uuid.UUID
	Unassigned  bool // those that are nobody's
	Department  uuid.UUID
	Departments []uuid.UUID // if not nil, only tickets in one of them, or in none, can be seen
	Statuses    []ticket.Status
	Channel     ticket.Channel
	Priority    ticket.Priority
	Tag         uuid.UUID
	Ref         string
	FollowUpOf  uuid.UUID
	From, To    Instant // opened in [From, To)
}

func (f TicketFilter) where() where {
	var w where
	w.isID("contact_id", f.Contact)
	if f.Company != uuid.Nil {
		w.and("contact_id IN (SELECT contact_id FROM contacts WHERE company_id = %s)", f.Company.String())
	}
	w.isID("agent_id", f.Agent)
	if f.Unassigned {
		w.clauses = append(w.clauses, "agent_id IS NULL")
	}
	w.isID("department_id", f.Department)
	if f.Departments != nil {
		w.clauses = append(w.clauses, "("+w.seenFrom(f.Departments)+")")
	}
	oneOf(&w, "status", f.Statuses)
	w.is("channel", string(f.Channel))
	w.is("priority", string(f.Priority))
	w.lists("tags", f.Tag)
	w.is("ref", f.Ref)
	w.isID("follow_up_of", f.FollowUpOf)
	w.during("opened_at", f.From, f.To)
	return w
}

// seenFrom is what holds for tickets of some departments, and of none.
func (w *where) seenFrom(departments []uuid.UUID) string {
	clause := "department_id IS NULL"
	for _, d := range departments {
		clause += " OR department_id = " + w.place(d.String())
	}
	return clause
}

// FindTickets lists tickets, the newest first.
func FindTickets(ctx context.Context, q Queryer, f TicketFilter, p Page) (Found[Ticket], error) {
	return page(ctx, q, TicketsTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t Ticket, sort string) (any, any) {
		return placeOfTicket(t.TicketState, sort)
	})
}

// HistoryOfContact lists the tickets of a contact, the newest first.
func HistoryOfContact(ctx context.Context, q Queryer, contact uuid.UUID, f TicketFilter, p Page) (Found[TicketHistory], error) {
	f.Contact = contact
	return page(ctx, q, TicketHistoryTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t TicketHistory, sort string) (any, any) {
		return placeOfTicket(t.TicketState, sort)
	})
}

func placeOfTicket(t TicketState, sort string) (any, any) {
	if sort == "changed_at" {
		return int64(t.ChangedAt), t.ID
	}
	return int64(t.OpenedAt), t.ID
}

// TimelineOf lists what happened to a contact, the newest first. If departments is not nil, tickets that belong to another
// are left out.
func TimelineOf(ctx context.Context, q Queryer, contact uuid.UUID, departments []uuid.UUID, p Page) (Found[TimelineEntry], error) {
	var w where
	w.isID("contact_id", contact)
	if departments != nil {
		w.clauses = append(w.clauses, "(ticket_id IS NULL OR ticket_id IN (SELECT ticket_id FROM tickets WHERE "+w.seenFrom(departments)+"))")
	}
	return page(ctx, q, TimelineTable, w, p, []string{"-at"}, func(e TimelineEntry, _ string) (any, any) { return int64(e.At), int64(e.Position) })
}

// A TrailFilter says which events are wanted; what is empty is not asked for.
type TrailFilter struct {
	Stream      string
	Type        string
	Actor       string
	Correlation string
	From, To    Instant // happened in [From, To)
	After       Position
}

// FindEvents lists where events stand, in the order of the log.
func FindEvents(ctx context.Context, q Queryer, f TrailFilter, p Page) (Found[TrailEntry], error) {
	var w where
	w.is("stream", f.Stream)
	w.is("type", f.Type)
	w.is("actor", f.Actor)
	w.is("correlation", f.Correlation)
	w.during("at", f.From, f.To)
	if f.After > 0 {
		w.and("position > %s", int64(f.After))
	}
	return page(ctx, q, TrailTable, w, p, []string{"position"}, func(e TrailEntry, _ string) (any, any) { return int64(e.Position), int64(e.Position) })
}
