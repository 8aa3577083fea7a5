package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/bench/history"
	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

var served = []measure{
	{id: "P4", title: "HTTP command, everything on", reference: "trivial net/http JSON POST", must: 0.13, aim: 0.25, start: startP4},
	{id: "P4k", title: "HTTP command with an Idempotency-Key", reference: "the same without a key", must: 0.8, aim: 0.95, start: startP4k},
	{id: "P4n", title: "HTTP inquiry from a new address", reference: "HTTP command on a contact that is there", must: 0.4, aim: 0.6, start: startP4n},
	{id: "P4kv", title: "P4k with the vault in PostgreSQL", reference: "the same without a key", must: 0.8, aim: 0.95, postgres: true, start: withVault(startP4k)},
	{id: "P4nv", title: "P4n with the vault in PostgreSQL", reference: "HTTP command on a contact that is there", must: 0.4, aim: 0.6, postgres: true, start: withVault(startP4n)},
	{id: "P4pg", title: "HTTP command, log and read models in PostgreSQL", reference: "the same with both embedded", must: 0.5, aim: 0.8, postgres: true, start: startP4pg(manyCallers)},
	{id: "P4pg1", title: "HTTP command, log and read models in PostgreSQL, 1 caller", reference: "the same with both embedded", must: 0.5, aim: 0.8, postgres: true, start: startP4pg(1)},
	{id: "P5", title: "HTTP command, projections off", reference: "the same handler without the append", must: 0.7, aim: 0.9, start: startP5},
	{id: "P8", title: "time from an accepted command until every read model shows it, p99, at half of P4's rate", reference: "the command itself, p99", must: 1, aim: 0.5, times: true, start: startP8},
	{id: "P9", title: "last 50 tickets of a contact, 1 M tickets, through the API, p50", reference: "the bare SQL through sqlx", must: 1.8, aim: 1.3, times: true, start: startP9},
	{id: "P17", title: "a note on a ticket of 50 000 events, 1 caller, p50", reference: "on one of 10 events", must: 1.3, aim: 1.05, times: true, start: startP17},
	{id: "P21", title: "HTTP command through 3 processes on one log in PostgreSQL, 16 callers each, in all", reference: "through one, 48 callers", must: 0.9, aim: 1, postgres: true, start: startP21(false)},
	{id: "P21t", title: "the same, p99 of the slowest process", reference: "p99 of the one", must: 2, aim: 1.2, times: true, postgres: true, start: startP21(true)},
	{id: "P18", title: "notes on one ticket of 20 000 events, 8 callers", reference: "1 caller", must: 1, aim: 2, start: startP18},
}

func startP4(s setting) (rounds, error) {
	d, contacts, err := deskOfContacts(s)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if err := d.project(); err != nil {
			return r, err
		}
		if r.ours, err = d.patching(s, contacts); err != nil {
			return r, err
		}
		r.reference, err = d.posting(s)
		return r, err
	})
}

// withVault starts a measure on a desk whose vault is in PostgreSQL.
func withVault(start func(setting) (rounds, error)) func(setting) (rounds, error) {
	return func(s setting) (rounds, error) {
		s.vault = s.postgres
		return start(s)
	}
}

// startP4pg compares editing on a desk in PostgreSQL with that on an embedded one.
func startP4pg(callers int) func(setting) (rounds, error) {
	return func(s setting) (rounds, error) {
		s.callers = callers
		embedded, d, err := bothDesks(s)
		if err != nil {
			return rounds{}, err
		}
		return embedded.rounds(func() (r rounds, err error) {
			contacts, err := embedded.register()
			if err != nil {
				return r, err
			}
			others, err := d.register()
			if err != nil {
				return r, err
			}
			if err := errors.Join(embedded.project(), d.project()); err != nil {
				return r, err
			}
			if r.ours, err = d.patching(s, others); err != nil {
				return r, err
			}
			r.reference, err = embedded.patching(s, contacts)
			return r, err
		})
	}
}

// startP21 compares three writers on one log in PostgreSQL with one: how much they do, or how long the slowest takes.
func startP21(times bool) func(setting) (rounds, error) {
	const callers, writers = 48, 3
	return func(s setting) (rounds, error) {
		schema := "desk_" + uuid.NewString()[:8]
		d, err := openPostgresDesk(s.dir, s.postgres, schema)
		if err != nil {
			return rounds{}, err
		}
		return d.rounds(func() (r rounds, err error) {
			contacts, err := d.register()
			if err != nil {
				return r, err
			}
			if err := d.project(); err != nil {
				return r, err
			}
			all, err := d.serve(d.handler(d.store))
			if err != nil {
				return r, err
			}
			one, three := []string{all}, []string(nil)
			for range writers {
				store, err := postgres.Open(context.Background(), s.postgres, postgres.Options{Schema: schema})
				if err != nil {
					return r, err
				}
				d.stops = append(d.stops, store.Close)
				url, err := d.serve(d.handler(store))
				if err != nil {
					return r, err
				}
				three = append(three, url)
			}
			c := newClient(d.token)
			r.ours = func() (float64, error) { return editThrough(s, c, three, callers, contacts, times) }
			r.reference = func() (float64, error) { return editThrough(s, c, one, callers, contacts, times) }
			for _, side := range []func() (float64, error){r.ours, r.reference} { // so that the contacts are cached
				if _, err := side(); err != nil {
					return r, err
				}
			}
			return r, nil
		})
	}
}

// editThrough edits contacts through several servers, and returns the rate, or the 99th percentile of the slowest server in seconds.
func editThrough(s setting, c *client, urls []string, callers int, contacts []uuid.UUID, times bool) (float64, error) {
	took := make([][]time.Duration, callers)
	began := time.Now()
	err := inParallel(callers, func(caller int) error {
		for time.Since(began) < s.time {
			asked := time.Now()
			contact := contacts[rand.IntN(len(contacts)/callers)*callers+caller]
			if _, err := c.send(http.MethodPatch, urls[caller%len(urls)]+"/v1/contacts/"+contact.String(), edit()); err != nil {
				return err
			}
			took[caller] = append(took[caller], time.Since(asked))
		}
		return nil
	})
	n := 0
	of := make([][]time.Duration, len(urls))
	for caller, each := range took {
		n += len(each)
		of[caller%len(urls)] = append(of[caller%len(urls)], each...)
	}
	if !times {
		return float64(n) / time.Since(began).Seconds(), err
	}
	slowest := 0.0
	for _, each := range of {
		slowest = max(slowest, percentile(99, each))
	}
	return slowest, err
}

func startP4k(s setting) (rounds, error) {
	return besidePatching(s, func(d *desk, contacts []uuid.UUID) (func() (float64, error), error) {
		c := newClient(d.token)
		c.keyed = true
		return d.patchingBy(s, c, d.store, contacts)
	})
}

func startP4n(s setting) (rounds, error) {
	return besidePatching(s, func(d *desk, _ []uuid.UUID) (func() (float64, error), error) {
		url, err := d.serve(d.handler(d.store))
		c := newClient(d.token)
		return requesting(s, func(int) error {
			_, err := c.send(http.MethodPost, url+"/v1/inquiries", fmt.Appendf(nil, `{"channel":"email","from":{"name":"Nora","email":"%s@customers.example"},"subject":"Help","body":"It does not start."}`, uuid.NewString()))
			return err
		}), err
	})
}

// besidePatching compares a side with the editing of contacts without keys, while the read models are projected.
func besidePatching(s setting, side func(*desk, []uuid.UUID) (func() (float64, error), error)) (rounds, error) {
	d, contacts, err := deskOfContacts(s)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if err := d.project(); err != nil {
			return r, err
		}
		if r.ours, err = side(d, contacts); err != nil {
			return r, err
		}
		r.reference, err = d.patching(s, contacts)
		return r, err
	})
}

// deskOfTickets opens and serves a desk with a ticket of each length, and returns requests that add a note to them.
func deskOfTickets(s setting, lengths ...int) (d *desk, notes []func() error, err error) {
	d, err = openDesk(s.dir)
	if err != nil {
		return nil, nil, err
	}
	url, err := d.serve(d.handler(d.store))
	c := newClient(d.token)
	for _, n := range lengths {
		var id uuid.UUID
		if err == nil {
			id, err = history.WriteTicket(context.Background(), d.store, d.vault, n)
		}
		notes = append(notes, func() error {
			_, err := c.send(http.MethodPost, url+"/v1/tickets/"+id.String()+"/notes", []byte(`{"body":"The parcel has not come."}`))
			return err
		})
	}
	if err == nil {
		err = d.project()
	}
	for _, note := range notes {
		if err == nil {
			err = note() // so that the ticket is cached
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, d.close())
	}
	return d, notes, nil
}

func startP17(s setting) (rounds, error) {
	d, notes, err := deskOfTickets(s, 50_000, 10)
	if err != nil {
		return rounds{}, err
	}
	median := func(note func() error) func() (float64, error) {
		return func() (float64, error) {
			return p50(s, []uuid.UUID{uuid.Nil}, func(uuid.UUID) error { return note() })
		}
	}
	return rounds{ours: median(notes[0]), reference: median(notes[1]), stop: d.close}, nil
}

func startP18(s setting) (rounds, error) {
	d, notes, err := deskOfTickets(s, 20_000)
	if err != nil {
		return rounds{}, err
	}
	by := func(callers int) func() (float64, error) {
		return func() (float64, error) {
			var total atomic.Int64
			start := time.Now()
			err := inParallel(callers, func(int) error {
				for time.Since(start) < s.time {
					if err := notes[0](); err != nil {
						return err
					}
					total.Add(1)
				}
				return nil
			})
			return float64(total.Load()) / time.Since(start).Seconds(), err
		}
	}
	return rounds{ours: by(8), reference: by(1), stop: d.close}, nil
}

func startP5(s setting) (rounds, error) {
	d, contacts, err := deskOfContacts(s)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if r.ours, err = d.patching(s, contacts); err != nil {
			return r, err
		}
		r.reference, err = d.patchingIn(s, &unwritten{Store: d.store}, contacts)
		return r, err
	})
}

// startP8 takes both sides of a round from one run: how long commands took, and how long after their answers the changes were visible.
func startP8(s setting) (rounds, error) {
	d, contacts, err := deskOfContacts(s)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if err := d.project(); err != nil {
			return r, err
		}
		full, err := d.patching(s, contacts)
		if err != nil {
			return r, err
		}
		rate, err := full()
		if err != nil {
			return r, err
		}
		url, err := d.serve(d.handler(d.store))
		c := newClient(d.token)
		var command float64
		r.ours = func() (visible float64, err error) {
			visible, command, err = d.watching(s, c, url, contacts, rate/2)
			return visible, err
		}
		r.reference = func() (float64, error) { return command, nil }
		return r, err
	})
}

func startP9(s setting) (rounds, error) {
	const each = 50
	d, err := openDesk(s.dir)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		contacts, err := history.WriteTickets(context.Background(), d.store, d.vault, s.tickets/each, each)
		if err != nil {
			return r, err
		}
		if err := d.project(); err != nil {
			return r, err
		}
		url, err := d.serve(d.handler(d.store))
		c := newClient(d.token)
		r.ours = func() (float64, error) {
			return p50(s, contacts, func(id uuid.UUID) error {
				_, err := c.send(http.MethodGet, url+"/v1/contacts/"+id.String()+"/tickets", nil)
				return err
			})
		}
		r.reference = func() (float64, error) {
			return p50(s, contacts, func(id uuid.UUID) error {
				return d.live.Read(func(db *table.DB) error {
					const question = "SELECT * FROM ticket_history WHERE contact_id = ? ORDER BY opened_at DESC, ticket_id DESC LIMIT 50"
					var rows []readmodels.TicketHistory
					err := sqlx.SelectContext(context.Background(), db.Readers, &rows, question, id.String())
					if err == nil && len(rows) != each {
						err = fmt.Errorf("contact %s has %d tickets, not %d", id, len(rows), each)
					}
					return err
				})
			})
		}
		return r, err
	})
}

// rounds calls begin to make the sides, and closes the desk at the end.
func (d *desk) rounds(begin func() (rounds, error)) (rounds, error) {
	r, err := begin()
	if err != nil {
		d.close()
		return rounds{}, err
	}
	r.stop = d.close
	return r, nil
}

// contactCount is small enough for the desk to cache all contacts, and large enough for a contact to have only a handful of events at the
// end, as on a real desk: the cost of a command grows with them.
const contactCount = 160 * manyCallers

// deskOfContacts opens a desk that has contacts.
func deskOfContacts(s setting) (*desk, []uuid.UUID, error) {
	open := func() (*desk, error) { return openDesk(s.dir) }
	if s.vault != "" {
		open = func() (*desk, error) { return openVaultDesk(s.dir, s.vault) }
	}
	d, err := open()
	if err != nil {
		return nil, nil, err
	}
	contacts, err := d.register()
	if err != nil {
		return nil, nil, errors.Join(err, d.close())
	}
	return d, contacts, nil
}

// register registers contacts.
func (d *desk) register() ([]uuid.UUID, error) {
	contacts := make([]uuid.UUID, contactCount)
	for i := range contacts {
		contacts[i] = uuid.Must(uuid.NewV7())
	}
	desk := &work.Desk{Store: d.store, Keys: d.vault, Names: d.vault}
	err := d.vault.Make(context.Background(), contacts...)
	if err == nil {
		err = inParallel(manyCallers, func(caller int) error {
			for i := caller; i < contactCount; i += manyCallers {
				name, request := fmt.Sprint("Contact ", i), uuid.New()
				_, err := work.Do(context.Background(), desk, contact.Stream, contacts[i],
					commands.RegisterContact{Input: profile.Input{Name: &name}},
					commands.By{Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Sight: role.Everything, At: time.Now(), Request: request, Correlation: request.String(), Through: event.ThroughCommandLine})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return contacts, err
}

// patching serves the desk and returns a side that edits its contacts. Each edit must be an event in the log.
func (d *desk) patching(s setting, contacts []uuid.UUID) (func() (float64, error), error) {
	patch, err := d.patchingIn(s, d.store, contacts)
	return func() (float64, error) {
		before, err := d.store.Head(context.Background())
		if err != nil {
			return 0, err
		}
		began := time.Now()
		rate, err := patch()
		if err != nil {
			return 0, err
		}
		after, err := d.store.Head(context.Background())
		if stored := float64(after-before) / time.Since(began).Seconds(); err == nil && stored < 0.99*rate {
			err = fmt.Errorf("%.0f edits per second were answered but %.0f were stored", rate, stored)
		}
		return rate, err
	}, err
}

// patchingIn serves the desk on a wrapper of its store, and returns a side that edits the contacts. Each caller has its own contacts, so
// that there are no conflicts. Each contact was edited once before, so that it is cached as on a desk that has been running for a
// while.
func (d *desk) patchingIn(s setting, store eventstore.Store, contacts []uuid.UUID) (func() (float64, error), error) {
	return d.patchingBy(s, newClient(d.token), store, contacts)
}

// patchingBy is patchingIn with a client.
func (d *desk) patchingBy(s setting, c *client, store eventstore.Store, contacts []uuid.UUID) (func() (float64, error), error) {
	url, err := d.serve(d.handler(store))
	if err != nil {
		return nil, err
	}
	patch := func(contact uuid.UUID) error {
		_, err := c.send(http.MethodPatch, url+"/v1/contacts/"+contact.String(), edit())
		return err
	}
	err = inParallel(manyCallers, func(caller int) error {
		for i := caller; i < len(contacts); i += manyCallers {
			if err := patch(contacts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return requesting(s, func(caller int) error {
		return patch(contacts[rand.IntN(len(contacts)/manyCallers)*manyCallers+caller])
	}), err
}

var edits atomic.Int64

// edit is the body of a PATCH that always changes something.
func edit() []byte {
	return fmt.Appendf(nil, `{"note":"Asked %d times where it is.","address":"Via Roma %d, Torino"}`, edits.Add(1), rand.IntN(1000))
}

// posting returns a side that sends the same body to a handler that decodes it and answers with as much data as the API.
func (d *desk) posting(s setting) (func() (float64, error), error) {
	answer := `{"id":"` + strings.Repeat("x", 400) + `"}`
	url, err := d.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
	c := newClient(d.token)
	return requesting(s, func(int) error {
		_, err := c.send(http.MethodPost, url, edit())
		return err
	}), err
}

// requesting returns a side in which each of many callers, or of the setting's, sends one request after another.
func requesting(s setting, send func(caller int) error) func() (float64, error) {
	return func() (float64, error) {
		var total atomic.Int64
		start := time.Now()
		err := inParallel(cmp.Or(s.callers, manyCallers), func(caller int) error {
			for time.Since(start) < s.time {
				if err := send(caller); err != nil {
					return err
				}
				total.Add(1)
			}
			return nil
		})
		return float64(total.Load()) / time.Since(start).Seconds(), err
	}
}

// watching edits contacts at a steady rate. It returns how long after the answer an edit was visible, and how long the answer took, both
// in seconds at the 99th percentile.
func (d *desk) watching(s setting, c *client, url string, contacts []uuid.UUID, rate float64) (visible, command float64, err error) {
	var commands, visibles [manyCallers][]time.Duration
	start := time.Now()
	pause := time.Duration(manyCallers / rate * float64(time.Second))
	err = inParallel(manyCallers, func(caller int) error {
		for next := start.Add(pause * time.Duration(caller) / manyCallers); next.Sub(start) < s.time; next = next.Add(pause) {
			time.Sleep(time.Until(next))
			id := contacts[rand.IntN(len(contacts)/manyCallers)*manyCallers+caller]
			sent := time.Now()
			header, err := c.send(http.MethodPatch, url+"/v1/contacts/"+id.String(), edit())
			if err != nil {
				return err
			}
			accepted := time.Now()
			position, err := eventstore.ParsePosition(header.Get("Daybook-Position"))
			if err != nil {
				return err
			}
			if err := d.live.Wait(context.Background(), position); err != nil {
				return err
			}
			commands[caller] = append(commands[caller], accepted.Sub(sent))
			visibles[caller] = append(visibles[caller], time.Since(accepted))
		}
		return nil
	})
	return percentile(99, visibles[:]...), percentile(99, commands[:]...), err
}

// p50 queries one contact after another and returns the median time of an answer, in seconds.
func p50(s setting, contacts []uuid.UUID, ask func(uuid.UUID) error) (float64, error) {
	var took []time.Duration
	for start := time.Now(); time.Since(start) < s.time; {
		began := time.Now()
		if err := ask(contacts[rand.IntN(len(contacts))]); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return percentile(50, took), nil
}

// percentile returns the nth percentile, in seconds.
func percentile(n int, of ...[]time.Duration) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(of...)))
	if len(all) == 0 {
		return 0
	}
	return all[(len(all)-1)*n/100].Seconds()
}

// unwritten is a store whose appends succeed without being written. Earlier events can be read.
type unwritten struct {
	eventstore.Store
	appended atomic.Uint64
}

// Tails implements eventstore.Store: nothing came after what is known.
func (u *unwritten) Tails(ctx context.Context, after ...eventstore.Known) ([]eventstore.Tail, error) {
	for _, k := range after {
		if k.Revision == eventstore.NoStream {
			return u.Store.Tails(ctx, after...)
		}
	}
	return make([]eventstore.Tail, len(after)), nil
}

// Append implements eventstore.Store.
func (u *unwritten) Append(_ context.Context, to ...eventstore.Append) ([]eventstore.Appended, error) {
	done := make([]eventstore.Appended, len(to))
	for i, a := range to {
		n := len(a.Events)
		done[i] = eventstore.Appended{Revision: a.Expected + eventstore.Revision(n), Position: eventstore.Position(u.appended.Add(uint64(n)))}
	}
	return done, nil
}
