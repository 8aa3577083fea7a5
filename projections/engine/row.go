package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/internal/recent"
	"daybook/readmodels/table"
)

// Rows folds an entity's own stream into its row, in memory, with the projection that keeps it. So a command is answered without
// waiting for a read model, and an entity can be shown as of an earlier time.
type Rows struct {
	source  Source
	ledgers sync.Pool // of *Ledger, reused because making one takes longer than folding a stream

	keys personal.Keys

	mu        sync.Mutex
	newest    *recent.Map[string, []table.Snapshot] // by stream, to save folding again, the newest first; they may be outdated
	destroyed int                                   // personal.Keys.Destroyed when they were folded
}

// NewRows returns Rows of a log whose events are opened with these keys.
func NewRows(s Source, keys personal.Keys) *Rows {
	return &Rows{source: s, keys: keys, newest: recent.New[string, []table.Snapshot](remembered)}
}

// remembered is how many rows are kept in memory, at least.
const remembered = 10_000

// Of a long stream several rows are remembered: who writes to it together with others is answered as of an own revision.
const (
	longStream = 100
	alsoBefore = 16
)

// A keeper is a table with one row per entity of a category.
type keeper struct {
	projection string
	get        func(uuid.UUID) (any, bool)
	put        func(any)
}

// Keep declares a table with one row per entity of a category, which Rows shows. A category has one.
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

// At returns an entity as of a revision. written are the events that the caller has just written, if any: then the log need not be
// read. Otherwise it reads what came after the row that it remembers. The error can be table.ErrNoRow.
func (r *Rows) At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision, written []event.Written) (table.Snapshot, error) {
	stream := category + "-" + id.String()
	destroyed, err := r.keys.Destroyed()
	if err != nil {
		return table.Snapshot{}, err
	}
	r.mu.Lock()
	if destroyed != r.destroyed {
		r.newest, r.destroyed = recent.New[string, []table.Snapshot](remembered), destroyed
	}
	all, _ := r.newest.Get(stream)
	r.mu.Unlock()
	base := table.Snapshot{Revision: eventstore.NoStream}
	if i := slices.IndexFunc(all, func(s table.Snapshot) bool { return s.Revision <= revision }); i >= 0 {
		base = all[i]
	}
	snapshot, err := r.fold(ctx, category, id, base, func(_ event.Metadata, at eventstore.Revision, _ eventstore.Position) bool { return at <= revision }, written)
	if err != nil || snapshot.Revision <= base.Revision {
		return snapshot, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if destroyed != r.destroyed {
		return snapshot, nil
	}
	all, _ = r.newest.Get(stream)
	r.newest.Put(stream, among(all, snapshot))
	return snapshot, nil
}

// among returns a list with one more snapshot, which is short unless the stream is long.
func among(all []table.Snapshot, s table.Snapshot) []table.Snapshot {
	most := 1
	if s.Revision >= longStream {
		most = alsoBefore
	}
	i, known := slices.BinarySearchFunc(all, s.Revision, func(a table.Snapshot, revision eventstore.Revision) int { return cmp.Compare(revision, a.Revision) })
	if known || i >= most {
		return all
	}
	with := append(make([]table.Snapshot, 0, min(len(all)+1, most)), all[:i]...)
	with = append(with, s)
	return append(with, all[i:min(len(all), i+most-len(with))]...)
}

// AsOf returns an entity folded from the events for which keep returns true. The error can be table.ErrNoRow.
func (r *Rows) AsOf(ctx context.Context, category string, id uuid.UUID, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool) (table.Snapshot, error) {
	return r.fold(ctx, category, id, table.Snapshot{Revision: eventstore.NoStream}, keep, nil)
}

// fold continues from a base with the events for which keep returns true, or with those just written. It returns table.ErrNoRow
// if there is no row afterwards.
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
		if e.err != nil && !e.unknown() {
			return base, e.err
		}
		if !keep(e.Meta, e.Revision, e.Position) {
			continue
		}
		if _, newer := split([]entry{e}); newer != nil {
			return base, newer
		}
		apply(e)
	}
	return taken(base, k, id)
}

// taken is a snapshot with the keeper's current row.
func taken(base table.Snapshot, k keeper, id uuid.UUID) (table.Snapshot, error) {
	var found bool
	if base.Row, found = k.get(id); !found {
		return base, table.ErrNoRow
	}
	return base, nil
}

// asRecorded is an event that was just written, as the log has it. Its RecordedAt is unknown here: the rows that
// commands answer with do not show it.
func asRecorded(category string, id uuid.UUID, e event.Written) Recorded {
	return Recorded{
		Event: e.Event, EventID: e.ID, Category: category, ID: id, Revision: eventstore.Revision(e.Revision), Position: eventstore.Position(e.Position),
		At: table.At(e.Metadata.At), Meta: e.Metadata,
	}
}
