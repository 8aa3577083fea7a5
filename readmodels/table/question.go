package table

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// A Question asks for the rows of a table that meet all its conditions. A condition that is met by few rows has a list of them, if there
// is an index for it, so that the others need not be read; see Find. Its methods add conditions.
//
// Lists are indexes of the table itself, which begin with the column that the condition is about, and tables of links, whose key is such
// a column, the table's At and the position of the row's first event. A list is in the order of At if its other columns are.
type Question struct {
	of    Table
	shape *shape
	terms []term
	never bool // no row meets the conditions
}

// A term is a condition.
type term struct {
	test    phrase   // of a row, whose columns are e."COLUMN"
	columns []string // that the test reads
	list    *list    // of the rows that meet it; nil: there is none
	wider   bool     // the list has other rows too
	bound   *bound   // what the condition is, if it bounds a column
}

// A bound is a condition on the order of a column.
type bound struct {
	column, how string
	value       int64
}

// A list says where the rows that meet a condition are listed: in an index of the table itself, which is called e, or in links, which are
// called l.
type list struct {
	links      string // a table, or a query that is one; empty: it is the table itself
	at, number string // the columns of links with the row's At and the position of its first event
	where      phrase
	by         string // the column that where is about, along which the entries are read
	one        bool   // where fixes it to one value, so that the entries are in the order of At; else one may be there twice
	leads      bool   // it leads however long it is
}

// A phrase is a part of a statement, in which each %s stands for an argument.
type phrase struct {
	text string
	args []any
}

func say(text string, args ...any) phrase { return phrase{text, args} }

// Ask returns a question without conditions, which all rows of a table meet.
func Ask(t Table) *Question { return &Question{of: t, shape: shapeOf(reflect.TypeOf(t.Row))} }

// Never makes it a question that no row meets.
func (a *Question) Never() { a.never = true }

// Is requires a column to have a value, unless the value is empty.
func (a *Question) Is(column, value string) {
	if value != "" {
		a.is(column, value)
	}
}

// IsID requires a column to have an id, unless none is given.
func (a *Question) IsID(column string, id *uuid.UUID) {
	if id != nil {
		a.is(column, id.String())
	}
}

// Key requires the row with a key, unless none is given. No others are read.
func (a *Question) Key(id *uuid.UUID) {
	if id == nil {
		return
	}
	key := keyColumn(a.of)
	a.terms = append(a.terms, term{
		test: say(fmt.Sprintf("e.%q = %%s", key), id.String()), columns: []string{key},
		list: &list{
			links: fmt.Sprintf("(SELECT r.%q, r.%q, r.%q FROM %q AS r)", key, a.of.At, a.shape.order, a.of.Name),
			at:    a.of.At, number: a.shape.order, where: say(fmt.Sprintf("l.%q = %%s", key), id.String()), by: key, one: true, leads: true,
		},
	})
}

func (a *Question) is(column, value string) {
	a.add(column, say(fmt.Sprintf("e.%q = %%s", column), value), true)
}

// Of requires a column to have an id, or if others is not nil, that a row of others has that id in its column of the same name, and the
// row's key. However many rows these are, no others are read.
func (a *Question) Of(column string, id uuid.UUID, others *Table) {
	a.is(column, id.String())
	t := &a.terms[len(a.terms)-1]
	if others != nil {
		key := keyColumn(a.of)
		t.test = say(fmt.Sprintf("(e.%q = %%s OR (SELECT count(*) FROM %q AS o WHERE o.%[1]q = %%s AND o.%[3]q = e.%[3]q) > 0)", column, others.Name, key), id.String(), id.String())
		t.columns = append(t.columns, key)
		t.list.where = say(fmt.Sprintf("(e.%q = %%s OR e.%q IN (SELECT o.%[2]q FROM %[3]q AS o WHERE o.%[1]q = %%s))", column, key, others.Name), id.String(), id.String())
		t.list.by, t.list.one = "", false
	}
	t.list.leads = true
}

// Refers requires a column to refer to a thing, or to none; nil: whatever it refers to.
func (a *Question) Refers(column string, to *Ref) {
	switch {
	case to == nil:
	case *to == (Ref{}):
		a.add(column, say(fmt.Sprintf("e.%q IS NULL", column)), true)
	default:
		a.is(column, uuid.UUID(*to).String())
	}
}

// AmongIDs requires a column to be null or to have one of some ids.
func (a *Question) AmongIDs(column string, ids []uuid.UUID) { a.test(among("e", column, ids), column) }

// AmongIDsOf requires a column to be null, or to be the key of a row of another table in which a column is null or has one of some ids.
func (a *Question) AmongIDsOf(column string, other Table, by string, ids []uuid.UUID) {
	seen := among("o", by, ids)
	a.test(phrase{fmt.Sprintf("(e.%q IS NULL OR (SELECT count(*) FROM %q AS o WHERE o.%q = e.%[1]q AND %[4]s) > 0)", column, other.Name, keyColumn(other), seen.text), seen.args}, column)
}

func among(alias, column string, ids []uuid.UUID) phrase {
	or := say(fmt.Sprintf("(%s.%q IS NULL", alias, column))
	for _, id := range ids {
		or.text += fmt.Sprintf(" OR %s.%q = %%s", alias, column)
		or.args = append(or.args, id.String())
	}
	or.text += ")"
	return or
}

// AnyOf requires a column to have one of some values, unless there are none.
func AnyOf[T ~string](a *Question, column string, values []T) {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	switch len(values) {
	case 0:
	case 1:
		a.is(column, string(values[0]))
	default:
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = string(v)
		}
		a.add(column, phrase{fmt.Sprintf("e.%q IN (%s)", column, places(len(values))), args}, false)
	}
}

// During requires a column to be in [from, to). A zero bound means no bound.
func (a *Question) During(column string, from, to Instant) {
	if from != 0 {
		a.within(column, ">=", from.Stored())
	}
	if to != 0 {
		a.within(column, "<", to.Stored())
	}
}

// After requires a column with positions to be after one, unless that is 0.
func (a *Question) After(column string, position Position) {
	if position > 0 {
		a.within(column, ">", int64(position))
	}
}

func (a *Question) within(column, how string, value int64) {
	a.add(column, say(fmt.Sprintf("e.%q %s %%s", column, how), value), false)
	a.terms[len(a.terms)-1].bound = &bound{column, how, value}
}

// add adds a condition on one column, which has a list if an index begins with it. one says that it has one value.
func (a *Question) add(column string, test phrase, one bool) {
	t := term{test: test, columns: []string{column}}
	for _, index := range a.of.Indexes {
		columns := strings.Split(index, ", ")
		if a.of.At == "" || columns[0] != column {
			continue
		}
		if t.list == nil {
			t.list = &list{where: test, by: column}
		}
		t.list.one = t.list.one || one && len(columns) > 1 && columns[1] == a.of.At
	}
	a.terms = append(a.terms, t)
}

// Say adds a condition as it is, which reads some columns as e."COLUMN".
func (a *Question) Say(clause string, columns ...string) { a.test(say(clause), columns...) }

// test adds a condition that has no list.
func (a *Question) test(test phrase, columns ...string) {
	a.terms = append(a.terms, term{test: test, columns: columns})
}

// Lists requires a list column to contain an id, or if that is none, to be empty; nil: whatever it contains.
func (a *Question) Lists(column string, id *Ref) {
	switch {
	case id == nil:
	case *id == (Ref{}):
		a.test(say(fmt.Sprintf("e.%q = '[]'", column)), column)
	default:
		a.test(say(fmt.Sprintf("e.%q LIKE %%s", column), `%"`+uuid.UUID(*id).String()+`"%`), column)
	}
}

// Linked requires a link to one of some ids. links is a table whose key is the id's column, the At of this one, and the position of the
// first event.
func (a *Question) Linked(links Table, ids []uuid.UUID) { a.linked(links, ids, "> 0", true) }

// NotLinked requires that there is no link to any of some ids.
func (a *Question) NotLinked(links Table, ids []uuid.UUID) { a.linked(links, ids, "= 0", false) }

func (a *Question) linked(links Table, ids []uuid.UUID, how string, listed bool) {
	key := linkOf(links)
	where := phrase{text: fmt.Sprintf("l.%q IN (%s)", key[0], places(len(ids)))}
	for _, id := range ids {
		where.args = append(where.args, id.String())
	}
	// A count is no subquery that a database makes a join of, for which it would read the whole list.
	t := term{columns: []string{a.of.At, a.shape.order}}
	t.test = phrase{fmt.Sprintf("(SELECT count(*) FROM %q AS l WHERE %s AND l.%q = e.%q AND l.%q = e.%q) %s", links.Name, where.text, key[1], a.of.At, key[2], a.shape.order, how), where.args}
	if listed {
		t.list = &list{links: quoted(links.Name), at: key[1], number: key[2], where: where, by: key[0], one: len(ids) == 1}
	}
	a.terms = append(a.terms, t)
}

// Words requires each word to be the beginning of a word of the row's text, a column in which words are separated and preceded by
// spaces. links is a table whose key is the word, the At of this table, and the position of the first event; nil: there is none.
func (a *Question) Words(column string, links *Table, words []string) {
	for _, word := range words {
		t := term{test: say(fmt.Sprintf(`e.%q LIKE %%s ESCAPE '\'`, column), "% "+likeEscaper.Replace(word)+"%"), columns: []string{column}}
		if links != nil {
			key := linkOf(*links)
			t.list = &list{links: quoted(links.Name), at: key[1], number: key[2], where: say(fmt.Sprintf("l.%q >= %%s AND l.%[1]q < %%s", key[0]), word, word+last), by: key[0]}
		}
		a.terms = append(a.terms, t)
	}
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// last is after every character that a word can have.
const last = "\U0010FFFF"

// Word requires a column that is a list of texts to have one, unless that is empty. links is as in Words, and words returns the words by
// which the text is found there.
func (a *Question) Word(column string, links Table, words func(string) []string, text string) {
	if text == "" {
		return
	}
	word := words(text)[0]
	key := linkOf(links)
	a.terms = append(a.terms, term{
		test: say(fmt.Sprintf("replace(e.%q, %%s, '') <> e.%[1]q", column), asJSON(text)), columns: []string{column},
		list: &list{links: quoted(links.Name), at: key[1], number: key[2], where: say(fmt.Sprintf("l.%q = %%s", key[0]), word), by: key[0], one: true}, wider: true,
	})
}

// Through requires a column to be the key of a row of another table that refers to a thing, or to none; nil: whatever it refers to. Such
// as the tickets of a company's contacts.
func (a *Question) Through(column string, other Table, by string, to *Ref) {
	if to == nil {
		return
	}
	refers, key := phrase{text: fmt.Sprintf("%%[1]s.%q IS NULL", by)}, keyColumn(other)
	if *to != (Ref{}) {
		refers = say(fmt.Sprintf("%%[1]s.%q = %%%%s", by), uuid.UUID(*to).String())
	}
	as := func(alias string) phrase { return phrase{fmt.Sprintf(refers.text, alias), refers.args} }
	a.terms = append(a.terms, term{
		test:    phrase{fmt.Sprintf("(SELECT count(*) FROM %q AS o WHERE %s AND o.%q = e.%q) > 0", other.Name, as("o").text, key, column), refers.args},
		columns: []string{column},
		list: &list{
			links: fmt.Sprintf("(SELECT o.%q, r.%q, r.%q FROM %q AS o CROSS JOIN %q AS r WHERE r.%q = o.%q)", by, a.of.At, a.shape.order, other.Name, a.of.Name, column, key),
			at:    a.of.At, number: a.shape.order, where: as("l"),
		},
	})
}

// linkOf returns the three columns of the key of a table of links.
func linkOf(links Table) []string {
	r, err := Relate(links)
	if err != nil || len(r.Key) != 3 {
		panic("table " + links.Name + " is no table of links")
	}
	key := make([]string, 3)
	for i, column := range r.Key {
		key[i] = r.Columns[column].Name
	}
	return key
}

// asJSON returns a text as it stands in a list.
func asJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil { // cannot happen: it is a text
		panic(err)
	}
	return string(quoted)
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("%s, ", n), ", ") }
