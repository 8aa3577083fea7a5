package projections

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/readmodels"
)

var benchEvents = flag.Int("events", 100_000, "how many events BenchmarkRebuild's log has")

// oneKey is the key of everybody: opening is measured, finding the key is not.
type oneKey struct{ cipher.AEAD }

func (k oneKey) Make(context.Context, ...uuid.UUID) error { return nil }
func (k oneKey) Key(uuid.UUID) (cipher.AEAD, error)       { return k.AEAD, nil }

func newKey(t testing.TB) personal.Keys {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return oneKey{box}
}

// deskLog writes a log of contacts and their tickets, a thousand tickets at work at a time.
func deskLog(t testing.TB, n int) Source {
	keys := newKey(t)
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "log.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	const workers = 64
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			d := deskWriter{t: t, store: store, keys: keys, rand: r, at: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
			for d.written < n/workers {
				d.step()
			}
		})
	}
	all.Wait()
	return Source{Store: store, Projections: All, Decode: func(r eventstore.Recorded) (Recorded, error) {
		category, id, err := event.ParseStream(r.Stream)
		if err != nil {
			return Recorded{}, err
		}
		meta, err := event.DecodeMetadata(r.Meta, r.ID, keys)
		if err != nil {
			return Recorded{}, err
		}
		ev, err := catalogue.Decode(r.Type, r.Data, r.ID, keys)
		return Recorded{
			Event: ev, EventID: r.ID, Category: category, ID: id, Revision: r.Revision, Position: r.Position,
			At: readmodels.At(meta.At), RecordedAt: readmodels.At(r.RecordedAt), Meta: meta,
		}, err
	}}
}

type deskWriter struct {
	t        testing.TB
	store    eventstore.Store
	keys     personal.Keys
	rand     *rand.Rand
	at       time.Time
	contacts []uuid.UUID
	tickets  []*deskTicket
	written  int
}

type deskTicket struct {
	id       uuid.UUID
	contact  uuid.UUID
	revision eventstore.Revision
}

func (d *deskWriter) append(stream string, expected eventstore.Revision, subject uuid.UUID, e event.Event) {
	id := uuid.New()
	d.at = d.at.Add(time.Duration(d.rand.IntN(60)) * time.Second)
	data, err := event.Encode(e, id, subject, d.keys)
	if err != nil {
		d.t.Error(err)
	}
	who := event.Actor{Kind: event.Agent, ID: agentID(d.rand.IntN(40))}
	meta, err := event.EncodeMetadata(event.Metadata{At: d.at, Actor: who, Through: "api", Request: uuid.New(), Correlation: stream}, id, subject, d.keys)
	if err != nil {
		d.t.Error(err)
	}
	if _, err := d.store.Append(context.Background(), stream, expected, []eventstore.Event{{ID: id, Type: e.EventType(), Data: data, Meta: meta}}); err != nil {
		d.t.Error(err)
	}
	d.written++
}

func agentID(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint("agent", n))) }

const words = "The parcel that I ordered last week has not come yet, and the page says that it was handed over on Monday. "

func (d *deskWriter) step() {
	if len(d.contacts) == 0 || d.rand.IntN(20) == 0 {
		c := uuid.Must(uuid.NewV7())
		d.contacts = append(d.contacts, c)
		name := fmt.Sprint("Contact ", len(d.contacts))
		d.append("contact-"+c.String(), eventstore.NoStream, c, contact.Registered{
			Profile: profile.Profile{Name: personal.New(name)},
		})
	}
	if len(d.tickets) < 16 {
		t := &deskTicket{id: uuid.Must(uuid.NewV7()), contact: d.contacts[d.rand.IntN(len(d.contacts))]}
		d.tickets = append(d.tickets, t)
		d.append("ticket-"+t.id.String(), eventstore.NoStream, t.contact, ticket.Opened{
			Contact: t.contact, Channel: "email", Subject: personal.New("Where is it?"), Body: personal.New(words), Priority: "normal",
		})
		return
	}
	i := d.rand.IntN(len(d.tickets))
	t := d.tickets[i]
	var e ticket.Event
	switch n := d.rand.IntN(10); {
	case n < 2:
		e = ticket.Assigned{Agent: agentID(d.rand.IntN(40))}
	case n < 5:
		e = ticket.Replied{Body: personal.New(words)}
	case n < 7:
		e = ticket.Received{Body: personal.New(words)}
	case n < 8:
		e = ticket.Tagged{Tag: agentID(d.rand.IntN(20))}
	default:
		e = ticket.Resolved{}
		d.tickets = slices.Delete(d.tickets, i, i+1)
	}
	d.append("ticket-"+t.id.String(), t.revision, t.contact, e)
	t.revision++
}

// BenchmarkRebuild measures a rebuild of all read models against its limit, in turn, and says their ratio.
func BenchmarkRebuild(b *testing.B) {
	s := deskLog(b, *benchEvents)
	limit, err := s.Record(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	time1 := func(f func(db *readmodels.DB) error) float64 {
		db, err := readmodels.OpenTemporary(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		began := time.Now()
		if err := f(db); err != nil {
			b.Fatal(err)
		}
		return time.Since(began).Seconds()
	}
	var ratios, rebuilds, limits []float64
	for b.Loop() {
		l := time1(func(db *readmodels.DB) error { return limit.Play(b.Context(), db) })
		r := time1(func(db *readmodels.DB) error { return s.replay(b.Context(), Cut{}, db) })
		limits, rebuilds, ratios = append(limits, l), append(rebuilds, r), append(ratios, l/r)
	}
	b.ReportMetric(median(ratios), "of-limit")
	b.ReportMetric(float64(limit.Events)/median(rebuilds), "events/s")
	b.ReportMetric(float64(limit.Events)/median(limits), "limit-events/s")
	b.ReportMetric(float64(limit.Rows)/float64(limit.Events), "rows/event")
	b.ReportMetric(0, "ns/op")
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}
