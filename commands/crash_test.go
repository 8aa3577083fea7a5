package commands_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/internal/testlog"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// asks returns the By of an owner, with a request id derived from a name.
func asks(request string) commands.By {
	return commands.By{Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Sight: role.Everything, At: noon, Request: id(request), Digest: "the body of " + request, Through: "test"}
}

func id(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func nameIs(name string) profile.Input { return profile.Input{Name: &name} }

// mortal is a log that dies at its nth append and at every later one: before writing the nth, or after, when only the answer
// is lost.
type mortal struct {
	testlog.Dying

	mu   sync.Mutex
	dead bool
}

func newMortal(store eventstore.Store, n int, after bool) *mortal {
	m := &mortal{}
	m.Dying = testlog.Dying{Store: store, End: func(string, eventstore.Revision) testlog.End {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.dead {
			return testlog.Before
		}
		if n--; n >= 0 {
			return testlog.Lives
		}
		if m.dead = true; after {
			return testlog.Written
		}
		return testlog.Before
	}}
	return m
}

// crashing runs do on stores that die at each append in turn. Each time a new process runs do again, and check gets its
// result. setup runs before, on a store that does not die.
func crashing(t *testing.T, setup, do func(*testing.T, *work.Desk) error, check func(t *testing.T, d *work.Desk, died bool)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			store := testlog.Memory(t)
			if err := setup(t, testlog.Desk(store)); err != nil {
				t.Fatal(err)
			}
			fragile := newMortal(store, n, after)
			err := do(t, testlog.Desk(fragile))
			if fragile.dead != (err != nil) {
				t.Fatalf("append %d (written %t): dead %t, %v", n, after, fragile.dead, err)
			}
			check(t, testlog.Desk(store), fragile.dead)
			if t.Failed() {
				t.Fatalf("after a crash at append %d, written: %t", n, after)
			}
			if !fragile.dead {
				if n == 0 {
					t.Fatal("nothing was appended")
				}
				break
			}
		}
	}
}

func nothing(*testing.T, *work.Desk) error { return nil }

func must[S any](t *testing.T) func(a work.Answer[S], err error) work.Answer[S] {
	return func(a work.Answer[S], err error) work.Answer[S] {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// streams folds every thing in the log, by its stream.
func contacts(t *testing.T, d *work.Desk) map[uuid.UUID]contact.Contact {
	t.Helper()
	return things(t, d, contact.Stream)
}

func tickets(t *testing.T, d *work.Desk) map[uuid.UUID]ticket.Ticket {
	t.Helper()
	return things(t, d, ticket.Stream)
}

// things returns all things of a kind.
func things[S any, E event.Event](t *testing.T, d *work.Desk, kind event.Kind[S, E]) map[uuid.UUID]S {
	t.Helper()
	all := make(map[uuid.UUID]S)
	for batch, err := range d.Store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			if category, of, err := event.ParseStream(r.Stream); err != nil {
				t.Fatal(err)
			} else if category == kind.Category {
				a, err := work.State(t.Context(), d, kind, of)
				if err != nil {
					t.Fatal(err)
				}
				if kind.Exists(a.State) {
					all[of] = a.State
				}
			}
		}
		if len(batch) == 0 {
			break
		}
	}
	return all
}

func registers(address string, request string) func(t *testing.T, d *work.Desk) error {
	return func(t *testing.T, d *work.Desk) error {
		_, err := work.Do(t.Context(), d, contact.Stream, id("contact of "+request), commands.RegisterContact{Input: nameIs("Nora"), Emails: []string{address, "second-" + address}}, asks(request))
		return err
	}
}

func inquires(request string) func(t *testing.T, d *work.Desk) error {
	return func(t *testing.T, d *work.Desk) error {
		_, err := work.Carry(t.Context(), d, commands.Inquiry{
			Channel: "email", From: commands.Sender{Name: "Nora", Email: "nora@customers.example", X: "@nora"}, Subject: "Help", Body: "Help",
		}, id("ticket of "+request), asks(request))
		return err
	}
}

// visits is an inquiry of a customer by the chat window.
func visits(request, customer string) func(t *testing.T, d *work.Desk) error {
	return func(t *testing.T, d *work.Desk) error {
		_, err := work.Carry(t.Context(), d, commands.Inquiry{
			Channel: "chat", From: commands.Sender{Visitor: "v-1", Customer: customer}, Subject: "Help", Body: "Help",
		}, id("ticket of "+request), asks(request))
		return err
	}
}

// TestCrashAndSameRequest repeats a request that a crash interrupted. There is only one correct final state.
func TestCrashAndSameRequest(t *testing.T) {
	t.Parallel()
	edits := func(t *testing.T, d *work.Desk) error {
		emails := []string{"new@customers.example"}
		_, err := work.Do(t.Context(), d, contact.Stream, id("contact of before"), commands.EditContact{Input: nameIs("Nora B."), Emails: &emails}, asks("edit"))
		return err
	}
	moved := func(t *testing.T, d *work.Desk) { // the old addresses are free, the new one is taken
		if err := registers("nora@customers.example", "next")(t, d); err != nil {
			t.Errorf("an address that was given up: %v", err)
		}
		refused(t, registers("new@customers.example", "third")(t, d), "taken")
	}
	for name, test := range map[string]struct {
		setup, do func(*testing.T, *work.Desk) error
		right     func(*testing.T, *work.Desk)
	}{
		"register": {nothing, registers("nora@customers.example", "register"), func(t *testing.T, d *work.Desk) {
			if all := contacts(t, d); len(all) != 1 {
				t.Errorf("%d contacts, want 1", len(all))
			}
			refused(t, registers("nora@customers.example", "other")(t, d), "taken")
		}},
		"inquiry": {nothing, inquires("inquiry"), func(t *testing.T, d *work.Desk) {
			all := tickets(t, d)
			if people := contacts(t, d); len(people) != 1 || len(all) != 1 {
				t.Errorf("%d contacts and %d tickets, want one each", len(people), len(all))
			} else if _, known := people[all[id("ticket of inquiry")].Contact]; !known {
				t.Errorf("the contact of the ticket does not exist")
			}
		}},
		"edit": {registers("nora@customers.example", "before"), edits, moved},
		"delete": {registers("nora@customers.example", "before"), func(t *testing.T, d *work.Desk) error {
			_, err := work.Do(t.Context(), d, contact.Stream, id("contact of before"), commands.DeleteContact{}, asks("delete"))
			return err
		}, func(t *testing.T, d *work.Desk) {
			if err := registers("nora@customers.example", "next")(t, d); err != nil {
				t.Errorf("the address of a contact out of use: %v", err)
			}
		}},
		"restore": {func(t *testing.T, d *work.Desk) error {
			err := registers("nora@customers.example", "before")(t, d)
			must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, id("contact of before"), commands.DeleteContact{}, asks("delete")))
			must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, id("other"), commands.RegisterContact{Input: nameIs("Ben"), Emails: []string{"nora@customers.example"}}, asks("other")))
			return err
		}, func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.RestoreContact{}), id("contact of before"), asks("restore"))
			return err
		}, func(t *testing.T, d *work.Desk) {
			nora := contacts(t, d)[id("contact of before")]
			if nora.Has(address(contact.Email, "nora@customers.example")) || !nora.Has(address(contact.Email, "second-nora@customers.example")) {
				t.Errorf("restored with %v", nora.Addresses)
			}
			refused(t, registers("second-nora@customers.example", "third")(t, d), "taken")
		}},
		"customer at another's browser": {visits("before", "1"), func(t *testing.T, d *work.Desk) error {
			return visits("moving", "2")(t, d)
		}, func(t *testing.T, d *work.Desk) {
			first, second := contacts(t, d)[tickets(t, d)[id("ticket of before")].Contact], contacts(t, d)[tickets(t, d)[id("ticket of moving")].Contact]
			if v := address(contact.Visitor, "v-1"); first.Has(v) || !second.Has(v) || len(contacts(t, d)) != 2 {
				t.Errorf("the first is %+v, the second %+v", first, second)
			}
		}},
		"identified at another's browser": {func(t *testing.T, d *work.Desk) error {
			_, err := work.Do(t.Context(), d, contact.Stream, id("known"), commands.RegisterContact{Channels: []contact.Address{address(contact.Customer, "2")}, Found: true}, asks("known"))
			return errors.Join(err, visits("before", "1")(t, d))
		}, func(t *testing.T, d *work.Desk) error {
			before := tickets(t, d)[id("ticket of before")].Contact
			a, err := work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.Identify{Customer: "2", Visitor: "v-1"}), before, asks("identify"))
			if err == nil && (a.ID != id("known") || !a.State.Has(address(contact.Visitor, "v-1"))) {
				t.Errorf("identified as %s, %+v", a.ID, a.State)
			}
			return err
		}, func(t *testing.T, d *work.Desk) {
			first, second := contacts(t, d)[tickets(t, d)[id("ticket of before")].Contact], contacts(t, d)[id("known")]
			if v := address(contact.Visitor, "v-1"); first.Has(v) || !second.Has(v) || len(contacts(t, d)) != 2 {
				t.Errorf("the first is %+v, the second %+v", first, second)
			}
		}},
		"stranger who teaches": {func(t *testing.T, d *work.Desk) error {
			return errors.Join(inquires("inquiry")(t, d), registers("dan@customers.example", "dan")(t, d), registers("ben@customers.example", "ben")(t, d))
		}, func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, commands.Inquiry{
				Channel: "email", Body: "Me too", InReplyTo: id("ticket of inquiry"),
				From: commands.Sender{Name: "Daniel", Email: "dan@customers.example", Phone: "+390669820001", X: "@nora"},
			}, id("ticket of stranger"), asks("stranger"))
			return err
		}, func(t *testing.T, d *work.Desk) {
			dan, all := contacts(t, d)[id("contact of dan")], tickets(t, d)
			nora := all[id("ticket of inquiry")].Contact
			if len(dan.Offers) != 1 || !slices.Equal(dan.Duplicates, []uuid.UUID{nora}) || !slices.Equal(contacts(t, d)[nora].Duplicates, []uuid.UUID{id("contact of dan")}) ||
				!dan.Has(address(contact.Phone, "+390669820001")) {
				t.Errorf("Dan is %+v", dan)
			}
			if len(all) != 1 || !slices.Equal(all[id("ticket of inquiry")].Others, []uuid.UUID{id("contact of dan")}) {
				t.Errorf("the tickets are %+v", all)
			}
		}},
		"follow-up": {func(t *testing.T, d *work.Desk) error {
			err := inquires("inquiry")(t, d)
			must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("ticket of inquiry"), commands.CloseTicket{}, asks("close")))
			return err
		}, func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, commands.TakeMessage{Body: "Again"}, id("ticket of inquiry"), asks("receive"))
			return err
		}, func(t *testing.T, d *work.Desk) {
			if all := tickets(t, d); len(all) != 2 {
				t.Errorf("%d tickets, want the first and its follow-up", len(all))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashing(t, test.setup, test.do, func(t *testing.T, d *work.Desk, _ bool) {
				for range 2 { // again, and once more
					if err := test.do(t, d); err != nil {
						t.Errorf("sent again: %v", err)
					}
				}
				test.right(t, d)
			})
		})
	}
}

// TestRequestThatLapsedAClaim repeats an inquiry that had ended the unused claim of a contact who was never registered, and then died. By
// now it is that contact whom it registers.
func TestRequestThatLapsedAClaim(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	d := testlog.Desk(store)
	if err := registers("nora@customers.example", "claimant")(t, testlog.Desk(newMortal(store, 2, false))); err == nil { // it claims both addresses
		t.Fatal("the claimant is registered")
	}
	if err := visits("known", "")(t, d); err != nil {
		t.Fatal(err)
	}
	known := tickets(t, d)[id("ticket of known")].Contact
	writes := func(d *work.Desk) (work.Answer[ticket.Ticket], error) {
		return work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{
			Channel: "chat", From: commands.Sender{Visitor: "v-1", Email: "nora@customers.example"}, Subject: "Help",
		}), id("ticket"), asks("inquiry"))
	}
	if _, err := writes(testlog.Desk(newMortal(store, 1, false))); err == nil {
		t.Fatal("the inquiry was written as a whole")
	}
	must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, known, commands.DeleteContact{}, asks("delete")))
	a := must[ticket.Ticket](t)(writes(d))
	if who := contacts(t, d)[a.State.Contact]; !who.Has(address(contact.Email, "nora@customers.example")) || !who.Has(address(contact.Visitor, "v-1")) {
		t.Errorf("the ticket is of %s, %+v", a.State.Contact, who)
	}
}

// TestCrashAndOtherRequest has another request need a name that an interrupted command claimed.
func TestCrashAndOtherRequest(t *testing.T) {
	t.Parallel()
	t.Run("register", func(t *testing.T) {
		t.Parallel()
		crashing(t, nothing, registers("nora@customers.example", "register"), func(t *testing.T, d *work.Desk, died bool) {
			err := registers("nora@customers.example", "other")(t, d)
			if all := contacts(t, d); len(all) != 1 {
				t.Errorf("%d contacts have the address, want 1", len(all))
			}
			if _, first := contacts(t, d)[id("contact of register")]; first != (err != nil) {
				t.Errorf("the first is there: %t, and the second got %v", first, err)
			}
			// The first request is repeated after all. It must not get the address too.
			again := registers("nora@customers.example", "register")(t, d)
			if (err == nil) == (again == nil) {
				t.Errorf("the other got %v, then the first got %v", err, again)
			}
			if all := contacts(t, d); len(all) != 1 {
				t.Errorf("%d contacts have the address, want 1", len(all))
			}
		})
	})
	t.Run("inquiry", func(t *testing.T) {
		t.Parallel()
		crashing(t, nothing, inquires("inquiry"), func(t *testing.T, d *work.Desk, died bool) {
			if err := inquires("other")(t, d); err != nil {
				t.Error(err)
			}
			if err := inquires("inquiry")(t, d); err != nil {
				t.Error(err)
			}
			people, all := contacts(t, d), tickets(t, d)
			if len(people) != 1 || len(all) != 2 {
				t.Errorf("%d contacts and %d tickets, want 1 and 2", len(people), len(all))
			}
			for _, one := range all {
				if _, known := people[one.Contact]; !known {
					t.Errorf("a ticket belongs to contact %s, who does not exist", one.Contact)
				}
			}
		})
	})
	t.Run("tag", func(t *testing.T) {
		t.Parallel()
		creates := func(request string) func(*testing.T, *work.Desk) error {
			return func(t *testing.T, d *work.Desk) error {
				_, err := work.Do(t.Context(), d, tag.Stream, id("tag of "+request), commands.CreateTag{Scope: tag.Contacts, Name: "VIP"}, asks(request))
				return err
			}
		}
		crashing(t, nothing, creates("first"), func(t *testing.T, d *work.Desk, died bool) {
			err := creates("other")(t, d)
			if all := things(t, d, tag.Stream); len(all) != 1 || (all[id("tag of first")].Name != "") != (err != nil) {
				t.Errorf("%d tags; the other got %v", len(all), err)
			}
		})
	})
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	var no *domain.Error
	if !errors.As(err, &no) || no.Code != code {
		t.Errorf("got %v, want a refusal of code %s", err, code)
	}
}

// TestConcurrentNames registers many contacts with one address, and sends many inquiries from another, all at once.
func TestConcurrentNames(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	d := testlog.Desk(store)
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 64 {
		all.Go(func() {
			err := registers("one@customers.example", fmt.Sprint("register ", i))(t, d)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else {
				refused(t, err, "taken")
			}
		})
		all.Go(func() {
			if err := inquires(fmt.Sprint("inquiry ", i))(t, d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("%d contacts were made with one address", made)
	}
	people, asked := contacts(t, testlog.Desk(store)), tickets(t, testlog.Desk(store))
	if len(people) != 2 || len(asked) != 64 {
		t.Errorf("%d contacts and %d tickets, want 2 and 64", len(people), len(asked))
	}
	of := make(map[uuid.UUID]int)
	for _, one := range asked {
		of[one.Contact]++
	}
	if len(of) != 1 {
		t.Errorf("the tickets belong to %d contacts: %v", len(of), of)
	}
}

// TestConcurrentFollowUps sends many messages at once to a closed ticket. One follow-up must get them all.
func TestConcurrentFollowUps(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	d := testlog.Desk(store)
	if err := inquires("inquiry")(t, d); err != nil {
		t.Fatal(err)
	}
	must[ticket.Ticket](t)(work.Do(t.Context(), d, ticket.Stream, id("ticket of inquiry"), commands.CloseTicket{}, asks("close")))
	went := make([]uuid.UUID, 32)
	var all sync.WaitGroup
	for i := range went {
		all.Go(func() {
			a, err := work.Carry(t.Context(), d, commands.TakeMessage{Body: fmt.Sprint("message ", i)}, id("ticket of inquiry"), asks(fmt.Sprint("receive ", i)))
			if err != nil {
				t.Error(err)
			}
			went[i] = a.ID
		})
	}
	all.Wait()
	for _, to := range went {
		if to != went[0] {
			t.Errorf("messages went to %s and %s", went[0], to)
		}
	}
	if n := len(tickets(t, testlog.Desk(store))); n != 2 {
		t.Errorf("%d tickets, want 2", n)
	}
}

// TestConcurrentOwners has two owners step down at once, many times. One must stay.
func TestConcurrentOwners(t *testing.T) {
	t.Parallel()
	owns := func(d *work.Desk, name string) error {
		_, err := work.Do(context.Background(), d, agent.Stream, id(name), commands.CreateAgent{Name: name, Email: name + "@desk.example", Role: role.Owner}, asks("create "+name))
		return err
	}
	for range 20 {
		store := testlog.Memory(t)
		d := testlog.Desk(store)
		if err := errors.Join(owns(d, "ann"), owns(d, "bob")); err != nil {
			t.Fatal(err)
		}
		var leave [2]error
		var both sync.WaitGroup
		both.Go(func() {
			_, leave[0] = work.Carry(t.Context(), d, deletesAgent, id("ann"), asks("delete ann"))
		})
		both.Go(func() {
			admin := role.Admin
			_, leave[1] = work.Do(t.Context(), d, agent.Stream, id("bob"), commands.EditAgent{Role: &admin}, asks("demote bob"))
		})
		both.Wait()
		if (leave[0] == nil) == (leave[1] == nil) {
			t.Fatalf("both stepped down, or neither did: %v", leave)
		}
		refused(t, errors.Join(leave[:]...), "last-owner")
		owners := 0
		for _, a := range things(t, testlog.Desk(store), agent.Stream) {
			if a.Role == role.Owner {
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("%d owners are left", owners)
		}
	}
}

// TestCrashOfOwner interrupts the deletion of an owner. The desk must keep an owner, whatever comes next.
func TestCrashOfOwner(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, d *work.Desk) error {
		for _, name := range []string{"ann", "bob"} {
			must[agent.Agent](t)(work.Do(t.Context(), d, agent.Stream, id(name), commands.CreateAgent{Name: name, Email: name + "@desk.example", Role: role.Owner}, asks("create "+name)))
		}
		return nil
	}
	leaves := func(name string) func(*testing.T, *work.Desk) error {
		return func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, deletesAgent, id(name), asks("delete "+name))
			return err
		}
	}
	crashing(t, setup, leaves("ann"), func(t *testing.T, d *work.Desk, died bool) {
		first := leaves("bob")(t, d)
		second := leaves("ann")(t, d)
		if first == nil && second == nil {
			t.Error("the last owner left")
		}
		owners := 0
		for _, a := range things(t, d, agent.Stream) {
			if a.Role == role.Owner {
				owners++
			}
		}
		if owners == 0 {
			t.Error("no owner is left")
		}
	})
}

// TestReplays repeats requests, at once and later. They must get their first answers.
func TestReplays(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	d := testlog.Desk(store)
	of := id("contact of register")
	if err := registers("nora@customers.example", "register")(t, d); err != nil {
		t.Fatal(err)
	}
	first := must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, of, commands.EditContact{Input: nameIs("One")}, asks("one")))
	must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, of, commands.EditContact{Input: nameIs("Two")}, asks("two")))
	for _, desk := range []*work.Desk{d, testlog.Desk(store)} { // with its cache, and after a restart
		again := must[contact.Contact](t)(work.Do(t.Context(), desk, contact.Stream, of, commands.EditContact{Input: nameIs("One")}, asks("one")))
		if !again.Replayed || again.Revision != first.Revision || again.Position != first.Position || !reflect.DeepEqual(again.State, first.State) {
			t.Errorf("again: %+v, want %+v", again, first)
		}
		other := asks("one")
		other.Digest = "another body"
		if _, err := work.Do(t.Context(), desk, contact.Stream, of, commands.EditContact{Input: nameIs("One")}, other); !errors.Is(err, work.ErrReused) {
			t.Errorf("another body: %v", err)
		}
	}
	if a, err := work.State(t.Context(), d, contact.Stream, of); err != nil || a.State.Profile.Name.String() != "Two" {
		t.Errorf("%v: %+v", err, a.State)
	}
}
