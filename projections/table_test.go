package projections

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
	return toy{
		Do:    rapid.SampledFrom(deeds).Draw(t, "do"),
		Agent: rapid.IntRange(0, 2).Draw(t, "agent"),
		Hour:  rapid.Int64Range(0, 2).Draw(t, "hour"),
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
				Event: drawToy(t), EventID: uuid.New(), Category: "thing", ID: id, Position: eventstore.Position(i + 1),
				At: table.Instant(rapid.Int64Range(0, 3).Draw(t, "at")),
			},
			stream: "thing-" + id.String(),
		}
	}
	return all
}

// Whatever is kept in memory, however the log is cut into batches, whether changes wait or run at once, and whenever the
// program is killed: what is posted is what a fold into maps comes to.
func TestPostingIsAFold(t *testing.T) {
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
		begin := func(lay bool) *poster {
			l, err := newLedger(b.bind, rapid.IntRange(1, 8).Draw(rt, "cache"))
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
			if err := p.post(t.Context(), log[p.at.Position:][:n]); err != nil {
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
		if d := diff(reference(log), posted(t, db)); d != "" {
			rt.Fatal("what the maps have and what was posted:\n", d)
		}
		if p.applied != int64(len(log)) {
			rt.Fatalf("%d events were counted, not %d", p.applied, len(log))
		}
	})
}

func TestTablesAreDeclaredOnce(t *testing.T) {
	things := func(l *ledger, owner string) { newTable[uuid.UUID, thing](l, owner, thingsTable) }
	for _, c := range []struct {
		name, want string
		bind       func(*ledger) []fold
	}{
		{"two owners", "has two owners", func(l *ledger) []fold {
			things(l, "a")
			things(l, "b")
			return []fold{{name: "a"}, {name: "b"}}
		}},
		{"no owner", "no projection", func(l *ledger) []fold {
			things(l, "a")
			return []fold{{name: "b"}}
		}},
		{"two projections", "two projections", func(l *ledger) []fold { return []fold{{name: "a"}, {name: "a"}} }},
		{"another row", "are projections.thing", func(l *ledger) []fold {
			newTable[uuid.UUID, bucket](l, "a", thingsTable)
			return []fold{{name: "a"}}
		}},
		{"another key", "not one exported field", func(l *ledger) []fold {
			newTable[int, thing](l, "a", thingsTable)
			return []fold{{name: "a"}}
		}},
		{"facts of no event", "position", func(l *ledger) []fold {
			newFacts[thing](l, "a", thingsTable)
			return []fold{{name: "a"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := newLedger(c.bind, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the ledger says %v", err)
			}
		})
	}
}

// What a projection may not do parks the thing, with a sentence.
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
			s := Source{bind: func(l *ledger) []fold {
				owner := "mine"
				if c.want == "belongs to" {
					owner = "other"
				}
				things = newTable[uuid.UUID, thing](l, owner, thingsTable)
				notes = newFacts[note](l, "mine", notesTable)
				return []fold{{"mine", 1, c.apply}, {"other", 1, func(*Recorded) {}}}
			}}
			db := newDB(t)
			p, err := s.lay(t.Context(), db, table.Generation{})
			if err != nil {
				t.Fatal(err)
			}
			err = p.post(t.Context(), []entry{{Recorded: Recorded{Position: 1, ID: uuid.New()}, stream: "thing-1"}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the post says %v", err)
			}
		})
	}
}

func newTrespass(t *Table[uuid.UUID, thing], e *Recorded) { t.Delete(e.ID) }

// The projections themselves: whether their changes run at once or wait makes no difference.
func TestProjectionsDoNotMindWaiting(t *testing.T) {
	s := deskLog(t, 3000)
	post := func(size int, cache int, defers bool) *poster {
		db := newDB(t)
		p, err := s.lay(t.Context(), db, table.Generation{})
		if err != nil {
			t.Fatal(err)
		}
		p.ledger.cacheRows, p.ledger.defers = cache, defers
		head, err := s.Store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f := s.feed(t.Context(), eventstore.Start)
		defer f.stop()
		for p.at.Position < head {
			batch, err := f.next(t.Context(), size, head)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.post(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	atOnce, waiting := post(1000, cacheRows, false), post(37, 5, true)
	for _, r := range atOnce.ledger.relations() {
		rows, err := compareTable(t.Context(), r, waiting.db.Readers, atOnce.db.Readers, func(d Difference) error {
			return errors.New(d.String())
		})
		if err != nil {
			t.Error(err)
		}
		t.Log(r.Name, rows, "rows")
	}
}
