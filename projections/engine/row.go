package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/internal/recent"
	"daybook/readmodels/table"
)

// Rows folds a thing's own stream into its row, in memory, by the function of the projection that keeps it. So a command
// is answered without waiting for a read model, and a thing can be shown as it was.
type Rows struct {
	source  Source
	ledgers sync.Pool // of *Ledger, used again, for making one takes longer than folding a stream

	mu     sync.Mutex
	newest *recent.Map[string, table.Snapshot] // by stream: what need not be folded again; never trusted to be the newest
}

// NewRows folds the streams of a log.
func NewRows(s Source) *Rows {
	return &Rows{source: s, newest: recent.New[string, table.Snapshot](remembered)}
}

// remembered is how many rows are remembered, at least.
const remembered = 10_000

// A keeper is a table that has one row for each thing of a category.
type keeper struct {
	projection string
	get        func(uuid.UUID) (any, bool)
	put        func(any)
}

// Keep declares a table that has one row for each thing of a category: what a thing is shown as. A category has one.
func Keep[R any](l *Ledger, category string, spec table.Table) *Table[uuid.UUID, R] {
	t := NewTable[uuid.UUID, R](l, spec)
	if other, twice := l.keepers[category]; twice {
		l.errs = append(l.errs, fmt.Errorf("both %s and %s keep rows of category %s", other.projection, l.binding, category))
	}
	l.keepers[category] = keeper{
		projection: l.binding,
		get:        func(id uuid.UUID) (any, bool) { return t.Get(id) },
		put:        func(row any) { t.Insert(row.(R)) },
	}
	return t
}

// At returns a thing as it was at a revision, the last that was written if its writer hands that over. It reads only what
// came after what it remembers and before what was written.
func (r *Rows) At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision, written []event.Written) (table.Snapshot, error) {
	stream := category + "-" + id.String()
	r.mu.Lock()
	base, known := r.newest.Get(stream)
	r.mu.Unlock()
	if !known || base.Revision > revision {
		base = table.Snapshot{Revision: eventstore.NoStream}
	}
	snapshot, err := r.fold(ctx, category, id, base, func(_ event.Metadata, at eventstore.Revision, _ eventstore.Position) bool { return at <= revision }, written)
	if err != nil || snapshot.Revision <= base.Revision {
		return snapshot, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if newest, known := r.newest.Get(stream); !known || newest.Revision <= snapshot.Revision {
		r.newest.Put(stream, snapshot)
	}
	return snapshot, nil
}

// AsOf returns a thing as the events that keep lets count make it.
func (r *Rows) AsOf(ctx context.Context, category string, id uuid.UUID, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error) {
	return r.fold(ctx, category, id, table.Snapshot{Revision: eventstore.NoStream}, keep, nil)
}

// fold goes on from a base with the events that count, those that were written among them. It returns ErrNoRow if nothing
// made the thing.
func (r *Rows) fold(ctx context.Context, category string, id uuid.UUID, base table.Snapshot, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool, written []event.Written) (table.Snapshot, error) {
	l, ok := r.ledgers.Get().(*Ledger)
	if !ok {
		var err error
		if l, err = r.source.ledger(); err != nil {
			return base, err
		}
	}
	defer r.ledgers.Put(l)
	k, ok := l.keepers[category]
	if !ok {
		return base, fmt.Errorf("no projection keeps rows of category %s", category)
	}
	l.drop(true)
	own := l.find(k.projection)
	l.current = k.projection
	if base.Row != nil {
		k.put(base.Row)
	}
	apply := func(e entry) {
		l.batch, l.at = []entry{e}, 0
		l.folds[own].apply(&l.batch[0].Recorded)
		base.Revision, base.Position = e.Revision, e.Position
	}
	if len(written) > 0 && eventstore.Revision(written[0].Revision) <= base.Revision+1 {
		for _, e := range written {
			if eventstore.Revision(e.Revision) > base.Revision {
				apply(entry{Recorded: asRecorded(category, id, e)})
			}
		}
		return taken(base, k, id)
	}
	for stored, err := range r.source.Store.Read(ctx, category+"-"+id.String(), base.Revision+1, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return base, err
		}
		e := r.source.decode(stored)
		if e.err != nil {
			return base, e.err
		}
		if keep(e.Meta, e.Revision, e.Position) {
			apply(e)
		}
	}
	return taken(base, k, id)
}

// taken is a snapshot with the row that a keeper has now.
func taken(base table.Snapshot, k keeper, id uuid.UUID) (table.Snapshot, error) {
	var found bool
	if base.Row, found = k.get(id); !found {
		return base, table.ErrNoRow
	}
	return base, nil
}

// asRecorded is an event that was just written as the log has it. When it was recorded is not known here: what a thing is
// shown as does not depend on it.
func asRecorded(category string, id uuid.UUID, e event.Written) Recorded {
	return Recorded{
		Event: e.Event, EventID: e.ID, Category: category, ID: id, Revision: eventstore.Revision(e.Revision), Position: eventstore.Position(e.Position),
		At: table.At(e.Metadata.At), Meta: e.Metadata,
	}
}
