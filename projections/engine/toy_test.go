package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/readmodels/table"
)

// A toy is an event that contains what to do with the rows.
type toy struct {
	Do    string
	Agent int
	Hour  int64
	N     int64
}

func (toy) EventType() string { return "toy" }

type thing struct {
	ID   uuid.UUID       `db:"thing_id,key"`
	Name string          `db:"name"`
	N    int64           `db:"n"`
	Part float64         `db:"part"`
	Open bool            `db:"open"`
	At   table.Instant   `db:"at"`
	By   table.Ref       `db:"by"`
	Tags table.List[int] `db:"tags"`
	Was  *int64          `db:"was"`
}

type BucketKey struct {
	Agent table.Ref     `db:"agent_id,key"`
	Hour  table.Instant `db:"hour,key"`
}

type bucket struct {
	BucketKey
	N int64 `db:"n"`
}

type note struct {
	Position eventstore.Position `db:"position,key"`
	Seq      int                 `db:"seq,key"`
	Text     string              `db:"text"`
}

type mark struct {
	Position eventstore.Position `db:"position,key"`
	Stream   string              `db:"stream"`
}

type PackKey struct {
	Hour  table.Instant `db:"hour,key"`
	Agent table.Ref     `db:"agent_id,key"`
}

// A grain is a packed fact.
type grain struct {
	At   table.Instant
	Word string
	By   table.Ref
	Tags table.List[uuid.UUID]
	N    int64
	Odd  byte
}

func (g *grain) Code(c *table.Coder) {
	c.Instant(&g.At)
	table.Word(c, &g.Word)
	c.Ref(&g.By)
	c.IDs(&g.Tags)
	c.Number(&g.N)
	c.Byte(&g.Odd)
}

type TotalKey struct {
	Agent table.Ref  `db:"agent_id,key"`
	Day   table.Date `db:"day,key"`
}

// A total adds up what things count.
type total struct {
	TotalKey
	N    int64         `db:"n"`
	Took table.Seconds `db:"took"`
}

type LabelKey struct {
	Tag   int       `db:"tag,key"`
	Thing uuid.UUID `db:"thing_id,key"`
}

// A label says how often a thing has a tag.
type label struct {
	LabelKey
	Times int `db:"times"`
}

// labelsOf are the labels of a thing.
func labelsOf(r thing) (all []label) {
	for tag := range 3 {
		times := 0
		for _, t := range r.Tags {
			if t == tag {
				times++
			}
		}
		if times > 0 {
			all = append(all, label{LabelKey{tag, r.ID}, times})
		}
	}
	return all
}

var (
	grainsTable  = table.Table{Name: "grains", Row: PackKey{}, Facts: new(grain)}
	thingsTable  = table.Table{Name: "things", Row: thing{}, Indexes: []string{"n, thing_id", "name"}}
	bucketsTable = table.Table{Name: "buckets", Row: bucket{}}
	notesTable   = table.Table{Name: "notes", Row: note{}}
	marksTable   = table.Table{Name: "marks", Row: mark{}}
	totalsTable  = table.Table{Name: "totals", Row: total{}}
	labelsTable  = table.Table{Name: "labels", Row: label{}, Indexes: []string{"thing_id"}}
)

// rows has the methods of a Table, so that toys can be folded into maps as well.
type rows[K comparable, R any] interface {
	Insert(R)
	Update(K, func(*R))
	Upsert(K, func(*R))
	Delete(K)
	Get(K) (R, bool)
}

type toys struct {
	things  rows[uuid.UUID, thing]
	buckets rows[BucketKey, bucket]
	notes   interface{ Insert(note) }
	marks   interface{ Insert(mark) }
	grains  interface {
		Insert(PackKey, int64, grain)
		Of(PackKey) []table.Learnt[grain]
	}
	totals interface{ Of(TotalKey) *total }
	spoil  func(*thing)
}

// agentOf returns one of a few agents, or none.
func agentOf(n int) table.Ref {
	if n == 0 {
		return table.Ref{}
	}
	return table.Ref(uuid.NewSHA1(uuid.Nil, []byte{byte(n)}))
}

// poisonous is what the projection "things" fails at, while it is set.
var errPoison = errors.New("this toy is poison")

func (t toys) things_(e *Recorded, poison *atomic.Bool) {
	ev := e.Event.(toy)
	in := TotalKey{agentOf(ev.Agent), table.Date(ev.Hour)}
	t.totals.Of(in).N += ev.N%3 - 1 // which is often nothing in all
	count := func(r *thing) {
		t.totals.Of(in).Took += table.Seconds(r.N%3 - 1)
		r.N += ev.N
		r.Part += 0.5
		r.At = e.At
		r.Was = &ev.N
		r.Tags = append(append(table.List[int]{}, r.Tags...), ev.Agent)
		if len(r.Tags) > 3 {
			r.Tags = nil
		}
		t.notes.Insert(note{e.Position, 1, fmt.Sprint("counted to ", r.N)})
	}
	switch ev.Do {
	case "insert":
		t.things.Insert(thing{ID: e.ID, Name: "new", By: agentOf(ev.Agent), Open: true})
	case "update":
		t.things.Update(e.ID, count)
	case "upsert":
		t.things.Upsert(e.ID, count)
	case "delete":
		t.things.Delete(e.ID)
	case "get":
		if r, ok := t.things.Get(e.ID); ok {
			r.Name += "+"
			t.things.Insert(r)
		}
	case "again": // several changes of one row by one event
		t.things.Upsert(e.ID, count)
		t.things.Delete(e.ID)
		t.things.Update(e.ID, func(r *thing) { panic("there is nothing to update") })
		t.things.Upsert(e.ID, func(r *thing) { r.Name = "again" })
	case "poison":
		if poison.Load() {
			panic(errPoison)
		}
		t.things.Upsert(e.ID, count)
	case "spoil":
		t.things.Upsert(e.ID, func(r *thing) {
			count(r)
			if poison.Load() {
				t.spoil(r)
			}
		})
	case "late poison":
		t.things.Upsert(e.ID, func(r *thing) {
			if poison.Load() {
				panic(errPoison)
			}
			count(r)
		})
	}
	t.notes.Insert(note{e.Position, 0, ev.Do})
	key := PackKey{table.Instant(ev.Hour), agentOf(ev.Agent)}
	n := ev.N
	if ev.Do == "many" { // so that some packs have several parts
		n = 200
	}
	for i := range n {
		g := grain{At: e.At, Word: ev.Do, By: agentOf(int(i) % 3), N: i - 2<<(i%60), Odd: byte(i % 2)}
		for n := range i % 4 {
			g.Tags = append(g.Tags, thingID(int(n)))
		}
		t.grains.Insert(key, i, g)
	}
	if ev.Do == "get" {
		t.grains.Insert(key, -1, grain{N: int64(len(t.grains.Of(key)))})
	}
}

func (t toys) buckets_(e *Recorded) {
	ev := e.Event.(toy)
	t.buckets.Upsert(BucketKey{agentOf(ev.Agent), table.Instant(ev.Hour)}, func(b *bucket) { b.N += ev.N })
	t.marks.Insert(mark{e.Position, e.Category + "-" + e.ID.String()})
}

// A bench is a log of toys and its projections.
type bench struct {
	Source
	store  eventstore.Store
	poison atomic.Bool
	spoil  func(*thing) // what "spoil" does, while poison is set
	last   map[uuid.UUID]eventstore.Revision
}

func newBench(t testing.TB) *bench {
	store, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	return newBenchOn(t, store)
}

// newBenchOn owns the store.
func newBenchOn(t testing.TB, store eventstore.Store) *bench {
	t.Cleanup(func() { store.Close() })
	b := &bench{store: store, last: map[uuid.UUID]eventstore.Revision{}}
	b.Source = Source{Store: store, Decode: decodeToy, Projections: b.projections()}
	return b
}

func (b *bench) projections() []Projection {
	return []Projection{
		{"things", func(l *Ledger) func(*Recorded) {
			things := Keep[thing](l, "thing", thingsTable)
			Derive(things, labelsTable, func(a, b *thing) bool { return slices.Equal(a.Tags, b.Tags) }, labelsOf)
			t := toys{things: things, notes: NewFacts[note](l, notesTable), grains: NewPacked[PackKey, grain](l, grainsTable), totals: NewSums[TotalKey, total](l, totalsTable), spoil: b.spoil}
			return func(e *Recorded) { t.things_(e, &b.poison) }
		}},
		{"buckets", func(l *Ledger) func(*Recorded) {
			t := toys{buckets: NewTable[BucketKey, bucket](l, bucketsTable), marks: NewFacts[mark](l, marksTable)}
			return t.buckets_
		}},
	}
}

var errUnreadable = errors.New("unreadable")

func decodeToy(r eventstore.Recorded) (Recorded, error) {
	category, id, err := event.ParseStream(r.Stream)
	if err != nil {
		return Recorded{}, err
	}
	e := Recorded{
		EventID: r.ID, Category: category, ID: id, Revision: r.Revision, Position: r.Position,
		At: table.Instant(1000 + r.Position%7*100), RecordedAt: table.At(r.RecordedAt),
	}
	if r.Type != "toy" {
		return e, fmt.Errorf("%w %q", event.ErrUnknown, r.Type)
	}
	var ev toy
	if json.Unmarshal(r.Data, &ev) != nil {
		return e, errUnreadable
	}
	e.Event = ev
	return e, nil
}

func thingID(n int) uuid.UUID { return uuid.NewSHA1(uuid.Max, []byte(fmt.Sprint(n))) }

// append adds a toy to the stream of a thing and returns its position.
func (b *bench) append(t testing.TB, n int, ev toy) eventstore.Position {
	data, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	return b.appendRaw(t, n, "toy", data)
}

func (b *bench) appendRaw(t testing.TB, n int, name string, data []byte) eventstore.Position {
	t.Helper()
	id := thingID(n)
	expected, ok := b.last[id]
	if !ok {
		expected = eventstore.NoStream
	}
	done, err := eventstore.AppendTo(t.Context(), b.store, "thing-"+id.String(), expected, []eventstore.Event{{ID: uuid.New(), Type: name, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	b.last[id] = done.Revision
	return done.Position
}

// mapped is a table in a map.
type mapped[K comparable, R any] struct {
	rows map[K]R
	key  func(*R) *K
}

func (p mapped[K, R]) Insert(r R)        { p.rows[*p.key(&r)] = r }
func (p mapped[K, R]) Delete(k K)        { delete(p.rows, k) }
func (p mapped[K, R]) Get(k K) (R, bool) { r, ok := p.rows[k]; return r, ok }
func (p mapped[K, R]) Update(k K, f func(*R)) {
	if r, ok := p.rows[k]; ok {
		f(&r)
		p.rows[k] = r
	}
}
func (p mapped[K, R]) Upsert(k K, f func(*R)) {
	r, ok := p.rows[k]
	if !ok {
		*p.key(&r) = k
	}
	f(&r)
	p.rows[k] = r
}

type mappedFacts[R any] struct{ rows *[]R }

func (p mappedFacts[R]) Insert(r R) { *p.rows = append(*p.rows, r) }

type mappedPacks struct {
	packs map[PackKey]map[place]grain
	at    *table.Position
}

func (p mappedPacks) Insert(k PackKey, seq int64, g grain) {
	if p.packs[k] == nil {
		p.packs[k] = map[place]grain{}
	}
	p.packs[k][place{int64(*p.at), seq}] = g
}

func (p mappedPacks) Of(k PackKey) []table.Learnt[grain] {
	return make([]table.Learnt[grain], len(p.packs[k]))
}

type mappedSums map[TotalKey]*total

func (p mappedSums) Of(k TotalKey) *total {
	if p[k] == nil {
		p[k] = &total{TotalKey: k}
	}
	return p[k]
}

// contents is all rows.
type contents struct {
	Totals  map[TotalKey]total
	Grains  map[PackKey]map[place]grain
	Things  map[uuid.UUID]thing
	Buckets map[BucketKey]bucket
	Notes   map[[2]int]note
	Marks   map[eventstore.Position]mark
	Labels  map[LabelKey]label
}

// reference folds entries into maps.
func reference(entries []entry) contents {
	things := mapped[uuid.UUID, thing]{map[uuid.UUID]thing{}, func(r *thing) *uuid.UUID { return &r.ID }}
	buckets := mapped[BucketKey, bucket]{map[BucketKey]bucket{}, func(r *bucket) *BucketKey { return &r.BucketKey }}
	var notes []note
	var marks []mark
	var at table.Position
	grains := mappedPacks{map[PackKey]map[place]grain{}, &at}
	t := toys{things, buckets, mappedFacts[note]{&notes}, mappedFacts[mark]{&marks}, grains, mappedSums{}, nil}
	for _, e := range entries {
		at = table.Position(e.Position)
		if e.err == nil {
			t.things_(&e.Recorded, new(atomic.Bool))
			t.buckets_(&e.Recorded)
		}
	}
	var labels []label
	for _, r := range things.rows {
		labels = append(labels, labelsOf(r)...)
	}
	totals := map[TotalKey]total{}
	for key, sum := range t.totals.(mappedSums) {
		if sum.N != 0 || sum.Took != 0 {
			totals[key] = *sum
		}
	}
	return contents{totals, grains.packs, things.rows, buckets.rows, index(notes, noteKey), index(marks, markKey), index(labels, labelKey)}
}

func noteKey(n note) [2]int              { return [2]int{int(n.Position), n.Seq} }
func markKey(m mark) eventstore.Position { return m.Position }
func labelKey(l label) LabelKey          { return l.LabelKey }

func index[K comparable, R any](rows []R, key func(R) K) map[K]R {
	m := make(map[K]R, len(rows))
	for _, r := range rows {
		m[key(r)] = r
	}
	return m
}

// contentsOf reads all rows, through sqlx as queries do.
func contentsOf(t testing.TB, db *table.DB) contents {
	t.Helper()
	return contents{
		index(all[total](t, db, totalsTable), func(r total) TotalKey { return r.TotalKey }),
		grainsOf(t, db),
		index(all[thing](t, db, thingsTable), func(r thing) uuid.UUID { return r.ID }),
		index(all[bucket](t, db, bucketsTable), func(r bucket) BucketKey { return r.BucketKey }),
		index(all[note](t, db, notesTable), noteKey),
		index(all[mark](t, db, marksTable), markKey),
		index(all[label](t, db, labelsTable), labelKey),
	}
}

// grainsOf reads all packs, and sees to it that their parts are as full as they must be.
func grainsOf(t testing.TB, db *table.DB) map[PackKey]map[place]grain {
	t.Helper()
	packs, parts := map[PackKey]map[place]grain{}, map[PackKey]int64{}
	for _, row := range all[struct {
		PackKey
		Part  int64  `db:"part"`
		Facts []byte `db:"facts"`
	}](t, db, grainsTable) {
		facts, earlier, err := table.Unpack[grain](row.Facts, nil)
		if err != nil {
			t.Fatal(err)
		}
		if parts[row.PackKey]++; row.Part > 0 && (earlier != row.Part-1 || len(facts) != table.PartFacts) {
			t.Fatalf("part %d comes after %d others and has %d facts", row.Part, earlier, len(facts))
		}
		if packs[row.PackKey] == nil {
			packs[row.PackKey] = map[place]grain{}
		}
		for _, f := range facts {
			packs[row.PackKey][place{int64(f.Position), f.Seq}] = f.Fact
		}
	}
	for key, n := range parts {
		if want := (len(packs[key]) + table.PartFacts - 1) / table.PartFacts; int(n) != want {
			t.Fatalf("%d facts are in %d parts, not in %d", len(packs[key]), n, want)
		}
	}
	return packs
}

func all[R any](t testing.TB, db *table.DB, table table.Table) (rows []R) {
	t.Helper()
	if err := db.Readers.Select(&rows, "SELECT * FROM "+table.Name); err != nil {
		t.Fatal(err)
	}
	return rows
}

func diff(want, got contents) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Exporter(func(reflect.Type) bool { return true }))
}

// entries reads the whole log.
func (b *bench) entries(t testing.TB) (all []entry) {
	t.Helper()
	for batch, err := range b.store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		for _, stored := range batch {
			all = append(all, b.decode(stored))
		}
	}
	return all
}
