package engine

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Recording holds in memory what a rebuild of a log writes. Playing it is the upper limit of a rebuild's speed: the events are
// read and decoded and the same rows written in the same transactions, both at once, with nothing in between. Benchmarks compare
// the engine with it.
type Recording struct {
	source Source
	ledger *Ledger
	end    eventstore.Position
	writes [][]write                 // by transaction
	packs  map[string][]driver.Value // the packs written so far, by table and key
	Events int64
	Rows   int64
}

// A write is what one transaction does to one table.
type write struct {
	relation *table.Relation
	rows     []driver.Value // one after another
	delete   bool           // rows holds only keys
}

// everyRow is a number of rows in memory with which none is ever forgotten, so none is ever read.
const everyRow = 1 << 62

// Record folds the whole log. It keeps every row in memory.
func (s Source) Record(ctx context.Context) (*Recording, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	l.cacheRows = everyRow
	l.drop(true)
	r := &Recording{source: s, ledger: l, packs: map[string][]driver.Value{}}
	if r.end, err = s.Store.Head(ctx); err != nil {
		return nil, err
	}
	f := s.feed(ctx, eventstore.Start)
	defer f.stop()
	for at := eventstore.Start; at < r.end; {
		batch, err := f.next(ctx, rebuildSize(r.Events), r.end)
		if err != nil {
			return nil, err
		}
		r.writes = append(r.writes, nil)
		if err := l.fold(r, batch, func(_, at int) bool { return batch[at].notice }); err != nil {
			return nil, fmt.Errorf("recording a rebuild: %w", err)
		}
		l.settle()
		at = batch[len(batch)-1].Position
		r.Events += int64(len(batch))
	}
	return r, nil
}

// Load implements table.Tx. All rows are in memory; packs are kept here.
func (r *Recording) Load(t *table.Relation, keys iter.Seq[[]driver.Value], take func([]driver.Value) error) error {
	for key := range keys {
		if t.Facts == nil {
			return fmt.Errorf("a recording of %s cannot read a row", t.Name)
		}
		if pack, there := r.packs[keyOf(t, key)]; there {
			if err := take(pack); err != nil {
				return err
			}
		}
	}
	return nil
}

func keyOf(t *table.Relation, key []driver.Value) string { return fmt.Sprint(t.Name, key) }

// Put implements table.Tx.
func (r *Recording) Put(t *table.Relation, rows iter.Seq[[]driver.Value]) error {
	return r.record(write{relation: t}, rows)
}

// Delete implements table.Tx.
func (r *Recording) Delete(t *table.Relation, keys iter.Seq[[]driver.Value]) error {
	return r.record(write{relation: t, delete: true}, keys)
}

// Exec implements table.Tx. The ledger executes nothing.
func (r *Recording) Exec(statement string, _ ...driver.Value) (int64, error) {
	return 0, fmt.Errorf("a recording cannot execute %q", statement)
}

func (r *Recording) record(w write, rows iter.Seq[[]driver.Value]) error {
	for row := range rows {
		w.rows = append(w.rows, row...)
		if r.Rows++; w.relation.Facts != nil {
			r.packs[keyOf(w.relation, row[:len(w.relation.Key)])] = slices.Clone(row)
		}
	}
	if w.rows != nil {
		last := len(r.writes) - 1
		r.writes[last] = append(r.writes[last], w)
	}
	return nil
}

// Play reads and decodes the log and writes the recorded rows to an empty database, both at once, and builds the indexes.
func (r *Recording) Play(ctx context.Context, db *table.DB) error {
	p, err := r.source.lay(ctx, db, table.Generation{Log: r.source.Store.ID(), State: table.Building})
	if err != nil {
		return err
	}
	both, together := errgroup.WithContext(ctx)
	both.Go(func() error { return r.decode(together) })
	both.Go(func() error {
		for _, writes := range r.writes {
			if err := db.Write(together, func(tx table.Tx) error { return play(tx, writes) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err := both.Wait(); err != nil {
		return err
	}
	return db.BuildIndexes(ctx, p.ledger.relations())
}

func (r *Recording) decode(ctx context.Context) error {
	for batch, err := range r.source.Store.Follow(ctx, eventstore.Start) {
		if err != nil {
			return err
		}
		for _, stored := range batch {
			if e := r.source.decode(stored); e.err != nil || e.Position == r.end {
				return e.err
			}
		}
	}
	return nil
}

func play(tx table.Tx, writes []write) error {
	for _, w := range writes {
		put, width := tx.Put, len(w.relation.Columns)
		if w.delete {
			put, width = tx.Delete, len(w.relation.Key)
		}
		if err := put(w.relation, slices.Chunk(w.rows, width)); err != nil {
			return err
		}
	}
	return nil
}
