package api

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/group"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// A related is a kind of thing that rows refer to by NAME_id, and that is shown as NAME if the query expands it. O is its row.
type related[O any] struct {
	category string
	table    table.Table
	id       func(O) uuid.UUID
}

var (
	agentRows      = related[readmodels.Agent]{agent.Stream.Category, readmodels.AgentsTable, func(r readmodels.Agent) uuid.UUID { return r.ID }}
	companyRows    = related[readmodels.Company]{company.Stream.Category, readmodels.CompaniesTable, func(r readmodels.Company) uuid.UUID { return r.ID }}
	contactRows    = related[readmodels.Contact]{contact.Stream.Category, readmodels.ContactsTable, func(r readmodels.Contact) uuid.UUID { return r.ID }}
	departmentRows = related[readmodels.Department]{department.Stream.Category, readmodels.DepartmentsTable, func(r readmodels.Department) uuid.UUID { return r.ID }}
	groupRows      = related[readmodels.Group]{group.Stream.Category, readmodels.GroupsTable, func(r readmodels.Group) uuid.UUID { return r.ID }}
	tagRows        = related[readmodels.Tag]{tag.Stream.Category, readmodels.TagsTable, func(r readmodels.Tag) uuid.UUID { return r.ID }}
)

// A source says which rows to show: those of the read models, or if queryer is nil, those of a past moment.
type source struct {
	queryer table.Queryer
	rows    Rows
	keep    kept
}

// rowsOf returns the rows with some ids, by id. Those that are not there are left out.
func rowsOf[O any](ctx context.Context, from source, of related[O], ids []uuid.UUID) (map[uuid.UUID]O, error) {
	if from.queryer != nil {
		return table.Many(ctx, from.queryer, of.table, ids, of.id)
	}
	found := make(map[uuid.UUID]O, len(ids))
	for _, id := range ids {
		then, err := from.rows.AsOf(ctx, of.category, id, from.keep)
		if errors.Is(err, table.ErrNoRow) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[id] = then.Row.(O)
	}
	return found, nil
}

// A relation is what rows of X refer to under one name.
type relation[X any] struct {
	name string
	add  func(ctx context.Context, from source, rows []X) error
}

// refers returns a relation: ids are those to which a row refers, and add adds the things with these ids to it.
func refers[X, O any](name string, of related[O], ids func(X) []uuid.UUID, add func(x *X, things []O)) relation[X] {
	return relation[X]{name, func(ctx context.Context, from source, rows []X) error {
		var all []uuid.UUID
		for _, x := range rows {
			all = append(all, ids(x)...)
		}
		slices.SortFunc(all, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		all = slices.DeleteFunc(slices.Compact(all), func(id uuid.UUID) bool { return id == uuid.Nil })
		found, err := rowsOf(ctx, from, of, all)
		if err != nil {
			return err
		}
		for i := range rows {
			things := []O{}
			for _, id := range ids(rows[i]) {
				if thing, there := found[id]; there {
					things = append(things, thing)
				}
			}
			add(&rows[i], things)
		}
		return nil
	}}
}

// A view shows rows of R with the things that a query expands.
type view[R, X any] struct {
	with      func(R) X
	relations []relation[X]
}

// plain shows rows as they are.
func plain[R any]() view[R, R] { return view[R, R]{with: func(r R) R { return r }} }

// show returns rows with what is expanded: one query for each kind of thing.
func (v view[R, X]) show(ctx context.Context, from source, rows []R, expand []string) ([]X, error) {
	shown := make([]X, len(rows))
	for i, r := range rows {
		shown[i] = v.with(r)
	}
	for _, relation := range v.relations {
		if slices.Contains(expand, relation.name) {
			if err := relation.add(ctx, from, shown); err != nil {
				return nil, err
			}
		}
	}
	return shown, nil
}

// page shows a page of a list.
func (v view[R, X]) page(ctx context.Context, q table.Queryer, found table.Found[R], err error, expand []string) (table.Found[X], error) {
	if err != nil {
		return table.Found[X]{}, err
	}
	rows, err := v.show(ctx, source{queryer: q}, found.Rows, expand)
	return table.Found[X]{Rows: rows, Next: found.Next}, err
}

// first returns the first thing; nil: there is none.
func first[O any](things []O) *O {
	if len(things) == 0 {
		return nil
	}
	return &things[0]
}
