package engine

import (
	"cmp"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"daybook/readmodels/table"
)

// Facts holds rows that are inserted and never change, one or a few per event. The key is the event's position
// ("position,key") and, if an event can have several rows, a number ("seq,key"). The projection chooses the number so that it
// does not depend on the order in which changes run.
//
// Only the projection that owns it may insert, from its Apply or from a change of a row.
type Facts[R any] struct {
	declared
	inserted []fact[R]
}

type fact[R any] struct {
	at            int
	position, seq int64
	row           R
}

// NewFacts declares facts of the projection that is being bound. The row struct of the spec must be an R.
func NewFacts[R any](l *Ledger, spec table.Table) *Facts[R] {
	t := &Facts[R]{}
	t.declared = l.declare(spec, t)
	if _, ok := spec.Row.(R); !ok {
		l.errs = append(l.errs, fmt.Errorf("the rows of table %s are %T, not %s", spec.Name, spec.Row, reflect.TypeFor[R]()))
	}
	for i, column := range t.rows.Key {
		c := t.rows.Columns[column]
		if i > 1 || c.Name != [...]string{"position", "seq"}[i] || c.Kind != table.Integer {
			l.errs = append(l.errs, fmt.Errorf("the key of facts %s must be position, or position and seq", spec.Name))
			break
		}
	}
	return t
}

// Insert adds a row. Its position must be the event's.
func (t *Facts[R]) Insert(row R) {
	t.owned()
	t.inserted = append(t.inserted, fact[R]{at: t.at, row: row})
	f := &t.inserted[len(t.inserted)-1]
	key := t.vals[:len(t.rows.Key)]
	if err := t.rows.EncodeKey(reflect.ValueOf(&f.row).Elem(), key); err != nil {
		panic(err)
	}
	f.position = key[0].(int64)
	if len(key) > 1 {
		f.seq = key[1].(int64)
	}
	if f.position != int64(t.position()) {
		panic(fmt.Sprintf("a fact of %s has position %d, its event %d", t.rows.Name, f.position, t.position()))
	}
}

func (t *Facts[R]) load() {}

func (t *Facts[R]) write() {
	slices.SortFunc(t.inserted, func(a, b fact[R]) int {
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.seq, b.seq))
	})
	for i := range t.inserted {
		if f := t.inserted[i]; i > 0 && f.position == t.inserted[i-1].position && f.seq == t.inserted[i-1].seq {
			t.at = f.at
			panic(fmt.Sprintf("two facts of %s have position %d and number %d", t.rows.Name, f.position, f.seq))
		}
	}
	must(t.tx.Put(t.rows, t.values(len(t.inserted), t.all())))
}

func (t *Facts[R]) all() iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		for i := range t.inserted {
			t.at = t.inserted[i].at
			if !yield(reflect.ValueOf(&t.inserted[i].row).Elem()) {
				return
			}
		}
	}
}

func (t *Facts[R]) settle() {
	clear(t.inserted)
	t.inserted = t.inserted[:0]
}

func (t *Facts[R]) drop(bool) { t.inserted = nil }
