package commands_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/internal/testlog"
)

var (
	deletesAgent   work.Plan[agent.Agent]     = work.LongOf[agent.Agent, agent.Event](agent.Stream, commands.DeleteAgent{})
	deletesCompany work.Plan[company.Company] = work.LongOf[company.Company, company.Event](company.Stream, commands.DeleteCompany{})
)

// of finds what is left in the log.
type of struct {
	t     *testing.T
	store eventstore.Store
}

// Find implements work.Finder.
func (f of) Find(_ context.Context, left work.Left, _ eventstore.Position, after string, limit int) (found []uuid.UUID, err error) {
	d := testlog.Desk(f.store)
	switch left.Category + " of " + strings.Join(slices.Sorted(maps.Keys(left.Showing)), " and ") {
	case "contact of company":
		found = those(contacts(f.t, d), func(c contact.Contact) bool { return c.Company == left.Showing["company"] })
	case "ticket of department":
		found = those(tickets(f.t, d), func(t ticket.Ticket) bool {
			return t.Department == left.Showing["department"] && slices.Contains(ticket.Workable, t.Status)
		})
	case "ticket of agent":
		found = those(tickets(f.t, d), func(t ticket.Ticket) bool {
			return t.Agent == left.Showing["agent"] && slices.Contains(ticket.Unfinished, t.Status)
		})
	case "ticket of agent and department":
		found = those(tickets(f.t, d), func(t ticket.Ticket) bool {
			return t.Agent == left.Showing["agent"] && t.Department == left.Showing["department"] && slices.Contains(ticket.Unfinished, t.Status)
		})
	case "agent of department":
		found = those(things(f.t, d, agent.Stream), func(a agent.Agent) bool { return a.In(left.Showing["department"]) })
	}
	found = slices.DeleteFunc(found, func(id uuid.UUID) bool { return id.String() <= after })
	return found[:min(limit, len(found))], nil
}

// those returns the ids of the things for which is returns true, in order.
func those[S any](all map[uuid.UUID]S, is func(S) bool) (found []uuid.UUID) {
	for id, thing := range all {
		if is(thing) {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return found
}

// TestOperationAfterCrash deletes a company of 3 contacts, and a department with tickets and agents, in a process that dies
// at each append in turn. Whether another process continues the operation, somebody changes the thing, or the client repeats
// its request, in any order: nothing names a thing that is deleted, and whoever was told that it is deleted finds it so.
func TestOperationAfterCrash(t *testing.T) {
	t.Run("company", func(t *testing.T) {
		afterCrash(t, deletesCompany, id("acme"), func(t *testing.T, d *work.Desk) {
			must[company.Company](t)(work.Do(t.Context(), d, company.Stream, id("acme"), commands.RegisterCompany{Input: nameIs("Acme")}, asks("register acme")))
			for _, name := range []string{"cy", "dee", "eve"} {
				must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, id(name), commands.RegisterContact{Input: nameIs(name)}, asks("register "+name)))
				must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, id(name), commands.AssignCompany{Company: id("acme")}, asks("assign "+name)))
			}
		}, func(t *testing.T, d *work.Desk) {
			_, _ = work.Do(t.Context(), d, company.Stream, id("acme"), commands.EditCompany{Input: nameIs("Acme 2")}, asks("edit")) // it may be deleted
		}, func(t *testing.T, d *work.Desk) (deleted bool, left int) {
			for _, c := range contacts(t, d) {
				if c.Company != uuid.Nil {
					left++
				}
			}
			return stateOf(t, d.Store, company.Stream, id("acme")).Deleted, left
		})
	})
	t.Run("department", func(t *testing.T) {
		afterCrash(t, deletesSales, sales, salesAndSupport, func(t *testing.T, d *work.Desk) {
			_, _ = work.Do(t.Context(), d, department.Stream, sales, commands.RenameDepartment{Name: "Orders"}, asks("rename")) // it may be deleted
		}, func(t *testing.T, d *work.Desk) (deleted bool, left int) {
			deleted = stateOf(t, d.Store, department.Stream, sales).Deleted
			for name, one := range tickets(t, d) {
				switch {
				case name == id("closed"):
				case one.Department == sales:
					left++
				case !deleted || one.Department != support:
					t.Errorf("the ticket is in %s", one.Department)
				}
			}
			for _, a := range things(t, d, agent.Stream) {
				if a.In(sales) {
					left++
				}
			}
			anns, bobs := stateOf(t, d.Store, ticket.Stream, id("open")), stateOf(t, d.Store, ticket.Stream, id("new"))
			if deleted && left == 0 && (anns.Agent != id("ann") || bobs.Agent != uuid.Nil) {
				t.Errorf("the ticket of who serves both is %v, of who does not %v", anns, bobs)
			}
			return deleted, left
		})
	})
}

var (
	support = id("support")

	deletesSales work.Plan[department.Department] = work.LongOf[department.Department, department.Event](department.Stream, commands.DeleteDepartment{To: support})
)

// salesAndSupport creates two departments, agents and tickets. Ann serves both departments, and Bob only sales.
func salesAndSupport(t *testing.T, d *work.Desk) {
	t.Helper()
	for name, in := range map[string]uuid.UUID{"Sales": sales, "Support": support} {
		must[department.Department](t)(work.Do(t.Context(), d, department.Stream, in, commands.CreateDepartment{Name: name}, asks("create "+name)))
	}
	for name, in := range map[string][]uuid.UUID{"ann": {sales, support}, "bob": {sales}} {
		must[agent.Agent](t)(work.Do(t.Context(), d, agent.Stream, id(name), commands.CreateAgent{Name: name, Email: name + "@desk.example", Role: role.Owner}, asks("create "+name)))
		for _, in := range in {
			must[agent.Agent](t)(work.Do(t.Context(), d, agent.Stream, id(name), commands.JoinDepartment{Department: in}, asks(name+" joins "+in.String())))
		}
	}
	must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, cy, commands.RegisterContact{Input: nameIs("Cy")}, asks("register cy")))
	for name, agent := range map[string]string{"new": "bob", "open": "ann", "resolved": "ann", "closed": "ann"} {
		changes := []work.Command[ticket.Ticket, ticket.Event]{commands.OpenTicket{Contact: cy, Channel: "email", Subject: name, Department: sales}, commands.AssignTicket{Agent: id(agent)}}
		switch name {
		case "resolved":
			changes = append(changes, commands.ResolveTicket{})
		case "closed":
			changes = append(changes, commands.CloseTicket{})
		}
		for i, change := range changes {
			must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id(name), change, asks(fmt.Sprint(name, i))))
		}
	}
}

// afterCrash carries out a long command in a process that dies at each append in turn, and then lets others go on. state
// returns whether the command has taken effect, and the number of things that it has not seen to.
func afterCrash[S any](t *testing.T, plan work.Plan[S], about uuid.UUID, setup, edit func(*testing.T, *work.Desk), state func(*testing.T, *work.Desk) (deleted bool, left int)) {
	for _, then := range [][]string{
		{"resume"}, {"retry", "resume"}, {"resume", "retry", "resume"}, {"edit", "resume", "retry", "resume"}, {"edit", "retry", "resume"}, {"retry", "edit", "resume"},
	} {
		for _, after := range []bool{false, true} {
			for n := 0; ; n++ {
				store := testlog.Memory(t)
				f := of{t, store}
				setup(t, testlog.Desk(store))
				_, all := state(t, testlog.Desk(store))
				begun := operation.Of(id("delete"))
				fragile := newMortal(store, n, after)
				d := testlog.Desk(fragile)
				_, err := work.Carry(t.Context(), d, plan, about, asks("delete"))
				told := err == nil
				if err == nil {
					err = d.GoOn(t.Context(), begun, commands.Long, f)
				}
				if fragile.dead != (err != nil) {
					t.Fatalf("append %d: dead %t, %v", n, fragile.dead, err)
				}
				for _, step := range then {
					d := testlog.Desk(store)
					switch step {
					case "edit":
						edit(t, d)
					case "retry":
						must[S](t)(work.Carry(t.Context(), d, plan, about, asks("delete")))
						told = true
					case "resume":
						if o := stateOf(t, store, operation.Stream, begun); !o.Begun {
							break // nothing was written
						}
						if err := d.GoOn(t.Context(), begun, commands.Long, f); err != nil {
							t.Fatal(err)
						}
					}
				}
				deleted, left := state(t, testlog.Desk(store))
				if told && !deleted || deleted && left > 0 || !deleted && left < all {
					t.Errorf("append %d (written %t), then %v: told %t, deleted %t, %d of %d are left", n, after, then, told, deleted, left, all)
				}
				if o := stateOf(t, store, operation.Stream, begun); o.Begun && !o.Ended {
					t.Errorf("append %d (written %t), then %v: the operation has not ended", n, after, then)
				}
				if !fragile.dead {
					break
				}
			}
		}
	}
}

// held is a log whose appends wait until they are let go.
type held struct {
	eventstore.Store
	arrived, goes chan struct{}
}

func (h held) Append(ctx context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	close(h.arrived)
	<-h.goes
	return h.Store.Append(ctx, to...)
}

// looking is a Finder that calls then after it has looked for the first time.
type looking struct {
	of
	then func()
}

func (l looking) Find(ctx context.Context, left work.Left, at eventstore.Position, after string, limit int) ([]uuid.UUID, error) {
	defer l.then()
	return l.of.Find(ctx, left, at, after, limit)
}

// TestTicketsThatSlipIn opens tickets in a department while it is deleted: one before that is written, and one that was
// decided before and is written when the operation has already looked for tickets. Both go to the heir.
func TestTicketsThatSlipIn(t *testing.T) {
	store := testlog.Memory(t)
	salesAndSupport(t, testlog.Desk(store))
	opens := func(store eventstore.Store, name string) {
		_, err := work.Do(t.Context(), testlog.Desk(store), ticket.Stream, id(name), commands.OpenTicket{Contact: cy, Channel: "email", Subject: name, Department: sales}, asks("open "+name))
		if err != nil {
			t.Error(err)
		}
	}
	h, over := held{store, make(chan struct{}), make(chan struct{})}, make(chan struct{})
	go func() { defer close(over); opens(h, "late") }()
	<-h.arrived
	before := testlog.Dying{Store: store, End: func(stream string, _ eventstore.Revision) testlog.End {
		if stream == department.Stream.Stream(sales) {
			opens(store, "early")
		}
		return testlog.Lives
	}}
	d := testlog.Desk(&before)
	must[department.Department](t)(work.Carry(t.Context(), d, deletesSales, sales, asks("delete")))
	late := looking{of{t, store}, sync.OnceFunc(func() { close(h.goes); <-over })}
	if err := d.GoOn(t.Context(), operation.Of(id("delete")), commands.Long, late); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"early", "late"} {
		if in := stateOf(t, store, ticket.Stream, id(name)).Department; in != support {
			t.Errorf("the %s ticket is in %s", name, in)
		}
	}
	if _, err := work.Do(t.Context(), d, ticket.Stream, id("after"), commands.OpenTicket{Contact: cy, Channel: "email", Department: sales}, asks("after")); err == nil {
		t.Error("a ticket was opened in the deleted department")
	}
}

// TestHeirs brings tickets of a deleted department back, and writes to a closed one: they go where its tickets went, also if
// that department was deleted in turn.
func TestHeirs(t *testing.T) {
	orders := id("orders")
	for name, test := range map[string]struct {
		heirs map[uuid.UUID]uuid.UUID
		want  uuid.UUID
	}{
		"heir":          {map[uuid.UUID]uuid.UUID{sales: support}, support},
		"heir's heir":   {map[uuid.UUID]uuid.UUID{sales: support, support: orders}, orders},
		"no heir":       {map[uuid.UUID]uuid.UUID{sales: uuid.Nil}, uuid.Nil},
		"heir's none":   {map[uuid.UUID]uuid.UUID{sales: support, support: uuid.Nil}, uuid.Nil},
		"of each other": {map[uuid.UUID]uuid.UUID{sales: support, support: sales}, uuid.Nil},
	} {
		t.Run(name, func(t *testing.T) {
			store := testlog.Memory(t)
			d := testlog.Desk(store)
			salesAndSupport(t, d)
			must[department.Department](t)(work.Do(t.Context(), d, department.Stream, orders, commands.CreateDepartment{Name: "Orders"}, asks("create orders")))
			does := func(thing string, plan work.Plan[ticket.Ticket]) work.Answer[ticket.Ticket] {
				t.Helper()
				return must[ticket.Ticket](t)(work.Carry(t.Context(), d, plan, id(thing), asks(fmt.Sprintf("%T %s", plan, thing))))
			}
			does("new", work.Of(ticket.Stream, commands.MarkSpam{}))
			does("open", work.Of(ticket.Stream, commands.DeleteTicket{}))
			does("resolved", work.Of(ticket.Stream, commands.CloseTicket{}))
			for of, to := range test.heirs { // at once: each exists while the other is deleted
				_, err := work.Carry(t.Context(), testlog.Desk(store), unchecked{to}, of, asks("delete "+of.String()))
				if err != nil {
					t.Fatal(err)
				}
			}
			for thing, plan := range map[string]work.Plan[ticket.Ticket]{
				"new": work.Of(ticket.Stream, commands.UnmarkSpam{}), "open": work.Of(ticket.Stream, commands.RestoreTicket{}), "resolved": work.Of(ticket.Stream, commands.ReopenTicket{}),
			} {
				first := does(thing, plan)
				if first.State.Department != test.want {
					t.Errorf("%s: in %s, want %s", thing, first.State.Department, test.want)
				}
				want := []string{"ticket-transferred"}
				if test.want != uuid.Nil && !stateOf(t, store, agent.Stream, agentOf[thing]).In(test.want) {
					want = append(want, "ticket-unassigned")
				}
				var got []string
				for _, w := range first.Written[1:] {
					got = append(got, w.Event.EventType())
					if w.Metadata.Cause != first.Written[0].ID {
						t.Errorf("%s: %s was caused by %s", thing, w.Event.EventType(), w.Metadata.Cause)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", thing, got, want)
				}
				if again := does(thing, plan); !again.Replayed || again.Revision != first.Revision || again.State.Department != test.want {
					t.Errorf("%s: at first %v, then %v", thing, first, again)
				}
			}
			if followUp := does("closed", commands.TakeMessage{Body: "Again"}); followUp.State.Department != test.want || followUp.ID != ticket.FollowUp(id("closed")) {
				t.Errorf("the follow-up %s is in %s, want %s", followUp.ID, followUp.State.Department, test.want)
			}
		})
	}
}

var agentOf = map[string]uuid.UUID{"new": id("bob"), "open": id("ann"), "resolved": id("ann")}

// unchecked deletes a department whose heir may not exist any more.
type unchecked struct{ to uuid.UUID }

func (unchecked) Permission() role.Permission { return role.DesksWrite }

func (c unchecked) Carry(w *work.Work, of uuid.UUID, by commands.By) (work.Answer[department.Department], error) {
	return work.Run(w, department.Stream, of, c, by)
}

func (c unchecked) Decide(department.Department, commands.By) ([]department.Event, error) {
	return []department.Event{department.Deleted{To: c.to}}, nil
}

// TestOwnerIsDeletedAfterCrash: an operation may do what its caller was allowed to do.
func TestOwnerIsDeletedAfterCrash(t *testing.T) {
	store := testlog.Memory(t)
	for _, name := range []string{"ann", "bob"} {
		must[agent.Agent](t)(work.Do(t.Context(), testlog.Desk(store), agent.Stream, id(name), commands.CreateAgent{Name: name, Email: name + "@desk.example", Role: role.Owner}, asks("create "+name)))
	}
	_, err := work.Carry(t.Context(), testlog.Desk(newMortal(store, 2, false)), deletesAgent, id("bob"), asks("delete bob"))
	begun := operation.Of(id("delete bob"))
	if err == nil || !stateOf(t, store, operation.Stream, begun).Begun || stateOf(t, store, agent.Stream, id("bob")).Deleted {
		t.Fatalf("the crash came elsewhere: %v", err)
	}
	if err := testlog.Desk(store).GoOn(t.Context(), begun, commands.Long, of{t, store}); err != nil {
		t.Fatal(err)
	}
	if !stateOf(t, store, agent.Stream, id("bob")).Deleted {
		t.Error("the owner is still there")
	}
}

// stateOf returns a thing as a process that has just started sees it.
func stateOf[S any, E event.Event](t *testing.T, store eventstore.Store, kind event.Kind[S, E], id uuid.UUID) S {
	t.Helper()
	a, err := work.State(t.Context(), testlog.Desk(store), kind, id)
	if err != nil {
		t.Fatal(err)
	}
	return a.State
}
