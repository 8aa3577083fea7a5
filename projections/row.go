package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"daybook/eventstore"
)

// A Row is one thing as the projection that keeps it makes it of the thing's own stream.
type Row struct {
	Value    any // the row, such as a readmodels.Contact
	Revision eventstore.Revision
	Position eventstore.Position
}

// keepers are the projections that keep one row for each thing of a category, and how to read it.
var keepers = map[string]struct {
	projection string
	get        func(*Tables, uuid.UUID) (any, bool)
}{
	"department": {Departments.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Departments.Get(id) }},
	"tag":        {Tags.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Tags.Get(id) }},
	"group":      {Groups.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Groups.Get(id) }},
	"agent":      {Agents.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Agents.Get(id) }},
	"contact":    {Contacts.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Contacts.Get(id) }},
	"company":    {Companies.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Companies.Get(id) }},
	"ticket":     {Tickets.Name, func(t *Tables, id uuid.UUID) (any, bool) { return t.Tickets.Get(id) }},
}

// ErrNoRow is what Row comes to where there is no such thing, or was none yet.
var ErrNoRow = errors.New("there is no such thing")

// Row folds a thing's own stream into its row, in memory, by the projection's own function. keep says which events count:
// all of them for the thing as it is, fewer for the thing as it was. It returns ErrNoRow if none of them made the thing.
func (s Source) Row(ctx context.Context, category string, id uuid.UUID, keep func(Recorded) bool) (Row, error) {
	keeper, ok := keepers[category]
	if !ok {
		return Row{}, fmt.Errorf("no projection keeps rows of category %s", category)
	}
	m, err := s.memory()
	if err != nil {
		return Row{}, err
	}
	defer memories.Put(m)
	m.drop(true)
	own := m.find(keeper.projection)
	m.turn = keeper.projection
	var row Row
	for stored, err := range s.Store.Read(ctx, category+"-"+id.String(), 0, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return Row{}, err
		}
		e := s.decode(stored)
		if e.err != nil {
			return Row{}, e.err
		}
		if !keep(e.Recorded) {
			continue
		}
		m.batch, m.at = []entry{e}, 0
		m.folds[own].apply(&m.batch[0].Recorded)
		row.Revision, row.Position = e.Revision, e.Position
	}
	value, found := keeper.get(m.tables, id)
	if !found {
		return Row{}, ErrNoRow
	}
	row.Value = value
	return row, nil
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
