package engine

import (
	"database/sql/driver"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"daybook/readmodels/table"
)

// Derive declares a table whose rows follow from those of another: the words by which a row is found, the things that it refers to. from
// returns what a row comes to. It must be pure, must return no two rows with the same key, and none with a key that another row comes to.
// same reports of a row, before and after a change, whether what from looks at is as it was; it is cheaper than to find out by from.
//
// When a row changes, only the difference is written, in the same transaction.
func Derive[D comparable, K comparable, R any](of *Table[K, R], spec table.Table, same func(before, after *R) bool, from func(R) []D) {
	d := &derived[D, K, R]{of: of, same: same, from: from}
	d.declared = of.declare(spec, d)
	if _, ok := spec.Row.(D); !ok {
		of.errs = append(of.errs, fmt.Errorf("the rows of table %s are %T, not %s", spec.Name, spec.Row, reflect.TypeFor[D]()))
	}
	of.derives = true
}

// derived are the rows that follow from those of a Table.
type derived[D comparable, K comparable, R any] struct {
	declared
	of   *Table[K, R]
	same func(before, after *R) bool
	from func(R) []D
}

// A follower is a derived row, and the event that it follows from.
type follower[D any] struct {
	at  int
	key []driver.Value
	row D
}

func (d *derived[D, K, R]) load() {}

// write deletes first, since a key can pass from one row to another.
func (d *derived[D, K, R]) write() {
	var gone, come []follower[D]
	for _, c := range d.of.dirty {
		d.at = c.at
		if c.was != nil && c.state == present && d.same(c.was, &c.row) {
			continue
		}
		var before, after []D
		if c.was != nil {
			before = d.from(*c.was)
		}
		if c.state == present {
			after = d.from(c.row)
		}
		if slices.Equal(before, after) {
			continue
		}
		gone = d.without(gone, before, after)
		come = d.without(come, after, before)
	}
	must(d.tx.Delete(d.rows, d.keys(d.inOrder(gone))))
	must(d.tx.Put(d.rows, d.values(len(come), d.inOrder(come))))
}

// without appends the rows that are not among others.
func (d *derived[D, K, R]) without(to []follower[D], rows, others []D) []follower[D] {
	for _, row := range rows {
		if !slices.Contains(others, row) {
			to = append(to, follower[D]{at: d.at, row: row})
		}
	}
	return to
}

// inOrder yields rows in the order of their keys, in which a database writes them fastest.
func (d *derived[D, K, R]) inOrder(rows []follower[D]) iter.Seq[reflect.Value] {
	for i := range rows {
		f := &rows[i]
		d.at, f.key = f.at, make([]driver.Value, len(d.rows.Key))
		if err := d.rows.EncodeKey(reflect.ValueOf(&f.row).Elem(), f.key); err != nil {
			panic(err)
		}
	}
	byKey := func(a, b follower[D]) int {
		return slices.CompareFunc(a.key, b.key, func(a, b driver.Value) int { return compareValues(a, b) })
	}
	slices.SortFunc(rows, byKey)
	for i := 1; i < len(rows); i++ {
		if byKey(rows[i-1], rows[i]) == 0 {
			d.at = rows[i].at
			panic(fmt.Sprintf("two rows of %s have one key", d.rows.Name))
		}
	}
	return func(yield func(reflect.Value) bool) {
		for i := range rows {
			d.at = rows[i].at
			if !yield(reflect.ValueOf(&rows[i].row).Elem()) {
				return
			}
		}
	}
}

func (d *derived[D, K, R]) settle() {}

func (d *derived[D, K, R]) drop(bool) {}
