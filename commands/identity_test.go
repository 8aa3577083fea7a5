package commands_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/ticket"
	"daybook/internal/testdesk"
	"daybook/internal/testlog"
)

// TestConcurrentIdentities sends inquiries, visits and identifications over a few identities at once, to processes that die between any
// two writes. Whoever is not answered sends the same again. Each identity then has one holder, each ticket one contact who is there, and
// nothing that was answered is lost.
func TestConcurrentIdentities(t *testing.T) {
	t.Parallel()
	rounds := 40
	if testdesk.Soak() {
		rounds = 1000
	}
	random := testdesk.Chance(t)
	for round := range rounds {
		store := testlog.Memory(t)
		var all sync.WaitGroup
		for n := range 64 {
			do, seed := someRequest(random, n), random.Uint64()
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, 0))
				for try := 0; ; try++ {
					d := testlog.Desk(store)
					if dies := random.IntN(3) == 0 && try < 5; dies {
						d = testlog.Desk(newMortal(store, random.IntN(3), random.IntN(2) == 0))
					}
					err := do(t, d)
					if no := (*domain.Error)(nil); err == nil || errors.As(err, &no) && no.Refusal == domain.RefusedConflict {
						if err != nil && n%3 != 2 {
							t.Errorf("request %d of round %d is refused: %v", n, round, err)
						}
						return
					}
					if try == 50 {
						t.Errorf("request %d of round %d: %v", n, round, err)
						return
					}
				}
			})
		}
		all.Wait()
		d := testlog.Desk(store)
		people, holders := contacts(t, d), map[string][]uuid.UUID{}
		for id, c := range people {
			customers := 0
			for _, a := range c.Addresses {
				key := string(a.Kind) + " " + a.Value.String()
				holders[key] = append(holders[key], id)
				if holder, found, err := work.Find(t.Context(), d, a.Hold()); err != nil || !found || holder != id {
					t.Errorf("round %d: %s of %s is reserved for %s, %t, %v", round, key, id, holder, found, err)
				}
				if a.Kind == contact.Customer {
					customers++
				}
			}
			if customers > 1 {
				t.Errorf("round %d: %s has %d customer ids", round, id, customers)
			}
		}
		for key, ids := range holders {
			if len(ids) > 1 {
				t.Errorf("round %d: %s is held by %v", round, key, ids)
			}
		}
		opened := tickets(t, d)
		for id, ticket := range opened {
			if _, there := people[ticket.Contact]; !there {
				t.Errorf("round %d: ticket %s is of %s, who is not there", round, id, ticket.Contact)
			}
		}
		for n := range 64 {
			if _, there := opened[id(fmt.Sprint("ticket ", n))]; n%3 == 0 && !there {
				t.Errorf("round %d: the ticket of request %d is lost", round, n)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// someRequest returns the nth request: every third is an inquiry.
func someRequest(random *rand.Rand, n int) func(*testing.T, *work.Desk) error {
	visitor, customer, email := fmt.Sprint("v", random.IntN(2)), fmt.Sprint(random.IntN(2)), "nora@customers.example"
	by := asks(fmt.Sprint("request ", n))
	switch n % 3 {
	case 0:
		from := commands.Sender{Visitor: visitor}
		if random.IntN(2) == 0 {
			from.Customer = customer
		}
		if random.IntN(2) == 0 {
			from.Email = email
		}
		return func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{Channel: "chat", From: from, Subject: "Help"}), id(fmt.Sprint("ticket ", n)), by)
			return err
		}
	case 1:
		return func(t *testing.T, d *work.Desk) error {
			_, err := work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.Visit{Visitor: visitor}), id("unused"), by)
			return err
		}
	}
	who, which := random.IntN(2) == 0, random.Uint64()
	return func(t *testing.T, d *work.Desk) error {
		of := slices.Sorted(func(yield func(string) bool) {
			for id := range contacts(t, &work.Desk{Store: d.Store, Keys: d.Keys, Names: d.Names}) {
				if !yield(id.String()) {
					return
				}
			}
		})
		if len(of) == 0 {
			return nil
		}
		command := commands.Identify{Customer: customer}
		if who {
			command.Visitor = visitor
		}
		_, err := work.Carry(t.Context(), d, work.Plan[contact.Contact](command), uuid.MustParse(of[which%uint64(len(of))]), by)
		return err
	}
}
