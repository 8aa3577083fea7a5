// Package history writes synthetic logs: the events of a typical desk, as the domain stores them, without running commands. Benchmarks
// and tests use them.
package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/ticket"
	"daybook/eventstore"
)

// writers append concurrently, so that they share commits.
const writers = 64

// Write writes about n events of contacts and their tickets, with a thousand open tickets at a time.
func Write(ctx context.Context, store eventstore.Store, keys personal.Keys, n int) error {
	return together(ctx, store, keys, func(w *writer, _ int) error {
		for w.written < n/writers {
			if err := w.step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteTickets writes contacts with so many open tickets each, and returns the contacts.
func WriteTickets(ctx context.Context, store eventstore.Store, keys personal.Keys, contacts, each int) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, contacts)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	if err := keys.Make(ctx, ids...); err != nil {
		return nil, err
	}
	return ids, together(ctx, store, keys, func(w *writer, number int) error {
		for i := number; i < contacts; i += writers {
			if err := w.register(ids[i]); err != nil {
				return err
			}
		}
		for range each { // interleaved, so that a contact's tickets are far apart as on a real desk
			for i := number; i < contacts; i += writers {
				if _, err := w.open(ids[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// WriteYears writes tickets that are spread over years, from 2020 on, each answered and resolved by one of the agents. A fiftieth of them
// becomes spam, and half of these are taken back.
func WriteYears(ctx context.Context, store eventstore.Store, keys personal.Keys, agents, tickets, years int) error {
	c := uuid.Must(uuid.NewV7())
	if err := keys.Make(ctx, c); err != nil {
		return err
	}
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	length := from.AddDate(years, 0, 0).Sub(from)
	return together(ctx, store, keys, func(w *writer, number int) error {
		w.agents = agents
		for i := number; i < tickets; i += writers {
			w.at = from.Add(time.Duration(float64(length) * float64(i) / float64(tickets)))
			t, err := w.open(c)
			if err != nil {
				return err
			}
			happens := []ticket.Event{ticket.Replied{Body: personal.New(words)}, ticket.Resolved{}}
			if i%50 == 0 {
				happens = append(happens, ticket.MarkedSpam{})
			}
			if i%100 == 0 {
				happens = append(happens, ticket.UnmarkedSpam{})
			}
			for _, e := range happens {
				if err := w.append(ticket.Stream.Stream(t.id), t.revision, c, e); err != nil {
					return err
				}
				t.revision++
			}
		}
		return nil
	})
}

// WriteTicket writes a ticket of n events, and returns its id.
func WriteTicket(ctx context.Context, store eventstore.Store, keys personal.Keys, n int) (uuid.UUID, error) {
	c := uuid.Must(uuid.NewV7())
	if err := keys.Make(ctx, c); err != nil {
		return uuid.Nil, err
	}
	w := &writer{ctx: ctx, store: store, keys: keys, rand: rand.New(rand.NewPCG(1, 1)), agents: 40, at: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := w.register(c); err != nil {
		return uuid.Nil, err
	}
	t, err := w.open(c)
	for ; err == nil && int(t.revision) < n-1; t.revision++ {
		err = w.append(ticket.Stream.Stream(t.id), t.revision, c, ticket.Noted{Body: personal.New(words)})
	}
	return t.id, err
}

// together runs the writers and waits for all.
func together(ctx context.Context, store eventstore.Store, keys personal.Keys, write func(w *writer, number int) error) error {
	errs := make([]error, writers)
	var all sync.WaitGroup
	for number := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(number)))
			w := &writer{ctx: ctx, store: store, keys: keys, rand: r, agents: 40, at: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
			errs[number] = write(w, number)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("writing a synthetic log: %w", err)
		}
	}
	return nil
}

// A writer is one goroutine with its own contacts and tickets.
type writer struct {
	ctx      context.Context
	store    eventstore.Store
	keys     personal.Keys
	rand     *rand.Rand
	agents   int // how many act
	at       time.Time
	contacts []uuid.UUID
	tickets  []*atWork
	written  int
}

// atWork is a ticket that is not resolved yet.
type atWork struct {
	id, contact uuid.UUID
	revision    eventstore.Revision // of its last event
}

func (w *writer) append(stream string, expected eventstore.Revision, subject uuid.UUID, e event.Event) error {
	id := uuid.New()
	w.at = w.at.Add(time.Duration(w.rand.IntN(60)) * time.Second)
	at := personal.Place{Stream: stream, Type: e.EventType(), Event: id}
	data, err := event.Encode(e, at, subject, w.keys)
	if err != nil {
		return err
	}
	who := event.Actor{Kind: event.Agent, ID: somebody(w.rand.IntN(w.agents))}
	meta, err := event.EncodeMetadata(event.Metadata{At: w.at, Actor: who, Principal: event.TheCommandLine, Through: event.ThroughAPI, Request: uuid.New(), Correlation: stream}, at, subject, w.keys)
	if err != nil {
		return err
	}
	_, err = eventstore.AppendTo(w.ctx, w.store, stream, expected, []eventstore.Event{{ID: id, Type: e.EventType(), Data: data, Meta: meta}})
	w.written++
	return err
}

// somebody is the id of an agent or of a tag.
func somebody(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "somebody", n)) }

const words = "The parcel that I ordered last week has not come yet, and the page says that it was handed over on Monday. "

func (w *writer) register(c uuid.UUID) error {
	return w.append(contact.Stream.Stream(c), eventstore.NoStream, c, contact.Registered{
		Profile: profile.Profile{Name: personal.New("Contact " + c.String()[:8])},
	})
}

func (w *writer) open(contact uuid.UUID) (*atWork, error) {
	t := &atWork{id: uuid.Must(uuid.NewV7()), contact: contact}
	return t, w.append(ticket.Stream.Stream(t.id), eventstore.NoStream, contact, ticket.Opened{
		Contact: contact, Channel: "email", Subject: personal.New("Where is it?"), Body: personal.New(words), Priority: "normal",
	})
}

// step appends the next event.
func (w *writer) step() error {
	if len(w.contacts) == 0 || w.rand.IntN(20) == 0 {
		c := uuid.Must(uuid.NewV7())
		if err := w.keys.Make(w.ctx, c); err != nil {
			return err
		}
		w.contacts = append(w.contacts, c)
		if err := w.register(c); err != nil {
			return err
		}
	}
	if len(w.tickets) < 16 {
		t, err := w.open(w.contacts[w.rand.IntN(len(w.contacts))])
		w.tickets = append(w.tickets, t)
		return err
	}
	i := w.rand.IntN(len(w.tickets))
	t := w.tickets[i]
	var e ticket.Event
	switch n := w.rand.IntN(10); {
	case n < 2:
		e = ticket.Assigned{Agent: somebody(w.rand.IntN(40))}
	case n < 5:
		e = ticket.Replied{Body: personal.New(words)}
	case n < 7:
		e = ticket.Received{Body: personal.New(words)}
	case n < 8:
		e = ticket.Tagged{Tag: somebody(w.rand.IntN(20))}
	default:
		e = ticket.Resolved{}
		w.tickets = slices.Delete(w.tickets, i, i+1)
	}
	err := w.append(ticket.Stream.Stream(t.id), t.revision, t.contact, e)
	t.revision++
	return err
}
