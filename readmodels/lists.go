package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels/table"
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
func FindContacts(ctx context.Context, q table.Queryer, f ContactFilter, p table.Page) (table.Found[Contact], error) {
	var w table.Where
	w.Contains("search", f.Q)
	for _, t := range f.Tags {
		w.Lists("tags", t)
	}
	for _, t := range f.Without {
		w.And(`tags NOT LIKE %s`, `%"`+t.String()+`"%`)
	}
	w.Lists(`"groups"`, f.Group)
	w.IsID("company_id", f.Company)
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, ContactsTable, w, p, []string{"-registered_at", "changed_at", "name"}, func(c Contact, sort string) (any, any) {
		switch sort {
		case "changed_at":
			return int64(c.ChangedAt), c.ID
		case "name":
			return c.Name, c.ID
		}
		return int64(c.RegisteredAt), c.ID
	})
}

// unlessDeleted leaves out what was taken out of use, unless deleted is set.
func unlessDeleted(w *table.Where, deleted bool) {
	if !deleted {
		w.Say("deleted_at IS NULL")
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
func FindCompanies(ctx context.Context, q table.Queryer, f CompanyFilter, p table.Page) (table.Found[Company], error) {
	var w table.Where
	w.Contains("search", f.Q)
	w.Lists(`"groups"`, f.Group)
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, CompaniesTable, w, p, []string{"name", "registered_at"}, func(c Company, sort string) (any, any) {
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
func FindAgents(ctx context.Context, q table.Queryer, f AgentFilter, p table.Page) (table.Found[Agent], error) {
	var w table.Where
	w.Lists("departments", f.Department)
	w.Is("status", string(f.Status))
	w.Is("role", string(f.Role))
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, AgentsTable, w, p, []string{"name", "created_at"}, func(a Agent, sort string) (any, any) {
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
func FindDepartments(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Department], error) {
	var w table.Where
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, DepartmentsTable, w, p, []string{"name"}, func(d Department, _ string) (any, any) { return d.Name, d.ID })
}

// FindTags lists tags by name.
func FindTags(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Tag], error) {
	var w table.Where
	w.Is("scope", string(f.Scope))
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, TagsTable, w, p, []string{"name"}, func(t Tag, _ string) (any, any) { return t.Name, t.ID })
}

// FindGroups lists groups by name.
func FindGroups(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Group], error) {
	var w table.Where
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find(ctx, q, GroupsTable, w, p, []string{"name"}, func(g Group, _ string) (any, any) { return g.Name, g.ID })
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
	From, To    table.Instant // opened in [From, To)
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
	if f.Departments != nil {
		w.Say("(" + seenFrom(&w, f.Departments) + ")")
	}
	table.OneOf(&w, "status", f.Statuses)
	w.Is("channel", string(f.Channel))
	w.Is("priority", string(f.Priority))
	w.Lists("tags", f.Tag)
	w.Is("ref", f.Ref)
	w.IsID("follow_up_of", f.FollowUpOf)
	w.During("opened_at", f.From, f.To)
	return w
}

// seenFrom is what holds for tickets of some departments, and of none.
func seenFrom(w *table.Where, departments []uuid.UUID) string {
	clause := "department_id IS NULL"
	for _, d := range departments {
		clause += " OR department_id = " + w.Place(d.String())
	}
	return clause
}

// FindTickets lists tickets, the newest first.
func FindTickets(ctx context.Context, q table.Queryer, f TicketFilter, p table.Page) (table.Found[Ticket], error) {
	return table.Find(ctx, q, TicketsTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t Ticket, sort string) (any, any) {
		return placeOfTicket(t.TicketState, sort)
	})
}

// HistoryOfContact lists the tickets of a contact, the newest first.
func HistoryOfContact(ctx context.Context, q table.Queryer, contact uuid.UUID, f TicketFilter, p table.Page) (table.Found[TicketHistory], error) {
	f.Contact = contact
	return table.Find(ctx, q, TicketHistoryTable, f.where(), p, []string{"-opened_at", "changed_at"}, func(t TicketHistory, sort string) (any, any) {
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
func TimelineOf(ctx context.Context, q table.Queryer, contact uuid.UUID, departments []uuid.UUID, p table.Page) (table.Found[TimelineEntry], error) {
	var w table.Where
	w.IsID("contact_id", contact)
	if departments != nil {
		w.Say("(ticket_id IS NULL OR ticket_id IN (SELECT ticket_id FROM tickets WHERE " + seenFrom(&w, departments) + "))")
	}
	return table.Find(ctx, q, TimelineTable, w, p, []string{"-at"}, func(e TimelineEntry, _ string) (any, any) { return int64(e.At), int64(e.Position) })
}

// A TrailFilter says which events are wanted; what is empty is not asked for.
type TrailFilter struct {
	Stream      string
	Type        string
	Actor       string
	Correlation string
	From, To    table.Instant // happened in [From, To)
	After       Position
}

// FindEvents lists where events stand, in the order of the log.
func FindEvents(ctx context.Context, q table.Queryer, f TrailFilter, p table.Page) (table.Found[TrailEntry], error) {
	var w table.Where
	w.Is("stream", f.Stream)
	w.Is("type", f.Type)
	w.Is("actor", f.Actor)
	w.Is("correlation", f.Correlation)
	w.During("at", f.From, f.To)
	if f.After > 0 {
		w.And("position > %s", int64(f.After))
	}
	return table.Find(ctx, q, TrailTable, w, p, []string{"position"}, func(e TrailEntry, _ string) (any, any) { return int64(e.Position), int64(e.Position) })
}
