package engine

import (
	"database/sql/driver"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Ledger is the tables of one generation with the projections that post to them: what is in memory of it. One
// goroutine uses it.
type Ledger struct {
	tables []owned
	folds  []fold
	errs   []error // of declaring tables

	keepers   map[string]keeper // by category
	binding   string            // the projection that declares its tables now
	version   string            // of what the projections make of events
	cacheRows int               // rows that a table keeps in memory, at least; at most twice that and what a batch touches
	defers    bool              // every change waits for the end of the batch, for tests

	// While a batch is folded:
	tx      table.Tx
	batch   []entry
	at      int    // the event in the batch that is being folded, or whose deferred change runs
	current string // the projection that folds now
	inner   bool   // a change of a row is running, which may not touch a table
}

// A fold is a projection that is bound to the tables of a ledger.
type fold struct {
	name  string
	apply func(*Recorded)
}

// An owned is a Table or Facts, to the ledger.
type owned interface {
	relation() *table.Relation
	owner() string
	load()           // what is wanted and not in memory, then the changes that wait for it
	write()          // what was changed
	settle()         // the batch is committed
	drop(empty bool) // forget everything; empty says that the database has no rows yet
}

// declared is what Table and Facts have in common.
type declared struct {
	*Ledger
	rows *table.Relation
	by   string
	vals []driver.Value // of one row, used again
}

func (d *declared) relation() *table.Relation { return d.rows }
func (d *declared) owner() string             { return d.by }

// declare adds a table to the ledger. A mistake in the declaration is remembered for newLedger.
func (l *Ledger) declare(spec table.Table, t owned) declared {
	r, err := table.Relate(spec)
	if err != nil {
		l.errs = append(l.errs, err)
		r = &table.Relation{Table: spec}
	}
	l.tables = append(l.tables, t)
	return declared{Ledger: l, rows: r, by: l.binding, vals: make([]driver.Value, len(r.Columns))}
}

// cacheRows is what a table keeps in memory unless a test says otherwise.
const cacheRows = 10_000

// newLedger binds the projections, which declare their tables.
func newLedger(projections []Projection, cacheRows int) (*Ledger, error) {
	l := &Ledger{cacheRows: cacheRows, keepers: map[string]keeper{}}
	for _, p := range projections {
		if l.find(p.Name) >= 0 {
			l.errs = append(l.errs, fmt.Errorf("two projections are named %s", p.Name))
		}
		l.binding = p.Name
		l.folds = append(l.folds, fold{p.Name, p.Bind(l)})
	}
	owners := map[string]string{}
	for _, t := range l.tables {
		name := t.relation().Name
		if other, twice := owners[name]; twice {
			l.errs = append(l.errs, fmt.Errorf("table %s has two owners, %s and %s: each would write over the other's columns", name, other, t.owner()))
		}
		owners[name] = t.owner()
	}
	if len(l.errs) > 0 {
		return nil, l.errs[0]
	}
	return l, nil
}

// relations are the tables as the database sees them.
func (l *Ledger) relations() []*table.Relation {
	all := make([]*table.Relation, len(l.tables))
	for i, t := range l.tables {
		all[i] = t.relation()
	}
	return all
}

// checkpoints are the projections at their beginning.
func (l *Ledger) checkpoints() []table.Checkpoint {
	all := make([]table.Checkpoint, len(l.folds))
	for i, f := range l.folds {
		all[i] = table.Checkpoint{Projection: f.name}
	}
	return all
}

// schema is the version of the tables and of what fills them.
func (l *Ledger) schema() string { return table.Schema(l.relations(), l.checkpoints(), l.version) }

// A poison is an event at which a projection fails.
type poison struct {
	fold  int // of the ledger's
	at    int // of the batch
	cause any
}

func (p *poison) Error() string { return fmt.Sprint(p.cause) }

// A broken is a panic's value when the database failed, for which no event is to blame.
type broken struct{ error }

// post folds a batch and writes what came of it, within a transaction. skip says what a projection must leave out. A panic in Apply, in a change or
// in writing a row comes back as a *poison; then, and after any error, the ledger must be dropped.
func (l *Ledger) post(tx table.Tx, batch []entry, skip func(fold, at int) bool) (err error) {
	l.tx, l.batch = tx, batch
	defer func() {
		if cause := recover(); cause != nil {
			err = l.blame(cause)
		}
		l.tx, l.batch, l.current, l.inner = nil, nil, "", false
	}()
	for i, f := range l.folds {
		l.current = f.name
		for at := range batch {
			if l.at = at; !skip(i, at) {
				f.apply(&batch[at].Recorded)
			}
		}
	}
	for _, t := range l.tables {
		l.current = t.owner()
		t.load()
	}
	for _, t := range l.tables {
		l.current = t.owner()
		t.write()
	}
	return nil
}

func (l *Ledger) blame(cause any) error {
	if b, ok := cause.(broken); ok {
		return b.error
	}
	return &poison{fold: l.find(l.current), at: l.at, cause: cause}
}

// find returns the number of a projection, or -1.
func (l *Ledger) find(projection string) int {
	return slices.IndexFunc(l.folds, func(f fold) bool { return f.name == projection })
}

func (l *Ledger) settle() {
	for _, t := range l.tables {
		t.settle()
	}
}

func (l *Ledger) drop(empty bool) {
	for _, t := range l.tables {
		t.drop(empty)
	}
}

// position is that of the event that is being folded.
func (l *Ledger) position() eventstore.Position { return l.batch[l.at].Position }

// must raises what goes wrong with the database while nobody who could be told is on the stack.
func must(err error) {
	if err != nil {
		panic(broken{err})
	}
}

// keys gives the keys of rows, each in the same memory.
func (d *declared) keys(rows iter.Seq[reflect.Value]) iter.Seq[[]driver.Value] {
	return d.encode(rows, (*table.Relation).EncodeKey, len(d.rows.Key))
}

// values gives the columns of about n rows, none to be kept. While many are written, another core encodes the next.
func (d *declared) values(n int, rows iter.Seq[reflect.Value]) iter.Seq[[]driver.Value] {
	values := d.encode(rows, (*table.Relation).Encode, len(d.rows.Columns))
	if n < rowsAhead { // then starting costs more than it saves
		return values
	}
	return early(len(d.rows.Columns), values)
}

// rowsAhead is how many rows are encoded while as many are written.
const rowsAhead = 2048

// early runs a sequence of rows of one width in a goroutine of its own, up to rowsAhead rows before who takes them. When it
// panics, so does he; when he has done, so has it.
func early(width int, rows iter.Seq[[]driver.Value]) iter.Seq[[]driver.Value] {
	return func(yield func([]driver.Value) bool) {
		full, empty, done := make(chan []driver.Value), make(chan []driver.Value, 2), make(chan struct{})
		for range cap(empty) {
			empty <- make([]driver.Value, 0, width*rowsAhead)
		}
		var cause any
		go func() {
			defer close(full)
			defer func() { cause = recover() }()
			some := <-empty
			for row := range rows {
				if some = append(some, row...); len(some) < cap(some) {
					continue
				}
				select {
				case full <- some:
					some = (<-empty)[:0]
				case <-done:
					return
				}
			}
			select {
			case full <- some:
			case <-done:
			}
		}()
		defer func() {
			close(done)
			for range full { // until it has ended
			}
			if cause != nil {
				panic(cause)
			}
		}()
		for some := range full {
			for row := range slices.Chunk(some, width) {
				if !yield(row) {
					return
				}
			}
			empty <- some
		}
	}
}

// encode panics at a row that cannot be stored, which is its projection's fault.
func (d *declared) encode(rows iter.Seq[reflect.Value], how func(*table.Relation, reflect.Value, []driver.Value) error, n int) iter.Seq[[]driver.Value] {
	return func(yield func([]driver.Value) bool) {
		for row := range rows {
			if err := how(d.rows, row, d.vals[:n]); err != nil {
				panic(err)
			}
			if !yield(d.vals[:n]) {
				return
			}
		}
	}
}
