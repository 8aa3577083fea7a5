package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"daybook/domain"
)

// A page looks at so many entries at most: at those of a list that leads, or at all rows in the order of the page. Tests change it.
var mostEntries = 20_000

// A row that is read for its conditions counts as so many entries.
const rowCosts = 4

// A list with fewer entries is short. Tests change it.
var fewEntries = 2000

// Find returns one page of the rows that meet a question. The list can be sorted by the columns sorts; the first is its own order. A column
// that has another beside it, called after it with _key, is sorted by that. Rows that are equal stand in the order of the log. The error
// can be ErrCursor.
//
// A page costs no more than looking at mostEntries entries, or at fewer if their rows must be read. If the rows are not found among these, it is short, perhaps empty, and has the
// cursor with which to go on. What is looked at:
//
//   - the entries of the shortest list of a condition, if it is short;
//   - else those of a list in the order of the page, if no other condition has a list, or if few of the next mostEntries rows are in it;
//   - else all rows in the order of the page.
//
// The other conditions are tested on each entry, those first that the index of the entries has the columns for. Rows are read of what is
// left, and whole rows of what is shown.
func Find[R any](ctx context.Context, q Queryer, ask *Question, p Page, sorts ...string) (found Found[R], err error) {
	if p.Limit == 0 {
		p.Limit = DefaultPage
	}
	if p.Limit < 1 || p.Limit > MaxPage {
		return found, domain.Invalid("limit", "limit-out-of-range", "limit must be 1 to %d.", MaxPage)
	}
	o, err := ask.order(p, sorts)
	if err != nil {
		return found, err
	}
	found.question, found.sort, found.Rows = o.question, o.column, []R{}
	if ask.never {
		return found, nil
	}
	lead, err := ask.lead(ctx, q, o)
	if err != nil {
		return found, fmt.Errorf("planning a list of %s: %w", ask.of.Name, err)
	}
	plan := ask.plan(lead, o)
	full, err := found.read(ctx, q, ask, plan, p.Limit)
	if err == nil && !full && (plan.tested() || len(found.Rows) == plan.most) {
		found.Next, err = ask.unfinished(ctx, q, plan)
	}
	if err != nil {
		return found, fmt.Errorf("listing %s: %w", ask.of.Name, err)
	}
	return found, nil
}

// read reads the rows of a page, and reports whether it is full.
func (f *Found[R]) read(ctx context.Context, q Queryer, ask *Question, p plan, limit int) (full bool, err error) {
	var s statement
	rows, err := q.QueryxContext(ctx, ask.page(&s, p, limit+1), s.args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var row R
		if err := rows.StructScan(&row); err != nil {
			return false, err
		}
		size += ask.shape.size(reflect.ValueOf(&row).Elem())
		if n := len(f.Rows); n == limit || n > 0 && size > MaxPageBytes {
			return true, f.Cut(n)
		}
		f.Rows = append(f.Rows, row)
	}
	return false, rows.Err()
}

// An order is the order of a page's rows, and where the page begins.
type order struct {
	column, number string // the number of rows that are equal in the column
	descending     bool
	after          []any  // the values of the last row before the page; nil: it is the first page
	until          *int64 // the last value of the column; nil: there is none
	question       string // what the cursor belongs to
}

// order returns the order that a page asks for.
func (a *Question) order(p Page, sorts []string) (o order, err error) {
	if p.Sort == "" {
		p.Sort = sorts[0]
	}
	o.column = strings.TrimPrefix(p.Sort, "-")
	if !slices.ContainsFunc(sorts, func(s string) bool { return strings.TrimPrefix(s, "-") == o.column }) {
		return o, domain.Invalid("sort", "sort-unknown", "sort must be one of %s, with - before it for descending.", strings.Join(sorts, ", "))
	}
	o.descending, o.number = p.Sort != o.column, a.shape.order
	if _, has := a.shape.columns[o.column+"_key"]; has {
		o.column += "_key"
	}
	parts := []string{a.of.Name, p.Sort}
	for _, t := range a.terms {
		parts = append(parts, t.test.text, fmt.Sprint(t.test.args...))
	}
	o.question = fingerprint(parts...)
	if p.Cursor != "" {
		value, number, err := readCursor(p.Cursor, o.question)
		if err != nil {
			return o, err
		}
		o.after = []any{value, number}
	}
	return o, nil
}

// choose returns its first argument if the order is descending, and else the second.
func (o order) choose(descending, ascending string) string {
	if o.descending {
		return descending
	}
	return ascending
}

// by returns the ORDER BY of columns.
func (o order) by(columns ...string) string {
	direction := o.choose("DESC", "ASC")
	return " ORDER BY " + strings.Join(columns, " "+direction+", ") + " " + direction
}

// beyond returns the conditions that the order's columns, by other names, are on the page or on a later one.
func (o order) beyond(s *statement, column, number string) (clauses []string) {
	sign := o.choose("<", ">")
	if o.until != nil {
		clauses = append(clauses, s.say(say(column+" "+o.choose(">=", "<=")+" %s", *o.until)))
	}
	switch {
	case o.after == nil:
		return clauses
	case o.column == o.number:
		return append(clauses, s.say(say(column+" "+sign+" %s", o.after[1])))
	}
	return append(clauses, s.say(say("("+column+", "+number+") "+sign+" (%s, %s)", o.after...)))
}

// A statement collects the arguments of a statement while its text is made.
type statement struct{ args []any }

func (s *statement) say(p phrase) string {
	marks := make([]any, len(p.args))
	for i, arg := range p.args {
		s.args = append(s.args, arg)
		marks[i] = fmt.Sprintf("$%d", len(s.args))
	}
	return fmt.Sprintf(p.text, marks...)
}

func (s *statement) sayAll(all []phrase) (clauses []string) {
	for _, p := range all {
		clauses = append(clauses, s.say(p))
	}
	return clauses
}

// where is a WHERE of clauses.
func where(clauses []string) string {
	if len(clauses) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(clauses, " AND ")
}

// inOrder reports whether the entries of a list, or if it is nil, all rows, are read in an order.
func (a *Question) inOrder(l *list, o order) bool {
	return l == nil || l.one && o.column == a.of.At
}

// entries returns the SQL of the entries of a list, or if it is nil, of all rows, with some columns of the table; nil: with all. Links have
// only the columns At and number. Entries that are in order begin where the page begins; the others are all there.
func (a *Question) entries(s *statement, l *list, o order, columns []string, limit string) string {
	from, at, number := quoted(a.of.Name)+" AS e", "e."+quoted(o.column), "e."+quoted(o.number)
	shown := make([]string, len(columns))
	for i, c := range columns {
		shown[i] = "e." + quoted(c)
	}
	if len(columns) == 0 {
		shown = []string{"e.*"}
	}
	if l != nil && l.links != "" {
		from, at, number = l.links+" AS l", "l."+quoted(l.at), "l."+quoted(l.number)
		shown = []string{at + " AS " + quoted(a.of.At), number + " AS " + quoted(o.number)}
	}
	var clauses, by []string
	if l != nil {
		clauses = append(clauses, s.say(l.where))
		if l.by != "" { // PostgreSQL does not see that NULL is one value, and would read a table from its beginning to find some rows
			by = append(by, at[:len("e.")]+quoted(l.by))
		}
	}
	if a.inOrder(l, o) {
		for _, t := range a.terms {
			if t.bound != nil && t.bound.column == o.column {
				clauses = append(clauses, s.say(say(at+" "+t.bound.how+" %s", t.bound.value)))
			}
		}
		clauses = append(clauses, o.beyond(s, at, number)...)
	}
	if a.inOrder(l, o) || l.links != "" && l.by != "" {
		by = append(by, at, number)
	}
	sorted := ""
	if len(by) > 0 {
		sorted = o.by(by...)
	}
	return "SELECT " + strings.Join(shown, ", ") + " FROM " + from + where(clauses) + sorted + limit
}

// A plan says how a page is read.
type plan struct {
	order
	lead    *list    // nil: all rows
	inOrder bool     // the entries are
	most    int      // entries
	columns []string // of the entries
	tests   []phrase // on them
	last    []phrase // on their rows, r, since the index of the entries lacks columns
}

func (a *Question) plan(lead *list, o order) plan {
	p := plan{order: o, lead: lead, inOrder: a.inOrder(lead, o), most: mostEntries, columns: []string{keyColumn(a.of), o.column, o.number}}
	indexed := a.indexed(lead, o)
	for _, t := range a.terms {
		listed := lead != nil && t.list == lead && !t.wider
		bounded := p.inOrder && t.bound != nil && t.bound.column == o.column
		if listed || bounded { // as all entries
			continue
		}
		if slices.ContainsFunc(t.columns, func(c string) bool { return !slices.Contains(indexed, c) }) {
			p.last = append(p.last, phrase{strings.ReplaceAll(t.test.text, `e."`, `r."`), t.test.args})
			continue
		}
		p.tests = append(p.tests, t.test)
		p.columns = append(p.columns, t.columns...)
	}
	slices.Sort(p.columns)
	p.columns = slices.Compact(p.columns)
	if len(p.last) > 0 && p.inOrder {
		p.most = max(1, mostEntries/rowCosts)
	}
	return p
}

// tested reports whether there can be entries that are not shown.
func (p plan) tested() bool { return len(p.tests)+len(p.last) > 0 }

// page returns the SQL of a page of at most n rows: the entries, those that meet the conditions, and their rows. The limits keep a database
// from doing one of these before the other.
func (a *Question) page(s *statement, p plan, n int) string {
	if p.inOrder && !p.tested() && (p.lead == nil || p.lead.links == "") { // every entry is a row of the page
		return a.entries(s, p.lead, p.order, nil, fmt.Sprintf(" LIMIT %d", min(n, p.most)))
	}
	name, key := quoted(a.of.Name), quoted(keyColumn(a.of))
	limit := fmt.Sprintf(" LIMIT %d", p.most)
	if !p.inOrder && p.lead.leads {
		limit = ""
	}
	entries := a.entries(s, p.lead, p.order, p.columns, limit)
	if p.lead != nil && p.lead.links != "" {
		entries = a.linkedRows(entries, p) + limit
	}
	at, number := "e."+quoted(p.column), "e."+quoted(p.number)
	clauses := s.sayAll(p.tests)
	if !p.inOrder {
		clauses = append(clauses, p.beyond(s, at, number)...)
	}
	if len(p.last) > 0 {
		clauses = append(clauses, fmt.Sprintf("(SELECT count(*) FROM %s AS r WHERE r.%s = e.%[2]s AND %s) > 0", name, key, strings.Join(s.sayAll(p.last), " AND ")))
	}
	keys := fmt.Sprintf("SELECT e.%s FROM (%s) AS e%s%s LIMIT %d", key, entries, where(clauses), p.by(at, number), n)
	return fmt.Sprintf("SELECT t.* FROM (%s) AS k CROSS JOIN %s AS t WHERE t.%s = k.%[3]s%s", keys, name, key, p.by("t."+quoted(p.column), "t."+quoted(p.number)))
}

// indexed returns the columns that are in the index by which the entries of a list, or if it is nil, all rows, are read.
func (a *Question) indexed(l *list, o order) (columns []string) {
	first := []string{o.column, o.number}
	switch {
	case l == nil:
	case l.links != "":
		first = []string{a.of.At, o.number}
	default:
		first = []string{l.by}
	}
	for _, index := range a.of.Indexes {
		if columns := strings.Split(index, ", "); len(columns) >= len(first) && slices.Equal(columns[:len(first)], first) {
			return columns
		}
	}
	return first
}

// linkedRows returns the SQL of the rows to which entries that are links refer.
func (a *Question) linkedRows(entries string, p plan) string {
	if !p.lead.one {
		entries = "SELECT DISTINCT * FROM (" + entries + ") AS l"
	}
	at, number := quoted(a.of.At), quoted(p.number)
	shown := make([]string, len(p.columns))
	for i, c := range p.columns {
		if shown[i] = "e." + quoted(c); c == a.of.At || c == p.number { // in whose order the entries are
			shown[i] = "l." + quoted(c)
		}
	}
	sorted := ""
	if p.inOrder {
		sorted = p.by("l."+at, "l."+number)
	}
	return fmt.Sprintf("SELECT %s FROM (%s) AS l CROSS JOIN %q AS e WHERE e.%s = l.%[4]s AND e.%s = l.%[5]s%s", strings.Join(shown, ", "), entries, a.of.Name, at, number, sorted)
}

// lead returns the list whose entries a page looks at; nil: it looks at all rows.
func (a *Question) lead(ctx context.Context, q Queryer, o order) (*list, error) {
	var lists []*list
	for _, t := range a.terms {
		switch {
		case t.list == nil || t.bound != nil && t.bound.column == o.column:
		case t.list.leads:
			return t.list, nil
		default:
			lists = append(lists, t.list)
		}
	}
	switch {
	case len(lists) == 0:
		return nil, nil
	case len(lists) == 1 && a.inOrder(lists[0], o):
		return lists[0], nil
	}
	var s statement
	counts := make([]string, len(lists))
	for i, l := range lists {
		entries := a.entries(&s, l, o, []string{a.of.At}, fmt.Sprintf(" LIMIT %d", fewEntries))
		counts[i] = fmt.Sprintf("SELECT %d AS list, count(*) AS entries, %s(e.%q) AS far FROM (%s) AS e", i, o.choose("min", "max"), a.of.At, entries)
	}
	var counted []struct {
		List    int           `db:"list"`
		Entries int           `db:"entries"`
		Far     sql.NullInt64 `db:"far"` // where the last of these entries is
	}
	if err := sqlx.SelectContext(ctx, q, &counted, strings.Join(counts, " UNION ALL "), s.args...); err != nil {
		return nil, err
	}
	var short, sparse *list
	fewest, far := fewEntries, int64(0)
	for _, c := range counted {
		l := lists[c.List]
		if c.Entries < fewest {
			short, fewest = l, c.Entries
		}
		if a.inOrder(l, o) && (sparse == nil || (c.Far.Int64 < far) == o.descending) {
			sparse, far = l, c.Far.Int64
		}
	}
	if short != nil || sparse == nil {
		return short, nil
	}
	s, o.until = statement{}, &far
	var rows int // up to there
	err := sqlx.GetContext(ctx, q, &rows, fmt.Sprintf("SELECT count(*) FROM (%s) AS e", a.entries(&s, nil, o, []string{o.column}, fmt.Sprintf(" LIMIT %d", mostEntries))), s.args...)
	if err != nil || rows < mostEntries {
		return nil, err
	}
	return sparse, nil
}

// unfinished returns the cursor with which to go on after a page that has looked at as many entries as it may, or if it has looked at all,
// nothing.
func (a *Question) unfinished(ctx context.Context, q Queryer, p plan) (next string, err error) {
	if !p.inOrder {
		return "", nil
	}
	var s statement
	last := map[string]any{}
	row := q.QueryRowxContext(ctx, a.entries(&s, p.lead, p.order, []string{p.column, p.number}, fmt.Sprintf(" LIMIT 1 OFFSET %d", p.most-1)), s.args...)
	if err := row.MapScan(last); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return "", err
	}
	return cursorOf(p.question, last[p.column], last[p.number])
}
