package engine

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"daybook/readmodels/table"
)

// Packed holds facts that are found together, by a key, in packs. Like Facts they are inserted and never change; the facts of an event
// under one key have different numbers, chosen so that they do not depend on the order in which changes run. A pack's bytes depend only
// on its facts, whatever was in one batch, and whatever was parked and came late.
//
// Only the projection that owns it may use it, from its Apply or from a change of a row.
type Packed[K comparable, R any, F table.FactOf[R]] struct {
	declared
	added  []added[R] // in the order in which they came
	chains map[K]chain
	keys   []K // of chains, in the order in which they came

	whole []table.Learnt[R] // a pack with what was added, while it is written
}

// An added is a fact that is not written yet.
type added[R any] struct {
	at   int
	next int // the next one of its key; 0: none
	table.Learnt[R]
}

// A chain leads from the first fact of a key that is not written yet to the last.
type chain struct{ first, last int }

// A pack is what the database has of one.
type pack[R any] struct {
	newest  []table.Learnt[R] // part 0
	earlier int64             // how many parts come before it
}

// NewPacked declares packs of the projection that is being bound. The row struct of the spec must be a K, all of whose columns are the
// key, and its facts must be an R.
func NewPacked[K comparable, R any, F table.FactOf[R]](l *Ledger, spec table.Table) *Packed[K, R, F] {
	t := &Packed[K, R, F]{}
	t.declared = l.declare(spec, t)
	_, rows := spec.Row.(K)
	_, facts := spec.Facts.(F)
	if !rows || !facts {
		l.errs = append(l.errs, fmt.Errorf("the packs of table %s are %T of %T, not %s of %s",
			spec.Name, spec.Row, spec.Facts, reflect.TypeFor[K](), reflect.TypeFor[R]()))
	}
	t.drop(false)
	return t
}

// Insert adds a fact of the event.
func (t *Packed[K, R, F]) Insert(key K, seq int64, fact R) {
	t.owned()
	n := len(t.added)
	t.added = append(t.added, added[R]{t.at, 0, table.Learnt[R]{Position: table.Position(t.position()), Seq: seq, Fact: fact}})
	c, known := t.chains[key]
	if known {
		t.added[c.last].next = n
	} else {
		c.first = n
		t.keys = append(t.keys, key)
	}
	c.last = n
	t.chains[key] = c
}

// of yields the facts of a key that are not written yet.
func (t *Packed[K, R, F]) of(key K) iter.Seq[*added[R]] {
	return func(yield func(*added[R]) bool) {
		c, any := t.chains[key]
		for at := c.first; any; at = t.added[at].next {
			if !yield(&t.added[at]) || at == c.last {
				return
			}
		}
	}
}

// Of returns all facts of a key, in the order of their positions and numbers. It reads the whole pack at once.
func (t *Packed[K, R, F]) Of(key K) []table.Learnt[R] {
	t.owned()
	all := t.all(key, t.read(slices.Values([]K{key}))[key])
	for a := range t.of(key) {
		all = append(all, a.Learnt)
	}
	slices.SortFunc(all, inOrder)
	return all
}

func inOrder[R any](a, b table.Learnt[R]) int {
	return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Seq, b.Seq))
}

// read reads the newest parts of packs.
func (t *Packed[K, R, F]) read(keys iter.Seq[K]) map[K]pack[R] {
	found := map[K]pack[R]{}
	t.parts(keys, newest, func(key K, part []byte) error {
		facts, earlier, err := table.Unpack[R, F](part, nil)
		found[key] = pack[R]{facts, earlier}
		return err
	})
	return found
}

var newest = []int64{0}

// all returns all facts of a pack, in order.
func (t *Packed[K, R, F]) all(key K, p pack[R]) (facts []table.Learnt[R]) {
	parts := make([]int64, p.earlier)
	for i := range parts {
		parts[i] = int64(i + 1)
	}
	t.parts(slices.Values([]K{key}), parts, func(_ K, part []byte) (err error) {
		facts, _, err = table.Unpack[R, F](part, facts)
		return err
	})
	facts = append(facts, p.newest...)
	slices.SortFunc(facts, inOrder)
	return facts
}

// parts calls take with those of some parts of some packs that are there.
func (t *Packed[K, R, F]) parts(of iter.Seq[K], numbers []int64, take func(key K, part []byte) error) {
	n := len(t.rows.Key)
	keys := func(yield func([]driver.Value) bool) {
		for key := range of {
			t.locate(key)
			for _, t.vals[n-1] = range numbers {
				if !yield(t.vals[:n]) {
					return
				}
			}
		}
	}
	must(t.tx.Load(t.rows, keys, func(row []driver.Value) error {
		var key K
		if err := t.rows.Decode(row, reflect.ValueOf(&key).Elem()); err != nil {
			return err
		}
		part, _ := row[n].([]byte)
		if err := take(key, part); err != nil {
			return t.rows.Damaged(err)
		}
		return nil
	}))
}

// locate sets the values of a key.
func (t *Packed[K, R, F]) locate(key K) {
	if err := t.rows.EncodeKey(reflect.ValueOf(&key).Elem(), t.vals); err != nil {
		panic(err)
	}
}

func (t *Packed[K, R, F]) load() {}

func (t *Packed[K, R, F]) write() {
	there := t.read(slices.Values(t.keys))
	for _, key := range t.keys {
		was := there[key]
		for a := range t.of(key) {
			if was.earlier > 0 && inOrder(a.Learnt, was.newest[0]) < 0 { // it comes late, since it was parked: all parts are packed again
				there[key] = pack[R]{newest: t.all(key, was)}
				break
			}
		}
	}
	n := len(t.rows.Key)
	rows := func(yield func([]driver.Value) bool) {
		for _, key := range t.keys {
			t.locate(key)
			for part, facts := range t.changed(key, there[key]) {
				if t.vals[n-1], t.vals[n] = part, facts; !yield(t.vals) {
					return
				}
			}
		}
	}
	must(t.tx.Put(t.rows, t.ahead(len(t.keys), rows)))
}

// changed yields the parts of a pack that change, with what was added.
func (t *Packed[K, R, F]) changed(key K, was pack[R]) iter.Seq2[int64, []byte] {
	facts, earlier := append(t.whole[:0], was.newest...), was.earlier
	for a := range t.of(key) {
		facts = append(facts, a.Learnt)
	}
	t.whole = facts
	if !slices.IsSortedFunc(facts, inOrder) {
		slices.SortFunc(facts, inOrder)
	}
	for i := range facts[1:] {
		if inOrder(facts[i], facts[i+1]) == 0 {
			t.refuse(key, facts[i])
		}
	}
	return func(yield func(int64, []byte) bool) {
		for ; len(facts) > table.PartFacts; facts = facts[table.PartFacts:] {
			earlier++
			if !yield(earlier, table.Pack[R, F](earlier-1, facts[:table.PartFacts])) {
				return
			}
		}
		yield(0, table.Pack[R, F](earlier, facts))
	}
}

// refuse panics because there are two facts with the place of a fact that was added.
func (t *Packed[K, R, F]) refuse(key K, twice table.Learnt[R]) {
	for a := range t.of(key) {
		if inOrder(a.Learnt, twice) == 0 {
			t.at = a.at
		}
	}
	panic(fmt.Sprintf("two facts of %s have position %d and number %d", t.rows.Name, twice.Position, twice.Seq))
}

func (t *Packed[K, R, F]) settle() {
	clear(t.added)
	clear(t.chains)
	t.added, t.keys = t.added[:0], t.keys[:0]
}

func (t *Packed[K, R, F]) drop(bool) {
	t.added, t.chains, t.keys, t.whole = nil, map[K]chain{}, nil, nil
}
