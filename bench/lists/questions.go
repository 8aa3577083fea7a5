package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// A Question is a list, with filters, in an order.
type Question struct {
	Name string
	Pair bool // it has several filters
	// Ask asks for a page, and returns how many rows it has and the cursor of the next.
	Ask func(ctx context.Context, q table.Queryer, p table.Page) (rows int, next string, err error)
}

// A filter is one condition of a list.
type filter[F any] struct {
	name string // with the parameter before =
	set  func(*F)
}

// conflicts reports whether two filters are of one parameter.
func (f filter[F]) conflicts(other filter[F]) bool {
	a, _, _ := strings.Cut(f.name, "=")
	b, _, _ := strings.Cut(other.name, "=")
	return a == b
}

// asked returns the questions with each filter, and with each two, in each order.
func asked[F, R any](list string, sorts []string, filters []filter[F], find func(context.Context, table.Queryer, F, table.Page) (table.Found[R], error)) (all []Question) {
	add := func(some ...filter[F]) {
		for _, sort := range sorts {
			var f F
			names := []string{list}
			for _, one := range some {
				one.set(&f)
				names = append(names, one.name)
			}
			if sort != "" {
				names = append(names, "sort="+sort)
			}
			all = append(all, Question{strings.Join(names, " "), len(some) > 1, func(ctx context.Context, q table.Queryer, p table.Page) (int, string, error) {
				p.Sort = sort
				found, err := find(ctx, q, f, p)
				return len(found.Rows), found.Next, err
			}})
		}
	}
	slices.SortFunc(filters, func(a, b filter[F]) int { return strings.Compare(a.name, b.name) })
	add()
	for i, one := range filters {
		add(one)
		for _, other := range filters[i+1:] {
			if !one.conflicts(other) {
				add(one, other)
			}
		}
	}
	return all
}

func ref(kind byte, n int) *table.Ref {
	r := table.Ref(id(kind, n))
	return &r
}

// Questions returns every question: each filter, each two filters and each order of contacts, tickets, the tickets of a contact and the
// audit trail.
func (s Size) Questions() (all []Question) {
	one := id(aContact, s.Contacts/2)
	rare := id(aContact, 3)
	contacts := []filter[readmodels.ContactFilter]{}
	add := func(name string, set func(*readmodels.ContactFilter)) {
		contacts = append(contacts, filter[readmodels.ContactFilter]{name, set})
	}
	for _, q := range []string{"maria", "rara", "name7", "p17", "p17@customers17.example", "0017", "+39 06 0000017", "m", "maria chen", "maria name7", "nobody", "customers1.example"} {
		add("q="+q, func(f *readmodels.ContactFilter) { f.Q = q })
	}
	add("email=p17", func(f *readmodels.ContactFilter) { f.Email = "p17@customers17.example" })
	add("phone=17", func(f *readmodels.ContactFilter) { f.Phone = "+39060000017" })
	for name, n := range map[string]int{"many": many, "some": some, "few": few, "never": never} {
		add("company="+name, func(f *readmodels.ContactFilter) { f.Company = ref(aCompany, n) })
		add("group="+name, func(f *readmodels.ContactFilter) { f.Group = ref(aGroup, n) })
	}
	add("company=none", func(f *readmodels.ContactFilter) { f.Company = new(table.Ref) })
	add("group=none", func(f *readmodels.ContactFilter) { f.Group = new(table.Ref) })
	for name, t := range tagged() {
		add("tag="+name, func(f *readmodels.ContactFilter) { f.Tags = t })
	}
	for _, kind := range []string{"guest", "lead", "customer"} {
		add("type="+kind, func(f *readmodels.ContactFilter) { f.Types = []string{kind} })
	}
	for _, country := range []string{"IT", "MT", "US"} {
		add("country="+country, func(f *readmodels.ContactFilter) { f.Country = []string{country} })
	}
	add("country=FR,MT", func(f *readmodels.ContactFilter) { f.Country = []string{"FR", "MT"} })
	add("identity=one", func(f *readmodels.ContactFilter) { f.ID = &one })
	add("registered=early", func(f *readmodels.ContactFilter) { f.Registered = readmodels.Period{From: moment(0), To: moment(100)} })
	add("registered=late", func(f *readmodels.ContactFilter) { f.Registered = readmodels.Period{From: moment(s.Contacts - 100)} })
	add("changed=late", func(f *readmodels.ContactFilter) { f.Changed = readmodels.Period{From: moment(s.Contacts - 100)} })
	add("seen=late", func(f *readmodels.ContactFilter) { f.Seen = readmodels.Period{From: moment(s.Contacts - 100)} })
	add("ref=c-1", func(f *readmodels.ContactFilter) { f.Ref = "c-1" })
	add("deleted=true", func(f *readmodels.ContactFilter) { f.Deleted = true })
	all = append(all, asked("contacts", []string{"", "registered_at", "name", "-name", "changed_at", "-changed_at", "-last_seen", "-position"}, contacts, readmodels.FindContacts)...)

	tickets := s.tickets()
	all = append(all, asked("tickets", []string{"", "opened_at", "changed_at", "-changed_at", "-position"}, append(tickets,
		filter[readmodels.TicketFilter]{"contact=one", func(f *readmodels.TicketFilter) { f.Contact = &one }},
		filter[readmodels.TicketFilter]{"company=many", func(f *readmodels.TicketFilter) { f.Company = ref(aCompany, many) }},
		filter[readmodels.TicketFilter]{"company_now=many", func(f *readmodels.TicketFilter) { f.CompanyNow = ref(aCompany, many) }},
		filter[readmodels.TicketFilter]{"company=few", func(f *readmodels.TicketFilter) { f.Company = ref(aCompany, few) }},
		filter[readmodels.TicketFilter]{"company_now=few", func(f *readmodels.TicketFilter) { f.CompanyNow = ref(aCompany, few) }},
		filter[readmodels.TicketFilter]{"company=never", func(f *readmodels.TicketFilter) { f.Company = ref(aCompany, never) }},
		filter[readmodels.TicketFilter]{"company_now=never", func(f *readmodels.TicketFilter) { f.CompanyNow = ref(aCompany, never) }},
		filter[readmodels.TicketFilter]{"company_now=none", func(f *readmodels.TicketFilter) { f.CompanyNow = new(table.Ref) }},
		filter[readmodels.TicketFilter]{"company=none", func(f *readmodels.TicketFilter) { f.Company = new(table.Ref) }},
	), seen(readmodels.FindTickets))...)
	for name, contact := range map[string]uuid.UUID{"one": one, "another": rare} {
		all = append(all, asked("tickets of "+name, []string{"", "changed_at", "-position"}, tickets, seen(func(ctx context.Context, q table.Queryer, f readmodels.TicketFilter, p table.Page) (table.Found[readmodels.TicketHistory], error) {
			return readmodels.HistoryOfContact(ctx, q, contact, f, p)
		}))...)
	}

	for name, contact := range map[string]uuid.UUID{"one": one, "the noted": id(aContact, noted), "nobody": id(aContact, s.Contacts)} {
		for sight, of := range map[string]role.Sight{"": role.Everything, " sight=one": role.SightOf(id(aDepartment, 1))} {
			all = append(all, asked("notes of "+name+sight, []string{"", "at"}, []filter[struct{}]{}, func(ctx context.Context, q table.Queryer, _ struct{}, p table.Page) (table.Found[readmodels.ContactNote], error) {
				return readmodels.NotesOf(ctx, q, contact, of, p)
			})...)
		}
	}

	var trail []filter[readmodels.TrailFilter]
	for name, set := range map[string]func(*readmodels.TrailFilter){
		"stream=one": func(f *readmodels.TrailFilter) { f.Stream = "ticket-" + id(aTicket, 3).String() }, "type=ticket-opened": func(f *readmodels.TrailFilter) { f.Type = "ticket-opened" },
		"type=never": func(f *readmodels.TrailFilter) { f.Type = "never" }, "actor=one": func(f *readmodels.TrailFilter) { f.Actor = "agent:" + id(anAgent, 3).String() },
		"correlation=one": func(f *readmodels.TrailFilter) { f.Correlation = "c17" }, "from=early": func(f *readmodels.TrailFilter) { f.From, f.To = moment(0), moment(100) },
		"from=late": func(f *readmodels.TrailFilter) { f.From = moment(s.Tickets - 100) }, "after=late": func(f *readmodels.TrailFilter) { f.After = table.Position(s.Tickets - 100) },
	} {
		trail = append(trail, filter[readmodels.TrailFilter]{name, set})
	}
	return append(all, asked("events", []string{"", "-position"}, trail, readmodels.FindEvents)...)
}

// tickets are the filters of every list of tickets.
func (s Size) tickets() (all []filter[readmodels.TicketFilter]) {
	add := func(name string, set func(*readmodels.TicketFilter)) {
		all = append(all, filter[readmodels.TicketFilter]{name, set})
	}
	for _, q := range []string{"order", "rara", "lamp", "chairs table", "17", "nobody"} {
		add("q="+q, func(f *readmodels.TicketFilter) { f.Q = q })
	}
	for name, n := range map[string]int{"one": some + 3, "left": many + 100, "few": few + 100, "never": never + 100} {
		add("agent="+name, func(f *readmodels.TicketFilter) { f.Agent = ref(anAgent, n) })
	}
	add("agent=none", func(f *readmodels.TicketFilter) { f.Agent = new(table.Ref) })
	add("department=one", func(f *readmodels.TicketFilter) { f.Department = ref(aDepartment, 1) })
	add("department=none", func(f *readmodels.TicketFilter) { f.Department = new(table.Ref) })
	add("department=unseen", func(f *readmodels.TicketFilter) {
		f.Department, f.Sight = ref(aDepartment, 1), role.SightOf(id(aDepartment, 0))
	})
	add("sight=one", func(f *readmodels.TicketFilter) { f.Sight = role.SightOf(id(aDepartment, 1)) })
	add("sight=another", func(f *readmodels.TicketFilter) { f.Sight = role.SightOf(id(aDepartment, 100)) })
	for name, some := range map[string][]ticket.Status{
		"closed": {ticket.StatusClosed}, "open": {ticket.StatusOpen}, "postponed": {ticket.StatusPostponed}, "new": {ticket.StatusNew}, "unfinished": ticket.Unfinished, "spam or new": {ticket.StatusSpam, ticket.StatusNew},
	} {
		add("status="+name, func(f *readmodels.TicketFilter) { f.Statuses = some })
	}
	for _, some := range [][]ticket.Channel{{"email"}, {"call"}, {"api"}, {"call", "api"}} {
		add(fmt.Sprint("channel=", some), func(f *readmodels.TicketFilter) { f.Channels = some })
	}
	for _, some := range [][]ticket.Priority{{ticket.High}, {ticket.Low}, {ticket.Urgent}, {ticket.Urgent, ticket.Low}} {
		add(fmt.Sprint("priority=", some), func(f *readmodels.TicketFilter) { f.Priorities = some })
	}
	for name, t := range tagged() {
		add("tag="+name, func(f *readmodels.TicketFilter) { f.Tags = t })
	}
	add("ref=t-1", func(f *readmodels.TicketFilter) { f.Ref = "t-1" })
	first := id(aTicket, 0)
	add("follow_up_of=one", func(f *readmodels.TicketFilter) { f.FollowUpOf = &first })
	add("from=early", func(f *readmodels.TicketFilter) { f.From, f.To = moment(0), moment(100) })
	add("from=late", func(f *readmodels.TicketFilter) { f.From = moment(s.Tickets - 100) })
	add("changed_from=early", func(f *readmodels.TicketFilter) { f.ChangedFrom, f.ChangedTo = moment(0), moment(100) })
	add("changed_from=late", func(f *readmodels.TicketFilter) { f.ChangedFrom = moment(s.Tickets) })
	return all
}

// tagged are the ways to select by tags.
func tagged() map[string]readmodels.Tagged {
	all := func(groups ...[]uuid.UUID) readmodels.Tagged { return readmodels.Tagged{All: groups} }
	a, b, c, d := id(aTag, many), id(aTag, some), id(aTag, few), id(aTag, never)
	return map[string]readmodels.Tagged{
		"many": all([]uuid.UUID{a}), "some": all([]uuid.UUID{b}), "few": all([]uuid.UUID{c}), "never": all([]uuid.UUID{d}),
		"many and some": all([]uuid.UUID{a}, []uuid.UUID{b}), "many or some": all([]uuid.UUID{a, b}), "few or never": all([]uuid.UUID{c, d}),
		"not many": {Not: []uuid.UUID{a}}, "few, not many": {All: [][]uuid.UUID{{c}}, Not: []uuid.UUID{a}}, "none": {None: true}, "any": {Some: true},
	}
}

// seen asks for tickets as somebody who sees everything, unless the filter says otherwise.
func seen[R any](find func(context.Context, table.Queryer, readmodels.TicketFilter, table.Page) (table.Found[R], error)) func(context.Context, table.Queryer, readmodels.TicketFilter, table.Page) (table.Found[R], error) {
	return func(ctx context.Context, q table.Queryer, f readmodels.TicketFilter, p table.Page) (table.Found[R], error) {
		if departments, everything := f.Sight.Departments(); !everything && len(departments) == 0 {
			f.Sight = role.Everything
		}
		return find(ctx, q, f, p)
	}
}
