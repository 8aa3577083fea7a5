package engine

import (
	"math"
	"strings"
	"testing"

	"daybook/internal/testdb"
	"daybook/readmodels/table"
)

// TestARowThatTheDatabaseRefuses writes a row that a database does not take, among others: it parks its own thing, all else goes on, and
// when the row is right it is projected again. Case 1.1.
func TestARowThatTheDatabaseRefuses(t *testing.T) {
	random := strings.Builder{} // which cannot be compressed
	for i := range 2000 {
		random.WriteString(thingID(i).String())
	}
	const (
		check   = "ALTER TABLE things ADD CHECK (name <> 'refused')"
		trigger = "CREATE TRIGGER refuses BEFORE INSERT ON things WHEN NEW.name = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END"
	)
	postgres := func(t testing.TB) table.Home { return inSchemas(t, testdb.URL(t), 0) }
	for name, test := range map[string]struct {
		home  func(testing.TB) table.Home
		rule  string // that the database gets
		spoil func(*thing)
	}{
		"PostgreSQL: NUL":                           {home: postgres, spoil: func(r *thing) { r.Name = "a\x00b" }},
		"PostgreSQL: bytes that are no UTF-8":       {home: postgres, spoil: func(r *thing) { r.Name = "caf\xe9" }},
		"PostgreSQL: a text too long for its index": {home: postgres, spoil: func(r *thing) { r.Name = random.String() }},
		"PostgreSQL: a constraint":                  {home: postgres, rule: check, spoil: func(r *thing) { r.Name = "refused" }},
		"SQLite: what is no number":                 {home: inFiles, spoil: func(r *thing) { r.Part = math.NaN() }},
		"SQLite: a constraint":                      {home: inFiles, rule: trigger, spoil: func(r *thing) { r.Name = "refused" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.spoil = test.spoil
			r := b.start(t, test.home(t))
			r.wait(t, b.appendSome(t, 20))
			if test.rule != "" {
				err := r.live.Read(func(db *table.DB) error {
					return db.Write(t.Context(), func(tx table.Tx) error {
						_, err := tx.Exec(test.rule)
						return err
					})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			b.poison.Store(true)
			for n := range 40 {
				b.append(t, 100+n, toy{Do: "insert"})
				b.append(t, 100+n, toy{Do: map[bool]string{true: "spoil", false: "upsert"}[n == 17], N: 1})
			}
			bad := b.last[thingID(117)]
			r.wait(t, b.append(t, 117, toy{Do: "upsert", N: 1}))

			parked := r.parked(t)
			if len(parked) != 1 || parked[0].Projection != "things" || parked[0].Stream != "thing-"+thingID(117).String() || parked[0].Waiting != 2 || bad != 1 {
				t.Fatalf("parked: %+v", parked)
			}
			got := r.contents(t)
			for n := range 40 {
				if row, ok := got.Things[thingID(100+n)]; !ok || n != 17 && row.N != 1 || n == 17 && row.N != 0 {
					t.Errorf("thing %d: %+v", n, row)
				}
			}
			if err := r.Retry(t.Context(), "things"); err != nil {
				t.Fatal(err)
			}
			if all, _ := r.Status(t.Context()); all[0].Parked != 1 {
				t.Errorf("what is refused again is parked no more: %+v", all[0])
			}
			b.poison.Store(false)
			if err := r.Retry(t.Context(), "things"); err != nil {
				t.Fatal(err)
			}
			if d := diff(reference(b.entries(t)), r.contents(t)); d != "" {
				t.Error(d)
			}
			if said := r.verify(t, b.Source); said != nil {
				t.Error(said)
			}
		})
	}
}
