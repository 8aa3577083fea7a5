// Package lists has desks of any size, whose rows are written straight into read models, and every question that lists of contacts,
// tickets and the like can be asked. Tests count with it what a question costs, and the benchmarks measure how long it takes.
package lists

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/domain/search"
	"daybook/domain/text"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// A Size is how large a desk is.
type Size struct{ Contacts, Tickets int }

// fixed is how many rows have what is rare, however large the desk is.
const fixed = 6

// id returns the id of a thing by its number.
func id(kind byte, n int) uuid.UUID {
	return uuid.UUID{0: kind, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// The kinds of ids.
const (
	aContact byte = iota + 1
	aTicket
	aCompany
	anAgent
	aDepartment
	aTag
	aGroup
	aNote
)

// Ids of things that many, some and few rows have, and of one that none has.
const (
	many = iota
	some
	few
	never
)

var begins = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// moment is an instant by its number.
func moment(n int) table.Instant { return table.At(begins.Add(time.Duration(n) * time.Minute)) }

// scattered puts numbers below n into another order.
func scattered(i, n int) int { return int(int64(i) * 7919 % int64(max(n, 1))) }

var firsts = []string{"Maria", "José", "Ada", "Łukasz", "Anne-Marie", "Chen", "Olga", "Ben", "Zoë", "Iris"}

// contact returns a contact by their number.
func (s Size) contact(n int) readmodels.Contact {
	c := readmodels.Contact{
		ID: id(aContact, n), Profile: readmodels.Profile{Name: fmt.Sprintf("%s Name%d", firsts[n%len(firsts)], scattered(n, 1000))}, RegisteredAt: moment(n), ChangedAt: moment(scattered(n, s.Contacts)), LastSeen: moment(scattered(n+1, s.Contacts)),
		Emails: table.List[string]{fmt.Sprintf("p%d@customers%d.example", n, n%50)}, Phones: table.List[string]{fmt.Sprintf("+3906%07d", n)},
		Events: readmodels.Events{First: table.Position(n + 1), Position: table.Position(1 + scattered(n, s.Contacts))},
	}
	switch {
	case n < fixed:
		c.Company = table.Ref(id(aCompany, few))
		c.Tags, c.Groups = append(c.Tags, id(aTag, few)), append(c.Groups, id(aGroup, few))
		c.Name = "Rara " + c.Name
	case n%3 == 1:
		c.Company = table.Ref(id(aCompany, many))
	case n%50 == 0:
		c.Company = table.Ref(id(aCompany, some))
	}
	if n%3 == 0 {
		c.Tags, c.Groups = append(c.Tags, id(aTag, many)), append(c.Groups, id(aGroup, many))
	}
	if n%25 == 1 && n%3 != 0 { // never with the other
		c.Tags = append(c.Tags, id(aTag, some))
	}
	if n%100 == 99 {
		c.DeletedAt = c.ChangedAt
	}
	c.Type, c.Country = "lead", []string{"IT", "DE", "FR"}[n%3]
	switch {
	case n < fixed:
		c.Type, c.Country = "customer", "MT"
	case n%25 == 2:
		c.Type = "guest"
	}
	c.NameKey = text.Order(c.Name)
	c.Search = search.Joined(search.Words(search.Text(c.Name), search.Email(c.Emails[0]), search.Phone(c.Phones[0])))
	return c
}

// ticket returns a ticket by its number.
func (s Size) ticket(n int) readmodels.Ticket {
	t := readmodels.TicketState{
		ID: id(aTicket, n), ContactID: id(aContact, scattered(n, s.Contacts)), Subject: fmt.Sprintf("Order %d of %s", n, []string{"a lamp", "two chairs", "the table"}[n%3]),
		Channel: "email", Priority: ticket.Normal, Status: ticket.StatusClosed, AgentID: table.Ref(id(anAgent, some+n%20)), DepartmentID: table.Ref(id(aDepartment, n%4)),
		OpenedAt: moment(n), ChangedAt: moment(n + scattered(n, 5000)), Events: readmodels.Events{First: table.Position(n + 1), Position: table.Position(1 + scattered(n, s.Tickets))},
	}
	t.CompanyID = s.contact(scattered(n, s.Contacts)).Company
	switch {
	case n < fixed:
		t.Channel, t.Priority, t.AgentID, t.Status, t.Subject = "call", ticket.Low, table.Ref(id(anAgent, few+100)), ticket.StatusPostponed, "Rara avis"
		t.Tags = append(t.Tags, id(aTag, few))
	case n < s.Tickets/50: // by somebody who left long ago
		t.AgentID = table.Ref(id(anAgent, many+100))
	case n%10 == 3:
		t.AgentID = table.Ref{}
	}
	if n >= fixed {
		switch {
		case n%4 == 3:
			t.DepartmentID = table.Ref{}
		case n > s.Tickets-s.Tickets/100:
			t.Status = ticket.StatusOpen
		}
		if n%3 == 0 {
			t.Channel, t.Status = "chat", ticket.StatusResolved
		}
		if n%5 == 0 {
			t.Priority = ticket.High
		}
		if n%8 == 0 {
			t.Tags = append(t.Tags, id(aTag, many))
		}
		if n%24 == 1 { // never with the other
			t.Tags = append(t.Tags, id(aTag, some))
		}
	}
	if n == fixed {
		t.FollowUpOf, t.Ref = table.Ref(id(aTicket, 0)), "t-1"
	}
	t.Search = search.Joined(search.Words(search.Text(t.Subject)))
	return readmodels.Ticket{TicketState: t, Messages: 1, LastMessageAt: t.OpenedAt}
}

// noted is the number of the contact on whom every second note is.
const noted = 5

// note returns a note by its number, of which there are as many as contacts.
func (s Size) note(n int) readmodels.ContactNote {
	on := scattered(n, s.Contacts)
	if n%2 == 0 {
		on = noted
	}
	return readmodels.ContactNote{
		ID: id(aNote, n), ContactID: id(aContact, on), TicketID: table.Ref(id(aTicket, scattered(n, s.Tickets))), Body: "They phoned.", Author: "agent:" + id(anAgent, 1).String(), At: moment(n),
		Events: readmodels.Events{First: table.Position(n + 1), Position: table.Position(n + 1)},
	}
}

// Fill makes an empty database the read models of a desk.
func Fill(ctx context.Context, db *table.DB, s Size) error {
	tables := []filling{
		of(readmodels.ContactsTable, counted(s.Contacts, s.contact)),
		of(readmodels.ContactNotesTable, counted(s.Contacts, s.note)),
		of(readmodels.ContactWordsTable, each(counted(s.Contacts, s.contact), func(c readmodels.Contact) (all []readmodels.ContactWord) {
			for word := range strings.FieldsSeq(c.Search) {
				all = append(all, readmodels.ContactWord{Word: word, RegisteredAt: c.RegisteredAt, First: c.First})
			}
			return all
		})),
		of(readmodels.ContactTagsTable, each(counted(s.Contacts, s.contact), func(c readmodels.Contact) (all []readmodels.ContactTag) {
			for _, tag := range c.Tags {
				all = append(all, readmodels.ContactTag{TagID: tag, RegisteredAt: c.RegisteredAt, First: c.First})
			}
			return all
		})),
		of(readmodels.ContactGroupsTable, each(counted(s.Contacts, s.contact), func(c readmodels.Contact) (all []readmodels.ContactGroup) {
			for _, group := range c.Groups {
				all = append(all, readmodels.ContactGroup{GroupID: group, RegisteredAt: c.RegisteredAt, First: c.First})
			}
			return all
		})),
		of(readmodels.TimelineTable, counted(s.Contacts, func(n int) readmodels.TimelineEntry {
			return readmodels.TimelineEntry{Position: table.Position(n + 1), ContactID: id(aContact, n), TicketID: table.Ref(id(aTicket, n)), At: moment(n), Type: "contact-registered"}
		})),
		of(readmodels.TicketsTable, counted(s.Tickets, s.ticket)),
		of(readmodels.TicketWordsTable, each(counted(s.Tickets, s.ticket), func(t readmodels.Ticket) (all []readmodels.TicketWord) {
			for word := range strings.FieldsSeq(t.Search) {
				all = append(all, readmodels.TicketWord{Word: word, OpenedAt: t.OpenedAt, First: t.First})
			}
			return all
		})),
		of(readmodels.TicketTagsTable, each(counted(s.Tickets, s.ticket), func(t readmodels.Ticket) (all []readmodels.TicketTag) {
			for _, tag := range t.Tags {
				all = append(all, readmodels.TicketTag{TagID: tag, OpenedAt: t.OpenedAt, First: t.First})
			}
			return all
		})),
		of(readmodels.TicketHistoryTable, counted(s.Tickets, func(n int) readmodels.TicketHistory {
			return readmodels.TicketHistory{TicketState: s.ticket(n).TicketState}
		})),
		of(readmodels.ParticipantsTable, counted(s.Tickets/10, func(n int) readmodels.Participant {
			return readmodels.Participant{Position: table.Position(n + 1), ContactID: id(aContact, scattered(n+17, s.Contacts)), TicketID: id(aTicket, n)}
		})),
		of(readmodels.TrailTable, counted(s.Tickets, func(n int) readmodels.TrailEntry {
			return readmodels.TrailEntry{Position: table.Position(n + 1), Stream: "ticket-" + id(aTicket, n).String(), Type: []string{"ticket-opened", "ticket-replied"}[min(1, n%50)], Actor: fmt.Sprint("agent:", id(anAgent, n%20)),
				Correlation: fmt.Sprint("c", n/3), At: moment(n), RecordedAt: moment(n)}
		})),
	}
	var relations []*table.Relation
	for _, t := range tables {
		relations = append(relations, t.relation)
	}
	if err := db.Lay(ctx, table.Generation{Number: 1, State: table.Building}, relations, []table.Checkpoint{{Projection: "lists"}}); err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.into(ctx, db); err != nil {
			return fmt.Errorf("filling %s: %w", t.relation.Name, err)
		}
	}
	return db.BuildIndexes(ctx, relations)
}

// A filling is a table and its rows.
type filling struct {
	relation *table.Relation
	rows     iter.Seq[reflect.Value]
}

// of returns a table with rows.
func of[R any](t table.Table, rows iter.Seq[R]) filling {
	r, err := table.Relate(t)
	if err != nil {
		panic(err)
	}
	return filling{r, func(yield func(reflect.Value) bool) {
		for row := range rows {
			if !yield(reflect.ValueOf(&row).Elem()) {
				return
			}
		}
	}}
}

// at once is how many rows are written in one transaction.
const atOnce = 20_000

// into writes the rows, those of one transaction in the order of their keys.
func (f filling) into(ctx context.Context, db *table.DB) error {
	next, stop := iter.Pull(f.rows)
	defer stop()
	for {
		var rows [][]driver.Value
		for range atOnce {
			row, more := next()
			if !more {
				break
			}
			values := make([]driver.Value, len(f.relation.Columns))
			if err := f.relation.Encode(row, values); err != nil {
				return err
			}
			rows = append(rows, values)
		}
		if len(rows) == 0 {
			return nil
		}
		slices.SortFunc(rows, func(a, b []driver.Value) int { return strings.Compare(fmt.Sprint(a[0]), fmt.Sprint(b[0])) })
		if err := db.Write(ctx, func(tx table.Tx) error { return tx.Put(f.relation, slices.Values(rows)) }); err != nil {
			return err
		}
	}
}

func counted[R any](n int, row func(int) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for i := range n {
			if !yield(row(i)) {
				return
			}
		}
	}
}

// each yields what rows come to.
func each[R, D any](rows iter.Seq[R], to func(R) []D) iter.Seq[D] {
	return func(yield func(D) bool) {
		for row := range rows {
			for _, d := range to(row) {
				if !yield(d) {
					return
				}
			}
		}
	}
}
