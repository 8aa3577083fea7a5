package commands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/internal/testlog"
)

var leavesSales work.Plan[agent.Agent] = work.LongOf[agent.Agent, agent.Event](agent.Stream, commands.LeaveDepartment{Department: sales})

// carried carries out a plan on a ticket.
func carried(t *testing.T, d *work.Desk, request, name string, plan work.Plan[ticket.Ticket], change ...func(*commands.By)) work.Answer[ticket.Ticket] {
	t.Helper()
	by := asks(request)
	for _, c := range change {
		c(&by)
	}
	return must[ticket.Ticket](t)(work.Carry(t.Context(), d, plan, id(name), by))
}

func isWritten(of []event.Written) (types []string) {
	for _, w := range of {
		types = append(types, w.Event.EventType())
	}
	return types
}

// TestTicketsOfWhoIsGone is case 6.19: whenever a ticket becomes workable again, and its agent was deleted or has left its
// department, it is nobody's. It stays with an agent who is there.
func TestTicketsOfWhoIsGone(t *testing.T) {
	t.Parallel()
	resolve, closes := work.Of(ticket.Stream, commands.ResolveTicket{}), work.Of(ticket.Stream, commands.CloseTicket{})
	message := work.Plan[ticket.Ticket](commands.TakeMessage{Body: "It broke again"})
	for name, test := range map[string]struct {
		before []work.Plan[ticket.Ticket]
		back   work.Plan[ticket.Ticket]
		want   []string
	}{
		"a message":         {[]work.Plan[ticket.Ticket]{resolve}, message, []string{"ticket-message-received", "ticket-reopened"}},
		"an inquiry":        {[]work.Plan[ticket.Ticket]{resolve}, commands.Inquiry{Channel: "email", From: commands.Sender{Email: "cy@customers.example"}, Body: "Again", InReplyTo: id("open")}, []string{"ticket-message-received", "ticket-joined", "ticket-reopened"}},
		"a reply":           {[]work.Plan[ticket.Ticket]{resolve}, work.Of(ticket.Stream, commands.Reply{Body: "Better now?"}), []string{"ticket-replied"}},
		"reopened":          {[]work.Plan[ticket.Ticket]{resolve}, work.Of(ticket.Stream, commands.ReopenTicket{}), []string{"ticket-reopened"}},
		"reopened, closed":  {[]work.Plan[ticket.Ticket]{closes}, work.Of(ticket.Stream, commands.ReopenTicket{}), []string{"ticket-reopened"}},
		"no spam":           {[]work.Plan[ticket.Ticket]{work.Of(ticket.Stream, commands.MarkSpam{})}, work.Of(ticket.Stream, commands.UnmarkSpam{}), []string{"ticket-unmarked-spam"}},
		"restored":          {[]work.Plan[ticket.Ticket]{work.Of(ticket.Stream, commands.DeleteTicket{})}, work.Of(ticket.Stream, commands.RestoreTicket{}), []string{"ticket-restored"}},
		"restored resolved": {[]work.Plan[ticket.Ticket]{resolve, work.Of(ticket.Stream, commands.DeleteTicket{})}, work.Of(ticket.Stream, commands.RestoreTicket{}), []string{"ticket-restored"}},
	} {
		for gone, goes := range map[string]func(*testing.T, *work.Desk){
			"nobody": func(*testing.T, *work.Desk) {},
			"deleted": func(t *testing.T, d *work.Desk) {
				must[agent.Agent](t)(work.Carry(t.Context(), d, deletesAgent, id("ann"), asks("delete ann")))
			},
			"left": func(t *testing.T, d *work.Desk) {
				must[agent.Agent](t)(work.Carry(t.Context(), d, leavesSales, id("ann"), asks("ann leaves")))
			},
		} {
			t.Run(name+" "+gone, func(t *testing.T) {
				t.Parallel()
				d := testlog.Desk(testlog.Memory(t))
				salesAndSupport(t, d)
				for i, plan := range test.before {
					carried(t, d, fmt.Sprint("before ", i), "open", plan)
				}
				goes(t, d)
				does := func() work.Answer[ticket.Ticket] {
					return carried(t, d, "back", "open", test.back, func(by *commands.By) {
						by.Actor = event.Actor{Kind: event.Agent, ID: id("bob")} // who may reply
					})
				}
				back := does()
				want, whose := test.want, id("ann")
				if gone != "nobody" {
					want, whose = append(slices.Clone(want), "ticket-unassigned"), uuid.Nil
				}
				if got := isWritten(back.Written); !slices.Equal(got, want) || back.State.Agent != whose {
					t.Errorf("%v, and the ticket is of %s; want %v, and of %s", got, back.State.Agent, want, whose)
				}
				if again := does(); !again.Replayed || again.Revision != back.Revision || again.State.Agent != back.State.Agent {
					t.Errorf("first %+v, then %+v", back, again)
				}
			})
		}
	}
}

// TestTransferToWhereTheAgentIsNot is case 4.13: Bob does not serve the department to which his ticket goes, so that it is
// nobody's, in the same answer. Ann does, and keeps hers. An imported history says itself whose tickets are.
func TestTransferToWhereTheAgentIsNot(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	salesAndSupport(t, d)
	bobs := func(by *commands.By) {
		by.Actor, by.Allowed, by.Sight = event.Actor{Kind: event.Agent, ID: id("bob")}, role.Agent.Permissions(), role.SightOf(sales)
	}
	transfer := work.Of(ticket.Stream, commands.TransferTicket{Department: support})
	moved := carried(t, d, "new", "new", transfer, bobs)
	if got := isWritten(moved.Written); !slices.Equal(got, []string{"ticket-transferred", "ticket-unassigned"}) || moved.State.Agent != uuid.Nil || moved.State.Department != support {
		t.Errorf("%v: %+v", got, moved.State)
	}
	if again := carried(t, d, "new", "new", transfer, bobs); !again.Replayed || again.Revision != moved.Revision {
		t.Errorf("again: %+v", again)
	}
	_, err := work.Carry(t.Context(), d, work.Of(ticket.Stream, commands.AssignTicket{Agent: id("bob")}), id("new"), asks("back to bob"))
	refused(t, err, "agent-not-in-department")
	if kept := carried(t, d, "open", "open", transfer, bobs); kept.State.Agent != id("ann") || len(kept.Written) != 1 {
		t.Errorf("Ann serves both departments, and her ticket is %+v", kept.State)
	}

	imported := testlog.Desk(testlog.Memory(t))
	salesAndSupport(t, imported)
	if kept := carried(t, imported, "new", "new", transfer, func(by *commands.By) { by.History = true }); kept.State.Agent != id("bob") {
		t.Errorf("the history does not say that the ticket is nobody's: %+v", kept.State)
	}
}

// TestLeavingADepartment is case 4.11: the tickets that an agent has in a department go back to it when the agent leaves, also
// in a process that dies at each append in turn. Those elsewhere, and those of others, stay.
func TestLeavingADepartment(t *testing.T) {
	afterCrash(t, leavesSales, id("ann"), func(t *testing.T, d *work.Desk) {
		salesAndSupport(t, d)
		for name, in := range map[string]uuid.UUID{"elsewhere": support, "nowhere": uuid.Nil} {
			must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id(name), commands.OpenTicket{Contact: cy, Channel: "email", Department: in}, asks("open "+name)))
			must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id(name), commands.AssignTicket{Agent: id("ann")}, asks("assign "+name)))
		}
	}, func(t *testing.T, d *work.Desk) {
		must[agent.Agent](t)(work.Do(t.Context(), d, agent.Stream, id("ann"), commands.EditAgent{Alias: text("A.")}, asks("edit")))
	}, func(t *testing.T, d *work.Desk) (has bool, left int) {
		for name, whose := range map[string]string{"elsewhere": "ann", "nowhere": "ann", "new": "bob", "resolved": "ann", "closed": "ann"} {
			if got := stateOf(t, d.Store, ticket.Stream, id(name)).Agent; got != id(whose) {
				t.Errorf("the ticket %s is of %s, want %s", name, got, whose)
			}
		}
		if stateOf(t, d.Store, ticket.Stream, id("open")).Agent != uuid.Nil {
			left++
		}
		return !stateOf(t, d.Store, agent.Stream, id("ann")).In(sales), left
	})
}

// TestTicketsThatOthersHaveByNow is case 5.7: while an agent is deleted, or leaves, a ticket is given to another. It stays
// theirs, and a ticket that the agent got is handed back.
func TestTicketsThatOthersHaveByNow(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]work.Plan[agent.Agent]{"deleted": deletesAgent, "left": leavesSales} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := testlog.Memory(t)
			d := testlog.Desk(store)
			salesAndSupport(t, d)
			late := make(chan struct{})
			h := held{store, make(chan struct{}), make(chan struct{})}
			go func() { // decided while Bob is there, and written when the operation has already looked
				defer close(late)
				_, _ = work.Do(context.WithoutCancel(t.Context()), testlog.Desk(h), ticket.Stream, id("open"), commands.AssignTicket{Agent: id("bob")}, asks("to bob"))
			}()
			<-h.arrived
			must[agent.Agent](t)(work.Carry(t.Context(), d, plan, id("bob"), asks("bob goes")))
			given := false
			f := looking{of{t, store}, func() {
				if !given {
					given = true
					must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("new"), commands.AssignTicket{Agent: id("ann")}, asks("to ann")))
					close(h.goes)
					<-late
				}
			}}
			if err := d.GoOn(t.Context(), operation.Of(id("bob goes")), commands.Long, f); err != nil {
				t.Fatal(err)
			}
			if got := stateOf(t, store, ticket.Stream, id("new")).Agent; got != id("ann") {
				t.Errorf("the ticket that was given to Ann is of %s", got)
			}
			if got := stateOf(t, store, ticket.Stream, id("open")).Agent; got == id("bob") {
				t.Error("the ticket that Bob got is still his")
			}
		})
	}
}

// TestOpeningInADepartmentThatOneDoesNotServe is case 4.11: who names a department must serve it. A follow-up is in the
// department of the ticket before it, whoever brings in the message, and an imported history says what happened.
func TestOpeningInADepartmentThatOneDoesNotServe(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	d := testlog.Desk(store)
	salesAndSupport(t, d)
	bobs := asks("bob opens")
	bobs.Actor, bobs.Allowed, bobs.Sight = event.Actor{Kind: event.Agent, ID: id("bob")}, role.Agent.Permissions(), role.SightOf(sales)
	inquiry := commands.Inquiry{Channel: "call", From: commands.Sender{Email: "dan@customers.example"}, Body: "She called.", Department: support}
	answering := inquiry
	answering.InReplyTo = id("closed")
	open := commands.OpenTicket{Contact: cy, Channel: "call", Department: support}
	for name, plan := range map[string]work.Plan[ticket.Ticket]{"a ticket": work.Of(ticket.Stream, open), "an inquiry": inquiry, "a follow-up": answering} {
		_, err := work.Carry(t.Context(), d, plan, id(name), bobs)
		if no := (*domain.Error)(nil); !errors.As(err, &no) || no.Code != "department-not-served" || no.Refusal != domain.RefusedForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(contacts(t, d)); n != 1 {
		t.Errorf("a refused inquiry leaves %d contacts", n)
	}
	open.Department = uuid.Nil
	bobs.Request = id("bob opens in none")
	must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("in none"), open, bobs))
	open.Department = sales
	bobs.Request = id("bob opens in sales")
	must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("in sales"), open, bobs))
	bobs.Request, bobs.History, open.Department = id("bob opened"), true, support
	must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("in support"), open, bobs))

	must[department.Department](t)(work.Carry(t.Context(), d, deletesSales, sales, asks("sales goes to support")))
	bobs.Request, bobs.History = id("bob hears"), false
	answer := must[ticket.Ticket](t)(work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.TakeMessage{Body: "Again"}), id("closed"), bobs))
	if answer.ID != ticket.FollowUp(id("closed")) || answer.State.Department != support {
		t.Errorf("%+v", answer)
	}
}

// TestInquiryForADeletedDepartment is of the kind of case 6.12: an inquiry names a department that was deleted. Its ticket, and its
// follow-up of a closed one, are where the department's tickets went. One that never was is refused.
func TestInquiryForADeletedDepartment(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]uuid.UUID{"heir": support, "none": uuid.Nil} {
		d := testlog.Desk(testlog.Memory(t))
		salesAndSupport(t, d)
		deletes := work.LongOf[department.Department, department.Event](department.Stream, commands.DeleteDepartment{To: to})
		must[department.Department](t)(work.Carry(t.Context(), d, work.Plan[department.Department](deletes), sales, asks("delete")))
		inquiry := commands.Inquiry{Channel: "form", From: commands.Sender{Email: "dan@customers.example"}, Body: "Help", Department: sales}
		if opened := carried(t, d, "new one", "of dan", inquiry); opened.State.Department != to {
			t.Errorf("%s: the ticket is in %s", name, opened.State.Department)
		}
		inquiry.InReplyTo = id("closed")
		if opened := carried(t, d, "again", "not used", inquiry); opened.State.Department != to || opened.ID != ticket.FollowUp(id("closed")) {
			t.Errorf("%s: the follow-up is in %s", name, opened.State.Department)
		}
		_, err := work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{Channel: "form", From: commands.Sender{Email: "dan@customers.example"}, Department: id("nowhere")}), id("nowhere"), asks("nowhere"))
		refused(t, err, "department-unknown")
	}
}
