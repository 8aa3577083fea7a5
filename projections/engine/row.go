package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
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

	keys      personal.Keys
	snapshots eventstore.Snapshots

	mu        sync.Mutex
	newest    *recent.Map[string, remembered] // by stream, to save folding again; they may be outdated
	destroyed int                             // personal.Keys.Destroyed when they were folded
}

// RowPart is the part of a stream that this package saves.
const RowPart = "row"

// NewRows returns Rows of a log whose events are opened with these keys. The rows of long streams are kept in snapshots; nil: they are
// not kept.
func NewRows(s Source, keys personal.Keys, snapshots eventstore.Snapshots) *Rows {
	return &Rows{source: s, keys: keys, snapshots: snapshots, newest: recent.New[string, remembered](rememberedRows)}
}

// remembered are rows of one stream.
type remembered struct {
	rows  []table.Snapshot    // the newest first
	saved eventstore.Revision // of the one that was saved last
}

// rememberedRows is how many streams' rows are kept in memory, at least.
const rememberedRows = 10_000

// Of a long stream several rows are remembered: who writes to it together with others is answered as of an own revision.
const (
	longStream = 100
	alsoBefore = 16
)

// between is how many events a stream has more, at least, when its row is saved again.
const between = 1000

// A keeper is a table with one row per entity of a category.
type keeper struct {
	projection string
	blank      func() any // a pointer to an empty row
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
		blank:      func() any { return new(R) },
		get:        func(id uuid.UUID) (any, bool) { return t.Get(id) },
		put:        func(row any) { t.Insert(row.(R)) },
	}
	return t
}

// KeepParts declares a table with the rows of parts of the entities of a category, such as their notes, which Rows shows by the table's
// name.
func KeepParts[R any](l *Ledger, category string, spec table.Table) *Table[uuid.UUID, R] {
	t := NewTable[uuid.UUID, R](l, spec)
	l.keepers[partsOf(category, spec.Name)] = keeper{projection: l.binding, get: func(id uuid.UUID) (any, bool) { return t.Get(id) }}
	return t
}

// partsOf is what the keeper of a category's parts is called among those of the categories.
func partsOf(category, table string) string { return category + "/" + table }

// Part returns the row of a part of an entity as of a revision of that: of the table with a name, which KeepParts declares. written are
// the last events before it if the part began with them, or none. The error can be table.ErrNoRow.
func (r *Rows) Part(ctx context.Context, category string, id uuid.UUID, name string, part uuid.UUID, revision eventstore.Revision, written []event.Written) (any, error) {
	base := table.Snapshot{Revision: eventstore.NoStream}
	if len(written) > 0 {
		base.Revision = eventstore.Revision(written[0].Revision) - 1
	}
	s, err := r.foldTo(ctx, partsOf(category, name), part, category, id, base, int(revision-base.Revision), always, written)
	return s.Row, err
}

// At returns an entity as of a revision. written are the last events before it that the caller has just read or written, if any: if they
// go back to the row that it remembers, the log need not be read. The error can be table.ErrNoRow.
func (r *Rows) At(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision, written []event.Written) (table.Snapshot, error) {
	stream := category + "-" + id.String()
	destroyed, err := r.keys.Destroyed()
	if err != nil {
		return table.Snapshot{}, err
	}
	r.mu.Lock()
	if destroyed != r.destroyed {
		r.newest, r.destroyed = recent.New[string, remembered](rememberedRows), destroyed
	}
	known, _ := r.newest.Get(stream)
	r.mu.Unlock()
	base := table.Snapshot{Revision: eventstore.NoStream}
	if i := slices.IndexFunc(known.rows, func(s table.Snapshot) bool { return s.Revision <= revision }); i >= 0 {
		base = known.rows[i]
	} else if revision >= longStream {
		base = r.restored(ctx, category, id, revision)
	}
	snapshot := base
	if base.Revision < revision {
		if snapshot, err = r.fold(ctx, category, id, base, int(revision-base.Revision), always, written); err != nil {
			return snapshot, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if destroyed != r.destroyed {
		return snapshot, nil
	}
	known, had := r.newest.Get(stream)
	if !had {
		known.saved = eventstore.NoStream
	}
	known.rows = among(known.rows, snapshot)
	if r.snapshots != nil && snapshot.Revision-known.saved >= between {
		known.saved = snapshot.Revision
		r.snapshots.Save(destroyed, RowPart, stream, saved{snapshot.Revision, snapshot.Position, snapshot.Event}, snapshot.Row)
	}
	r.newest.Put(stream, known)
	return snapshot, nil
}

func always(event.Metadata, eventstore.Revision, eventstore.Position) bool { return true }

// A saved is where a row that is saved stands.
type saved struct {
	Revision eventstore.Revision
	Position eventstore.Position
	Event    uuid.UUID
}

// restored returns the row that was saved of a stream, at most as of a revision, or none.
func (r *Rows) restored(ctx context.Context, category string, id uuid.UUID, revision eventstore.Revision) table.Snapshot {
	none, stream := table.Snapshot{Revision: eventstore.NoStream}, category+"-"+id.String()
	if r.snapshots == nil {
		return none
	}
	l, k, err := r.keeper(category)
	if err != nil {
		return none
	}
	r.ledgers.Put(l)
	var at saved
	row := k.blank()
	if !r.snapshots.Load(ctx, RowPart, stream, &at, row) || at.Revision > revision {
		return none
	}
	if e, found, err := eventstore.Find(ctx, r.source.Store, stream, at.Revision, at.Event); err != nil || !found || e.Position != at.Position {
		return none // the log is not the one that it was taken of
	}
	return table.Snapshot{Row: reflect.ValueOf(row).Elem().Interface(), Revision: at.Revision, Position: at.Position, Event: at.Event}
}

// keeper returns a ledger, which must be put back, and the table that keeps the rows of a category.
func (r *Rows) keeper(category string) (*Ledger, keeper, error) {
	l, ok := r.ledgers.Get().(*Ledger)
	if !ok {
		var err error
		if l, err = r.source.ledger(); err != nil {
			return nil, keeper{}, err
		}
	}
	k, ok := l.keepers[category]
	if !ok {
		r.ledgers.Put(l)
		return nil, k, fmt.Errorf("no projection keeps rows of category %s", category)
	}
	return l, k, nil
}

// ProveSnapshot returns what the log gives for a snapshot that load decodes. It implements snapshot.Prover.
func (r *Rows) ProveSnapshot(ctx context.Context, stream string, load func(into ...any) error) ([]any, error) {
	category, id, err := event.ParseStream(stream)
	if err != nil {
		return nil, err
	}
	l, k, err := r.keeper(category)
	if err != nil {
		return nil, err
	}
	r.ledgers.Put(l)
	var at saved
	if err := load(&at, k.blank()); err != nil {
		return nil, err
	}
	want, err := r.fold(ctx, category, id, table.Snapshot{Revision: eventstore.NoStream}, int(at.Revision)+1, always, nil)
	return []any{saved{want.Revision, want.Position, want.Event}, want.Row}, err
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
	return r.fold(ctx, category, id, table.Snapshot{Revision: eventstore.NoStream}, 0, keep, nil)
}

// fold continues from a base with the events for which keep returns true among the next ones, at most limit (0: all), or with those
// just written. It returns table.ErrNoRow if there is no row afterwards.
func (r *Rows) fold(ctx context.Context, category string, id uuid.UUID, base table.Snapshot, limit int, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool, written []event.Written) (table.Snapshot, error) {
	return r.foldTo(ctx, category, id, category, id, base, limit, keep, written)
}

// foldTo is fold for the row that a keeper has under a key.
func (r *Rows) foldTo(ctx context.Context, keeps string, key uuid.UUID, category string, id uuid.UUID, base table.Snapshot, limit int, keep func(event.Metadata, eventstore.Revision, eventstore.Position) bool, written []event.Written) (table.Snapshot, error) {
	l, k, err := r.keeper(keeps)
	if err != nil {
		return base, err
	}
	defer r.ledgers.Put(l)
	l.drop(true)
	own := l.find(k.projection)
	l.current = k.projection
	if base.Row != nil {
		k.put(base.Row)
	}
	apply := func(e entry) {
		l.batch, l.at = []entry{e}, 0
		l.folds[own].apply(&l.batch[0].Recorded)
		base.Revision, base.Position, base.Event = e.Revision, e.Position, e.EventID
	}
	if reaches(written, base.Revision, base.Revision+eventstore.Revision(limit)) {
		for _, e := range written {
			if eventstore.Revision(e.Revision) > base.Revision {
				apply(entry{Recorded: asRecorded(category, id, e)})
			}
		}
		return taken(base, k, key)
	}
	for stored, err := range r.source.Store.Read(ctx, category+"-"+id.String(), base.Revision+1, eventstore.Forwards, limit) {
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
	return taken(base, k, key)
}

// reaches reports whether events have all that comes after one revision, up to another.
func reaches(events []event.Written, from, to eventstore.Revision) bool {
	for i, e := range events {
		if e.Revision != events[0].Revision+int64(i) {
			return false // another process wrote some for the same request
		}
		if i > 0 && from == eventstore.NoStream && e.Position == events[i-1].Position {
			return false // where the first one stands is not known
		}
	}
	n := len(events)
	return n > 0 && eventstore.Revision(events[0].Revision) <= from+1 && eventstore.Revision(events[n-1].Revision) == to
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
