package engine

import (
	"database/sql/driver"
	"fmt"
	"iter"
	"reflect"

	"daybook/readmodels/table"
)

// A Table holds the rows of one read model by key. Only the projection that owns it may touch it, and only from its Apply.
// Methods return no errors: a failure while folding is the fault of the event or of the projection, and parks the event's
// stream.
//
// A change is a function that gets the row. It runs at once if the row is in memory; otherwise it waits until the end of the
// batch, when all missing rows are read together. So it may use the event, which never changes, but no variable that Apply
// changes later. It must not touch any table, not even this one; it may insert Facts. What the row holds by reference (a List,
// a pointer) it must replace, not modify.
type Table[K comparable, R any] struct {
	declared
	keyField []int
	derives  bool // other rows follow from these, so that a row must be known before it changes

	// The rows in memory are in two generations. When young is full it becomes old, and the rows of the former old one that
	// were not used since are forgotten.
	young, old map[K]*cached[R]
	weight     int  // bytes of text in young
	complete   bool // no row was ever forgotten, so a row that is not in memory does not exist

	waiting []*cached[R] // rows that must be read, or whose changes wait
	dirty   []*cached[R] // rows that must be written
}

// A cached is a row in memory, or the knowledge that there is none. Its key is always set.
type cached[R any] struct {
	row    R
	was    *R // the row as the database has it, while it is dirty and others follow from it; nil: it has none
	state  state
	waits  bool // it is in waiting
	dirty  bool // it is in dirty
	at     int  // the event that changed it last
	size   int  // bytes of text, when it was read or written
	change []change[R]
}

type state uint8

const (
	unknown state = iota
	absent
	present
)

// A change waits for its row.
type change[R any] struct {
	at  int
	op  op
	row *R       // to insert
	f   func(*R) // to update or upsert
}

type op uint8

const (
	insert op = iota
	update
	upsert
	remove
)

// NewTable declares a table of the projection that is being bound. The row struct of the spec must be an R; its key is the
// column tagged as such, or an embedded K whose columns all are.
func NewTable[K comparable, R any](l *Ledger, spec table.Table) *Table[K, R] {
	t := &Table[K, R]{}
	t.open(l, spec, t)
	t.drop(false)
	return t
}

// open declares the table, as what the ledger sees of it: itself, or what it is a part of.
func (t *Table[K, R]) open(l *Ledger, spec table.Table, as owned) {
	t.declared = l.declare(spec, as)
	if _, ok := spec.Row.(R); !ok {
		l.errs = append(l.errs, fmt.Errorf("the rows of table %s are %T, not %s", spec.Name, spec.Row, reflect.TypeFor[R]()))
	} else if len(t.rows.Key) > 0 {
		var err error
		if t.keyField, err = t.rows.KeyField(reflect.TypeFor[K]()); err != nil {
			l.errs = append(l.errs, err)
		}
	}
}

// Insert adds a row, or replaces the one with the same key.
func (t *Table[K, R]) Insert(row R) { t.do(*t.key(&row), change[R]{op: insert, row: &row}) }

// Update changes a row. It does nothing if there is none.
func (t *Table[K, R]) Update(key K, f func(*R)) { t.do(key, change[R]{op: update, f: f}) }

// Upsert changes a row, starting from one that has only its key if there is none.
func (t *Table[K, R]) Upsert(key K, f func(*R)) { t.do(key, change[R]{op: upsert, f: f}) }

// Delete removes a row. It does nothing if there is none.
func (t *Table[K, R]) Delete(key K) { t.do(key, change[R]{op: remove}) }

// Get returns a row with all changes so far. It reads at once the rows that the table waits for, which splits the batch: prefer
// to keep in the row what its changes need.
func (t *Table[K, R]) Get(key K) (R, bool) {
	t.check()
	c := t.find(key)
	if c.state == unknown || len(c.change) > 0 {
		t.wait(c)
		t.load()
	}
	return c.row, c.state == present
}

func (t *Table[K, R]) do(key K, ch change[R]) {
	t.check()
	ch.at = t.at
	c := t.find(key)
	reads := ch.op == update || ch.op == upsert || t.derives
	if len(c.change) > 0 || c.state == unknown && reads || t.defers {
		c.change = append(c.change, ch)
		t.wait(c)
		return
	}
	t.run(c, ch)
}

// run runs a change on a row whose state is known, or one that need not know it.
func (t *Table[K, R]) run(c *cached[R], ch change[R]) {
	if t.derives && !c.dirty && c.state == present {
		was := c.row
		c.was = &was
	}
	switch ch.op {
	case insert:
		c.row, c.state = *ch.row, present
	case remove:
		key := *t.key(&c.row)
		c.row, c.state = t.blank(key), absent
	case update, upsert:
		if ch.op == update && c.state != present {
			return
		}
		key := *t.key(&c.row)
		t.inner = true
		ch.f(&c.row)
		t.inner = false
		if c.state = present; *t.key(&c.row) != key {
			panic(fmt.Sprintf("a change of table %s changed the key of its row", t.rows.Name))
		}
	}
	c.at = ch.at
	if !c.dirty {
		c.dirty = true
		t.dirty = append(t.dirty, c)
	}
}

// find returns the cached row of a key, added in state unknown if necessary.
func (t *Table[K, R]) find(key K) *cached[R] {
	c, ok := t.young[key]
	if ok {
		return c
	}
	if c, ok = t.old[key]; !ok {
		c = &cached[R]{row: t.blank(key)}
		if t.complete {
			c.state = absent
		}
	}
	t.young[key] = c
	t.weight += c.size
	return c
}

// weigh notes how large a row is that was read or written.
func (t *Table[K, R]) weigh(c *cached[R], values []driver.Value) {
	size := textIn(values)
	t.weight += size - c.size
	c.size = size
}

func (t *Table[K, R]) wait(c *cached[R]) {
	if !c.waits {
		c.waits = true
		t.waiting = append(t.waiting, c)
	}
}

func (t *Table[K, R]) load() {
	must(t.tx.Load(t.rows, t.keys(t.unknown()), func(values []driver.Value) error {
		var row R
		if err := t.rows.Decode(values, reflect.ValueOf(&row).Elem()); err != nil {
			return err
		}
		c := t.find(*t.key(&row))
		c.row, c.state = row, present
		t.weigh(c, values)
		return nil
	}))
	now := t.at
	for _, c := range t.waiting {
		if c.state == unknown {
			c.state = absent
		}
		for _, ch := range c.change {
			t.at = ch.at
			t.run(c, ch)
		}
		c.waits, c.change = false, nil
	}
	t.at = now
	t.waiting = t.waiting[:0]
}

// unknown yields the waiting rows that must be read.
func (t *Table[K, R]) unknown() iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		for _, c := range t.waiting {
			if c.state == unknown && !yield(reflect.ValueOf(&c.row).Elem()) {
				return
			}
		}
	}
}

func (t *Table[K, R]) write() {
	must(t.tx.Put(t.rows, t.values(len(t.dirty), t.changed(present))))
	must(t.tx.Delete(t.rows, t.keys(t.changed(absent))))
}

// changed yields the dirty rows of one state.
func (t *Table[K, R]) changed(s state) iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		for _, c := range t.dirty {
			t.at = c.at
			if c.state != s {
				continue
			}
			if !yield(reflect.ValueOf(&c.row).Elem()) {
				return
			}
			t.weigh(c, t.vals[:t.width(s)]) // which has been encoded
		}
	}
}

// width is how many columns of a row are written.
func (t *Table[K, R]) width(s state) int {
	if s == absent {
		return len(t.rows.Key)
	}
	return len(t.rows.Columns)
}

func (t *Table[K, R]) settle() {
	for _, c := range t.dirty {
		c.dirty, c.was = false, nil
	}
	t.dirty = t.dirty[:0]
	if len(t.young) >= t.cacheRows || t.weight >= cacheBytes && t.cacheRows != everyRow {
		t.weight = 0
		t.complete = t.complete && len(t.old) == 0
		t.old, t.young = t.young, make(map[K]*cached[R], t.cacheRows)
	}
}

func (t *Table[K, R]) drop(empty bool) {
	t.young, t.old, t.complete = map[K]*cached[R]{}, nil, empty
	t.waiting, t.dirty, t.weight = nil, nil, 0
}

// check panics if the table may not be touched now.
func (t *Table[K, R]) check() {
	if t.inner {
		panic(fmt.Sprintf("a change touches table %s; only Apply may", t.rows.Name))
	}
	t.owned()
}

// key points to a row's key.
func (t *Table[K, R]) key(row *R) *K {
	return reflect.ValueOf(row).Elem().FieldByIndex(t.keyField).Addr().Interface().(*K)
}

// blank returns a row that has only a key.
func (t *Table[K, R]) blank(key K) (row R) {
	*t.key(&row) = key
	return row
}
