package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Ledger holds the tables of one generation, as far as they are in memory, and the projections bound to them. One goroutine
// uses it.
type Ledger struct {
	tables []owned
	folds  []fold
	errs   []error // mistakes in the declarations of tables

	keepers   map[string]keeper // by category
	binding   string            // the projection that declares its tables now
	version   string            // of the projections' results
	cacheRows int               // rows that a table keeps in memory, at least; at most twice as many and the rows of a batch
	defers    bool              // every change waits for the end of the batch; for tests

	// While a batch is folded:
	tx      table.Tx
	batch   []entry
	at      int    // the event in the batch that is being folded, or whose deferred change runs
	current string // the projection that folds now
	inner   bool   // a change of a row is running, which may not touch a table
}

// A fold is a projection bound to the tables of a ledger.
type fold struct {
	name  string
	apply func(*Recorded)
}

// An owned is a Table, Facts, Packed or Sums, as the ledger sees it.
type owned interface {
	relation() *table.Relation
	owner() string
	load()           // read the rows that are wanted and not in memory, then run the changes that wait for them
	write()          // write the changed rows
	settle()         // the batch is committed
	drop(empty bool) // forget all rows; empty means that the database has none yet
}

// declared is what they have in common.
type declared struct {
	*Ledger
	rows *table.Relation
	by   string
	vals []driver.Value // of one row, reused
}

func (d *declared) relation() *table.Relation { return d.rows }
func (d *declared) owner() string             { return d.by }

// owned panics unless the projection that folds owns the table.
func (d *declared) owned() {
	if d.current != d.by {
		panic(fmt.Sprintf("%s touches table %s, which belongs to %s", d.current, d.rows.Name, d.by))
	}
}

// declare adds a table to the ledger. newLedger returns the mistakes in declarations.
func (l *Ledger) declare(spec table.Table, t owned) declared {
	r, err := table.Relate(spec)
	if err != nil {
		l.errs = append(l.errs, err)
		r = &table.Relation{Table: spec}
	}
	l.tables = append(l.tables, t)
	return declared{Ledger: l, rows: r, by: l.binding, vals: make([]driver.Value, len(r.Columns))}
}

const (
	// cacheRows is the default of Source.CacheRows.
	cacheRows = 5_000
	// cacheBytes is of how many bytes of text a table keeps the rows in memory, at least; at most twice as many and those of a batch.
	cacheBytes = 8 << 20
)

// textIn returns how many bytes of text are in a row.
func textIn(row []driver.Value) (n int) {
	for _, v := range row {
		if text, is := v.(string); is {
			n += len(text)
		}
	}
	return n
}

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
			l.errs = append(l.errs, fmt.Errorf("table %s has two owners, %s and %s, which would overwrite each other's columns", name, other, t.owner()))
		}
		owners[name] = t.owner()
	}
	if len(l.errs) > 0 {
		return nil, l.errs[0]
	}
	return l, nil
}

// relations returns the tables as the database sees them.
func (l *Ledger) relations() []*table.Relation {
	all := make([]*table.Relation, len(l.tables))
	for i, t := range l.tables {
		all[i] = t.relation()
	}
	return all
}

// checkpoints returns the projections' checkpoints at the start of the log.
func (l *Ledger) checkpoints() []table.Checkpoint {
	all := make([]table.Checkpoint, len(l.folds))
	for i, f := range l.folds {
		all[i] = table.Checkpoint{Projection: f.name}
	}
	return all
}

// schema is the version of the tables and of the projections that fill them.
func (l *Ledger) schema() string { return table.Schema(l.relations(), l.checkpoints(), l.version) }

// A poison is an event at which a projection fails.
type poison struct {
	fold  int // of the ledger's
	at    int // of the batch
	cause any
}

func (p *poison) Error() string { return fmt.Sprint(p.cause) }

// A refusal says that the database refused a row of a projection. Rows are written together, so it is not known which event made it.
type refusal struct {
	fold int // of the ledger's
	error
}

func (r *refusal) Unwrap() error { return r.error }

// A broken is a panic's value if the database failed and no event is to blame.
type broken struct{ error }

// fold folds a batch and writes the changed rows, within a transaction. skip reports which events a projection must skip. A panic
// in Apply, in a change or while a row is encoded becomes a *poison, and a row that the database refuses a *refusal. After any error the ledger must be dropped.
func (l *Ledger) fold(tx table.Tx, batch []entry, skip func(fold, at int) bool) (err error) {
	l.tx, l.batch = tx, batch
	defer func() {
		if cause := recover(); cause != nil {
			err = l.blame(cause)
		}
		l.tx, l.batch, l.current, l.inner = nil, nil, "", false
	}()
	for at := range batch {
		l.at = at
		for i, f := range l.folds {
			if l.current = f.name; !skip(i, at) {
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
		if errors.Is(b.error, table.ErrRefused) {
			return &refusal{l.find(l.current), b.error}
		}
		return b.error
	}
	return &poison{fold: l.find(l.current), at: l.at, cause: cause}
}

// find returns the index of a projection, or -1.
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

// position is the position of the event that is being folded.
func (l *Ledger) position() eventstore.Position { return l.batch[l.at].Position }

// must panics with a database error, which fold turns into an error again.
func must(err error) {
	if err != nil {
		panic(broken{err})
	}
}

// keys yields the keys of rows, each in the same memory.
func (d *declared) keys(rows iter.Seq[reflect.Value]) iter.Seq[[]driver.Value] {
	return d.encode(rows, (*table.Relation).EncodeKey, len(d.rows.Key))
}

// values yields the columns of about n rows, which the receiver must not keep. For many rows, another core encodes ahead.
func (d *declared) values(n int, rows iter.Seq[reflect.Value]) iter.Seq[[]driver.Value] {
	return d.ahead(n, d.encode(rows, (*table.Relation).Encode, len(d.rows.Columns)))
}

// ahead has another core make the values of about n rows, if they are many.
func (d *declared) ahead(n int, values iter.Seq[[]driver.Value]) iter.Seq[[]driver.Value] {
	if n < manyRows { // the goroutine would cost more than it saves
		return values
	}
	return early(len(d.rows.Columns), values)
}

const (
	manyRows   = 1024 // from which on rows are encoded ahead
	rowsAtOnce = 256  // are handed over: the writer waits for the first of them
	partsAhead = 8    // so many times as many are encoded ahead of the writer, at most
)

// early runs a sequence of rows of one width in its own goroutine, ahead of the receiver. A panic in the
// sequence becomes a panic of the receiver. The goroutine has ended when the receiver returns.
func early(width int, rows iter.Seq[[]driver.Value]) iter.Seq[[]driver.Value] {
	return func(yield func([]driver.Value) bool) {
		full, empty, done := make(chan []driver.Value, partsAhead), make(chan []driver.Value, partsAhead), make(chan struct{})
		for range cap(empty) {
			empty <- make([]driver.Value, 0, width*rowsAtOnce)
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
				case <-done:
					return
				}
				select {
				case some = <-empty:
					some = some[:0]
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
			for range full { // until the goroutine ends
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

// encode panics at a row that cannot be stored, for which its projection is to blame.
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
