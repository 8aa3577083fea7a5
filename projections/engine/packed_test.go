package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"daybook/readmodels/table"
)

// What was parked and comes late stands in its place, and the bytes of all parts are those of a projection from the start.
func TestFactsThatComeLate(t *testing.T) {
	b := newBench(t)
	r := b.start(t, newHome(t))
	r.wait(t, b.append(t, 1, toy{Do: "insert", N: 1}))
	b.poison.Store(true)
	b.append(t, 0, toy{Do: "poison", N: 3})
	last := b.append(t, 0, toy{Do: "many"})
	for n := range 5 {
		last = b.append(t, n, toy{Do: "many"})
	}
	r.wait(t, last)
	b.poison.Store(false)
	if err := r.Retry(t.Context(), "things"); err != nil {
		t.Fatal(err)
	}
	if said := r.verify(t, b.Source); said != nil {
		t.Error(said)
	}
	if packs := r.contents(t).Grains; len(packs) != 1 || len(packs[PackKey{}]) != 1+3+6*200 {
		t.Errorf("there are %d packs, the first with %d facts", len(packs), len(packs[PackKey{}]))
	}
}

func TestVerifyNamesFacts(t *testing.T) {
	b := newBench(t)
	last := b.append(t, 0, toy{Do: "insert", N: 3})
	r := b.start(t, newHome(t))
	r.wait(t, last)
	for _, c := range []struct {
		name  string
		spoil func([]table.Learnt[grain]) []table.Learnt[grain]
		want  string
	}{
		{"lost", func(all []table.Learnt[grain]) []table.Learnt[grain] { return all[:2] }, "fact 2 of position 1: the row is missing"},
		{"made up", func(all []table.Learnt[grain]) []table.Learnt[grain] {
			return append(all, table.Learnt[grain]{Position: 9, Seq: 4})
		}, "fact 4 of position 9: the row should not be there"},
		{"changed", func(all []table.Learnt[grain]) []table.Learnt[grain] {
			all = slices.Clone(all)
			all[1].Fact.N = 77
			return all
		}, `fact 1 of position 1: it is {"At":"0001-01-01T00:00:00.0011Z","Word":"insert","By":`},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := packOf(t, r)
			facts, earlier, err := table.Unpack[grain](whole, nil)
			if err != nil {
				t.Fatal(err)
			}
			setPack(t, r, table.Pack[grain](earlier, c.spoil(facts)))
			defer setPack(t, r, whole)
			if said := r.verify(t, b.Source); len(said) != 1 || !strings.Contains(said[0], c.want) {
				t.Errorf("it says %q", said)
			}
		})
	}
	whole := packOf(t, r)
	for _, spoiled := range [][]byte{{}, whole[:len(whole)-1], append(slices.Clone(whole), 0), append([]byte{9}, whole[1:]...)} {
		setPack(t, r, spoiled)
		if said := r.verify(t, b.Source); len(said) != 1 || !strings.Contains(said[0], "damaged") {
			t.Errorf("of damage it says %q", said)
		}
	}
}

func packOf(t *testing.T, r *running) (facts []byte) {
	t.Helper()
	err := r.live.Read(func(db *table.DB) error { return db.Readers.Get(&facts, "SELECT facts FROM grains") })
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func setPack(t *testing.T, r *running, facts []byte) {
	t.Helper()
	err := r.live.Read(func(db *table.DB) error {
		return db.Write(t.Context(), func(tx table.Tx) error {
			n, err := tx.Exec("UPDATE grains SET facts = ?", facts)
			if n != 1 && err == nil {
				err = errors.New("there is no pack")
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
