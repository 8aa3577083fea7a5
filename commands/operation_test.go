package commands_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/internal/testlog"
)

var (
	deletesAgent   work.Plan[agent.Agent]     = work.LongOf[agent.Agent, agent.Event](agent.Stream, commands.DeleteAgent{})
	deletesCompany work.Plan[company.Company] = work.LongOf[company.Company, company.Event](company.Stream, commands.DeleteCompany{})
)

// of finds the contacts of a company in their streams.
type of struct {
	t        *testing.T
	store    eventstore.Store
	contacts []uuid.UUID
}

// Find implements work.Finder.
func (f of) Find(_ context.Context, left work.Left, _ eventstore.Position, after string, limit int) (found []uuid.UUID, err error) {
	for _, id := range f.contacts {
		c, err := work.State(f.t.Context(), testlog.Desk(f.store), contact.Stream, id)
		if err != nil {
			return nil, err
		}
		if c.State.Company == left.ID && id.String() > after && len(found) < limit {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return found, nil
}

// TestOperationAfterCrash deletes a company of 3 contacts in a process that dies at each append in turn. Whether another
// process continues the operation, somebody edits the company, or the client repeats its request, in any order: a company
// that is deleted has no contacts, and whoever was told that it is deleted finds it so.
func TestOperationAfterCrash(t *testing.T) {
	for _, then := range [][]string{
		{"resume"}, {"retry", "resume"}, {"resume", "retry", "resume"}, {"edit", "resume", "retry", "resume"}, {"edit", "retry", "resume"}, {"retry", "edit", "resume"},
	} {
		for _, after := range []bool{false, true} {
			for n := 0; ; n++ {
				store := testlog.Memory(t)
				f := of{t: t, store: store}
				must[company.Company](t)(work.Do(t.Context(), testlog.Desk(store), company.Stream, id("acme"), commands.RegisterCompany{Input: nameIs("Acme")}, asks("register acme")))
				for _, name := range []string{"cy", "dee", "eve"} {
					f.contacts = append(f.contacts, id(name))
					must[contact.Contact](t)(work.Do(t.Context(), testlog.Desk(store), contact.Stream, id(name), commands.RegisterContact{Input: nameIs(name)}, asks("register "+name)))
					must[contact.Contact](t)(work.Do(t.Context(), testlog.Desk(store), contact.Stream, id(name), commands.AssignCompany{Company: id("acme")}, asks("assign "+name)))
				}
				begun := operation.Of(id("delete acme"))
				fragile := newMortal(store, n, after)
				d := testlog.Desk(fragile)
				_, err := work.Carry(t.Context(), d, deletesCompany, id("acme"), asks("delete acme"))
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
						_, _ = work.Do(t.Context(), d, company.Stream, id("acme"), commands.EditCompany{Input: nameIs("Acme 2")}, asks("edit")) // it may be deleted
					case "retry":
						must[company.Company](t)(work.Carry(t.Context(), d, deletesCompany, id("acme"), asks("delete acme")))
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
				deleted, left := stateOf(t, store, company.Stream, id("acme")).Deleted, 0
				for _, id := range f.contacts {
					if stateOf(t, store, contact.Stream, id).Company != uuid.Nil {
						left++
					}
				}
				if told && !deleted || deleted && left > 0 || !deleted && left < 3 {
					t.Errorf("append %d (written %t), then %v: told %t, deleted %t, %d contacts are in the company", n, after, then, told, deleted, left)
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
	if err := testlog.Desk(store).GoOn(t.Context(), begun, commands.Long, of{t: t, store: store}); err != nil {
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
