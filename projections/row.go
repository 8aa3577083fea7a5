package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Rows folds a thing's own stream into its row, in memory, by the function of the projection that keeps it. So a command
// is answered without waiting for a read model, and a thing can be shown as it was.
type Rows struct {
	source Source

	mu     sync.Mutex
	newest map[string]table.Snapshot // by stream: what need not be folded again; never trusted to be the newest
}

// NewRows folds the streams of a log.
func NewRows(s Source) *Rows { return &Rows{source: s, newest: make(map[string]table.Snapshot)} }

// maxNewest bounds the number of rows that are remembered.
const maxNewest = 20_000

// A keeper is a projection that keeps one row for each thing of a category.
type keeper struct {
	projection string
	get        func(*Tables, uuid.UUID) (any, bool)
	put        func(*Tables, any)
}

func keeps[R any](p Projection, table func(*Tables) *Table[uuid.UUID, R]) keeper {
	return keeper{
		projection: p.Name,
		get:        func(t *Tables, id uuid.UUID) (any, bool) { return table(t).Get(id) },
		put:        func(t *Tables, row any) { table(t).Insert(row.(R)) },
	}
}

// keepers are the keepers, by category.
var keepers = map[string]keeper{
	"department": keeps(Departments, func(t *Tables) *Table[uuid.UUID, readmodels.Department] { return t.Departments }),
	"tag":        keeps(Tags, func(t *Tables) *Table[uuid.UUID, readmodels.Tag] { return t.Tags }),
	"group":      keeps(Groups, func(t *Tables) *Table[uuid.UUID, readmodels.Group] { return t.Groups }),
	"agent":      keeps(Agents, func(t *Tables) *Table[uuid.UUID, readmodels.Agent] { return t.Agents }),
	"contact":    keeps(Contacts, func(t *Tables) *Table[uuid.UUID, readmodels.Contact] { return t.Contacts }),
	"company":    keeps(Companies, func(t *Tables) *Table[uuid.UUID, readmodels.Company] { return t.Companies }),
	"ticket":     keeps(Tickets, func(t *Tables) *Table[uuid.UUID, readmodels.Ticket] { return t.Tickets }),
}

// At returns a thing as it was at a revision. It reads only what came after what it remembers.
func (r *Rows) At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision) (table.Snapshot, error) {
	stream := category + "-" + id.String()
	r.mu.Lock()
	base, known := r.newest[stream]
	r.mu.Unlock()
	if !known || base.Revision > revision {
		base = table.Snapshot{Revision: eventstore.NoStream}
	}
	snapshot, err := r.source.fold(ctx, category, id, base, func(_ event.Metadata, at eventstore.Revision, _ eventstore.Position) bool { return at <= revision })
	if err != nil || snapshot.Revision <= base.Revision {
		return snapshot, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.newest) >= maxNewest {
		clear(r.newest)
	}
	if r.newest[stream].Revision <= snapshot.Revision {
		r.newest[stream] = snapshot
	}
	return snapshot, nil
}

// AsOf returns a thing as the events that keep lets count make it.
func (r *Rows) AsOf(ctx context.Context, category string, id uuid.UUID, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error) {
	return r.source.fold(ctx, category, id, table.Snapshot{Revision: eventstore.NoStream}, keep)
}

// fold goes on from a base with the events that count. It returns ErrNoRow if nothing made the thing.
func (s Source) fold(ctx context.Context, category string, id uuid.UUID, base table.Snapshot, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error) {
	k, ok := keepers[category]
	if !ok {
		return base, fmt.Errorf("no projection keeps rows of category %s", category)
	}
	m, err := s.memory()
	if err != nil {
		return base, err
	}
	defer memories.Put(m)
	m.drop(true)
	own := m.find(k.projection)
	m.turn = k.projection
	if base.Row != nil {
		k.put(m.tables, base.Row)
	}
	for stored, err := range s.Store.Read(ctx, category+"-"+id.String(), base.Revision+1, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return base, err
		}
		e := s.decode(stored)
		if e.err != nil {
			return base, e.err
		}
		if !keep(e.Meta, e.Revision, e.Position) {
			continue
		}
		m.batch, m.at = []entry{e}, 0
		m.folds[own].apply(&m.batch[0].Recorded)
		base.Revision, base.Position = e.Revision, e.Position
	}
	var found bool
	if base.Row, found = k.get(m.tables, id); !found {
		return base, table.ErrNoRow
	}
	return base, nil
}

// A memory is a ledger without a database: all there is is in memory.
type memory struct {
	*ledger
	tables *Tables
}

// memories are used again, for making one takes longer than folding a stream.
var memories sync.Pool

func (s Source) memory() (*memory, error) {
	if m, ok := memories.Get().(*memory); ok {
		return m, nil
	}
	m := &memory{}
	l, err := newLedger(func(l *ledger) []fold {
		m.tables = newTables(l)
		folds := make([]fold, len(All))
		for i, p := range All {
			folds[i] = fold{p.Name, p.Version, func(e *Recorded) { p.Apply(e, m.tables) }}
		}
		return folds
	}, cacheRows)
	m.ledger = l
	return m, err
}
