package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

var deeds = []string{"insert", "update", "update", "upsert", "delete", "get", "again", "nothing"}

func drawToy(t *rapid.T) toy {
	if rapid.IntRange(0, 14).Draw(t, "many") == 14 {
		return toy{Do: "many"}
	}
	return toy{
		Do:    rapid.SampledFrom(deeds).Draw(t, "do"),
		Agent: rapid.IntRange(0, 2).Draw(t, "agent"),
		Hour:  rapid.Int64Range(0, 1).Draw(t, "hour"),
		N:     rapid.Int64Range(-2, 5).Draw(t, "n"),
	}
}

// drawEntries makes a log without a store.
func drawEntries(t *rapid.T) []entry {
	n := rapid.IntRange(1, 60).Draw(t, "events")
	all := make([]entry, n)
	for i := range all {
		id := thingID(rapid.IntRange(0, 6).Draw(t, "thing"))
		all[i] = entry{
			Recorded: Recorded{
				Event: drawToy(t), EventID: uuid.New(), Stream: "thing-" + id.String(), Category: "thing", ID: id, Position: eventstore.Position(i + 1),
				At: table.Instant(rapid.Int64Range(0, 3).Draw(t, "at")),
			},
		}
	}
	return all
}

// Whatever is cached, however the log is cut into batches, whether changes wait or run at once, and whenever the program is killed,
// the rows are those of a fold into maps.
func TestProjectingIsAFold(t *testing.T) {
	b, home := newBench(t), newHome(t)
	rapid.Check(t, func(rt *rapid.T) {
		log := drawEntries(rt)
		db, number, err := home.Create(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := errors.Join(db.Close(), home.Remove(t.Context(), table.Alone{}, number)); err != nil {
				rt.Error(err)
			}
		}()
		begin := func(lay bool) *projector {
			l, err := newLedger(b.Projections, rapid.IntRange(1, 8).Draw(rt, "cache"))
			if err != nil {
				rt.Fatal(err)
			}
			l.defers = rapid.Bool().Draw(rt, "defers")
			if lay {
				if err := db.Lay(t.Context(), table.Generation{Number: number}, l.relations(), l.checkpoints()); err != nil {
					rt.Fatal(err)
				}
			}
			p, err := claim(t.Context(), db, table.Alone{}, l)
			if err != nil {
				rt.Fatal(err)
			}
			p.strict = true
			return p
		}
		p := begin(true)
		for int(p.at.Position) < len(log) {
			n := rapid.IntRange(1, len(log)-int(p.at.Position)).Draw(rt, "batch")
			if err := p.apply(t.Context(), log[p.at.Position:][:n]); err != nil {
				rt.Fatal(err)
			}
			if rapid.IntRange(0, 3).Draw(rt, "kill") == 0 {
				if rapid.Bool().Draw(rt, "close") {
					db.Close()
					if db, err = home.Open(t.Context(), number); err != nil {
						rt.Fatal(err)
					}
				}
				p = begin(false)
			}
		}
		if d := diff(reference(log), contentsOf(t, db)); d != "" {
			rt.Fatal("what the maps have and what was projected:\n", d)
		}
		if p.applied != int64(len(log)) {
			rt.Fatalf("%d events were counted, not %d", p.applied, len(log))
		}
	})
}

func TestTablesAreDeclaredOnce(t *testing.T) {
	declares := func(name string, declare func(*Ledger)) Projection {
		return Projection{name, func(l *Ledger) func(*Recorded) { declare(l); return func(*Recorded) {} }}
	}
	things := func(l *Ledger) { NewTable[uuid.UUID, thing](l, thingsTable) }
	kept := func(l *Ledger) { Keep[thing](l, "thing", thingsTable) }
	nothing := func(*Ledger) {}
	for _, c := range []struct {
		name, want string
		of         []Projection
	}{
		{"two owners", "has two owners", []Projection{declares("a", things), declares("b", things)}},
		{"two keepers", "keep rows of category thing", []Projection{declares("a", kept), declares("b", kept)}},
		{"two projections", "two projections", []Projection{declares("a", nothing), declares("a", nothing)}},
		{"another row", "are engine.thing", []Projection{declares("a", func(l *Ledger) { NewTable[uuid.UUID, bucket](l, thingsTable) })}},
		{"another key", "not one exported field", []Projection{declares("a", func(l *Ledger) { NewTable[int, thing](l, thingsTable) })}},
		{"another derived row", "are engine.label", []Projection{declares("a", func(l *Ledger) {
			Derive(NewTable[uuid.UUID, thing](l, thingsTable), labelsTable, func(a, b *thing) bool { return false }, func(thing) []bucket { return nil })
		})}},
		{"sums that are not exact", "cannot be added up", []Projection{declares("a", func(l *Ledger) { NewSums[uuid.UUID, thing](l, thingsTable) })}},
		{"facts of no event", "position", []Projection{declares("a", func(l *Ledger) { NewFacts[thing](l, thingsTable) })}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := newLedger(c.of, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the ledger says %v", err)
			}
		})
	}
}

// A projection that does what it must not parks the stream, with a sentence.
func TestTrespassing(t *testing.T) {
	var things *Table[uuid.UUID, thing]
	var notes *Facts[note]
	for _, c := range []struct {
		name, want string
		apply      func(*Recorded)
	}{
		{"a table of another", "belongs to", func(e *Recorded) { newTrespass(things, e) }},
		{"a table in a change", "only Apply may", func(e *Recorded) {
			things.Upsert(e.ID, func(*thing) { things.Delete(e.ID) })
		}},
		{"a changed key", "changed the key", func(e *Recorded) {
			things.Upsert(e.ID, func(r *thing) { r.ID = uuid.Nil })
		}},
		{"a fact elsewhere", "has position", func(e *Recorded) { notes.Insert(note{Position: 7}) }},
		{"a fact twice", "two facts", func(e *Recorded) {
			notes.Insert(note{Position: e.Position})
			notes.Insert(note{Position: e.Position})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine := Projection{"mine", func(l *Ledger) func(*Recorded) {
				notes = NewFacts[note](l, notesTable)
				if c.want != "belongs to" {
					things = NewTable[uuid.UUID, thing](l, thingsTable)
				}
				return c.apply
			}}
			other := Projection{"other", func(l *Ledger) func(*Recorded) {
				if c.want == "belongs to" {
					things = NewTable[uuid.UUID, thing](l, thingsTable)
				}
				return func(*Recorded) {}
			}}
			s := Source{Projections: []Projection{mine, other}}
			db := newDB(t)
			p, err := s.lay(t.Context(), db, table.Generation{})
			if err != nil {
				t.Fatal(err)
			}
			err = p.apply(t.Context(), []entry{{Recorded: Recorded{Position: 1, ID: uuid.New(), Stream: "thing-1"}}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("apply returns %v", err)
			}
		})
	}
}

// A key passes from one row to another; two rows cannot have it at once.
func TestADerivedRowIsOfOneRow(t *testing.T) {
	var things *Table[uuid.UUID, thing]
	named := Projection{"things", func(l *Ledger) func(*Recorded) {
		things = NewTable[uuid.UUID, thing](l, thingsTable)
		Derive(things, labelsTable, func(a, b *thing) bool { return a.N == b.N && a.Part == b.Part }, func(r thing) []label { return []label{{LabelKey{Tag: int(r.N)}, int(r.Part)}} })
		return func(e *Recorded) { e.Event.(deed)() }
	}}
	db := newDB(t)
	p, err := Source{Projections: []Projection{named}}.lay(t.Context(), db, table.Generation{})
	if err != nil {
		t.Fatal(err)
	}
	position := eventstore.Position(0)
	do := func(d deed) error {
		position++
		return p.apply(t.Context(), []entry{{Recorded: Recorded{Event: d, Position: position, Stream: "thing-1"}}})
	}
	err = errors.Join(
		do(func() { things.Insert(thing{ID: thingID(1), N: 7, Part: 1}) }),
		do(func() { // in any order
			things.Insert(thing{ID: thingID(2), N: 7, Part: 2})
			things.Update(thingID(1), func(r *thing) { r.N = 8 })
		}),
		do(func() { things.Update(thingID(2), func(r *thing) { r.Part = 3 }) }),
		do(func() { things.Delete(thingID(1)) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := all[label](t, db, labelsTable); len(got) != 1 || got[0] != (label{LabelKey{Tag: 7}, 3}) {
		t.Errorf("the labels are %v", got)
	}
	err = do(func() {
		things.Insert(thing{ID: thingID(3), N: 9})
		things.Insert(thing{ID: thingID(4), N: 9})
	})
	if err == nil || !strings.Contains(err.Error(), "two rows of labels have one key") {
		t.Errorf("two rows with one key: %v", err)
	}
}

// A deed is an event that does something.
type deed func()

func (deed) EventType() string { return "deed" }

func newTrespass(t *Table[uuid.UUID, thing], e *Recorded) { t.Delete(e.ID) }
