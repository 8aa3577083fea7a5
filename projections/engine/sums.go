package engine

import (
	"reflect"

	"daybook/readmodels/table"
)

// Sums holds rows that add up facts, such as an agent's figures of a day. A fact adds to its row; one that turns out not to be so takes
// the same away again. A row in which nothing is left is deleted. The order in which facts come makes no difference.
//
// Only the projection that owns it may use it, from its Apply or from a change of a row.
type Sums[K comparable, R any] struct {
	table *Table[K, R]
	added map[K]*sum[R] // in this batch
	keys  []K           // of added, in the order in which they came
	terms [][]int       // the columns that are added up, as fields of the row
}

// A sum is what a batch adds to a row.
type sum[R any] struct {
	at  int // the last event
	row R
}

// NewSums declares sums of the projection that is being bound. The row struct of the spec must be an R with an embedded K, all of whose
// columns are the key; all others are 64-bit integers.
func NewSums[K comparable, R any](l *Ledger, spec table.Table) *Sums[K, R] {
	t := &Sums[K, R]{table: &Table[K, R]{}}
	t.table.open(l, spec, t)
	var err error
	if t.terms, err = t.relation().Numbers(); err != nil {
		l.errs = append(l.errs, err)
	}
	t.drop(false)
	return t
}

// Of returns what the batch adds to a row so far, for the caller to add to.
func (t *Sums[K, R]) Of(key K) *R {
	t.table.owned()
	s := t.added[key]
	if s == nil {
		s = &sum[R]{row: t.table.blank(key)}
		t.added[key] = s
		t.keys = append(t.keys, key)
	}
	s.at = t.table.at
	return &s.row
}

func (t *Sums[K, R]) relation() *table.Relation { return t.table.relation() }

func (t *Sums[K, R]) owner() string { return t.table.owner() }

func (t *Sums[K, R]) load() {}

// write adds up when the changes of all tables have run, each of which can add something.
func (t *Sums[K, R]) write() {
	for _, key := range t.keys {
		s := t.added[key]
		t.table.at = s.at
		t.table.Upsert(key, func(row *R) { t.add(row, &s.row) })
	}
	t.table.load()
	for _, c := range t.table.dirty {
		if c.state == present && t.nothing(&c.row) {
			c.row, c.state = t.table.blank(*t.table.key(&c.row)), absent
		}
	}
	t.table.write()
}

func (t *Sums[K, R]) add(to, more *R) {
	row, added := reflect.ValueOf(to).Elem(), reflect.ValueOf(more).Elem()
	for _, index := range t.terms {
		field := row.FieldByIndex(index)
		field.SetInt(field.Int() + added.FieldByIndex(index).Int())
	}
}

// nothing reports whether all sums of a row are zero.
func (t *Sums[K, R]) nothing(row *R) bool {
	v := reflect.ValueOf(row).Elem()
	for _, index := range t.terms {
		if v.FieldByIndex(index).Int() != 0 {
			return false
		}
	}
	return true
}

func (t *Sums[K, R]) settle() {
	t.forget()
	t.table.settle()
}

func (t *Sums[K, R]) drop(empty bool) {
	t.forget()
	t.table.drop(empty)
}

func (t *Sums[K, R]) forget() { t.added, t.keys = map[K]*sum[R]{}, t.keys[:0] }
