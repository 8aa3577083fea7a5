package table

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain"
)

// A Page selects a part of a list.
type Page struct {
	Limit  int    // at most MaxPage; 0 is DefaultPage
	Cursor string // the Next of the page before; empty: the first page. It may contain a person's name
	Sort   string // a column that the list can be sorted by, with "-" in front for descending; empty: the list's own order
}

// DefaultPage and MaxPage are the default and the greatest number of rows in a page.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Found is one page of a list.
type Found[R any] struct {
	Rows []R
	Next string // the cursor of the next page, or empty

	question, sort string
}

// Cut makes the first n rows a page of their own. n is at least 1.
func (f *Found[R]) Cut(n int) (err error) {
	f.Rows = f.Rows[:n]
	f.Next, err = shapeOf(reflect.TypeFor[R]()).cursor(f.question, f.sort, reflect.ValueOf(&f.Rows[n-1]).Elem())
	return err
}

// One returns the row with an id; found is false if there is none.
func One[R any](ctx context.Context, q Queryer, t Table, id uuid.UUID) (row R, found bool, err error) {
	err = sqlx.GetContext(ctx, q, &row, fmt.Sprintf(`SELECT * FROM %q WHERE %q = $1`, t.Name, keyColumn(t)), id.String())
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// Has reports whether a table has a row with an id.
func Has(ctx context.Context, q Queryer, t Table, id uuid.UUID) (there bool, err error) {
	err = sqlx.GetContext(ctx, q, &there, fmt.Sprintf(`SELECT count(*) > 0 FROM %q WHERE %q = $1`, t.Name, keyColumn(t)), id.String())
	return there, err
}

// Many returns the rows with some ids, by id. Ids without a row are left out.
func Many[R any](ctx context.Context, q Queryer, t Table, ids []uuid.UUID, key func(R) uuid.UUID) (map[uuid.UUID]R, error) {
	found := make(map[uuid.UUID]R, len(ids))
	for chunk := range slices.Chunk(ids, 500) {
		var w Where
		places := make([]string, len(chunk))
		for i, id := range chunk {
			places[i] = w.Arg(id.String())
		}
		var rows []R
		err := sqlx.SelectContext(ctx, q, &rows, fmt.Sprintf(`SELECT * FROM %q WHERE %q IN (%s)`, t.Name, keyColumn(t), strings.Join(places, ", ")), w.Args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[key(r)] = r
		}
	}
	return found, nil
}

// IDs returns a page of ids in ascending order, those after the given one; empty: from the first.
func IDs(ctx context.Context, q Queryer, t Table, w Where, after string, limit int) (ids []uuid.UUID, err error) {
	key := keyColumn(t)
	if after != "" {
		w.And(fmt.Sprintf("%q > %%s", key), after)
	}
	err = sqlx.SelectContext(ctx, q, &ids, fmt.Sprintf(`SELECT %q FROM %q WHERE %s ORDER BY %q LIMIT %d`, key, t.Name, w.String(), key, limit), w.Args...)
	return ids, err
}

// Count counts the rows that match.
func Count(ctx context.Context, q Queryer, t Table, w Where) (n int, err error) {
	err = sqlx.GetContext(ctx, q, &n, fmt.Sprintf(`SELECT count(*) FROM %q WHERE %s`, t.Name, w.String()), w.Args...)
	return n, err
}

// keyColumn is the first column of a table's key.
func keyColumn(t Table) string {
	if key := shapeOf(reflect.TypeOf(t.Row)).key; key != "" {
		return key
	}
	panic("table " + t.Name + " has no key")
}

// Where collects the conditions of a query. The placeholders $1, $2 … mean the same in SQLite and PostgreSQL.
type Where struct {
	clauses []string
	Args    []any
}

// Arg adds an argument and returns its placeholder.
func (w *Where) Arg(arg any) string {
	w.Args = append(w.Args, arg)
	return fmt.Sprintf("$%d", len(w.Args))
}

// And adds a clause in which each %s stands for an argument.
func (w *Where) And(clause string, args ...any) {
	places := make([]any, len(args))
	for i, a := range args {
		places[i] = w.Arg(a)
	}
	w.clauses = append(w.clauses, fmt.Sprintf(clause, places...))
}

// Say adds a clause as it is.
func (w *Where) Say(clause string) { w.clauses = append(w.clauses, clause) }

// Is requires a column to have a value, unless the value is empty.
func (w *Where) Is(column, value string) {
	if value != "" {
		w.And(column+" = %s", value)
	}
}

// IsID requires a column to have an id, unless none is given. The nil id is an id that nothing has.
func (w *Where) IsID(column string, id *uuid.UUID) {
	if id != nil {
		w.And(column+" = %s", id.String())
	}
}

// Lists requires a list column to contain an id, unless none is given.
func (w *Where) Lists(column string, id *uuid.UUID) {
	if id != nil {
		w.And(column+` LIKE %s`, `%"`+id.String()+`"%`)
	}
}

// OneOf requires a column to have one of some values, unless there are none.
func OneOf[T ~string](w *Where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = w.Arg(string(v))
	}
	w.clauses = append(w.clauses, column+" IN ("+strings.Join(places, ", ")+")")
}

func (w *Where) String() string {
	if len(w.clauses) == 0 {
		return "TRUE"
	}
	return strings.Join(w.clauses, " AND ")
}

// ErrCursor is returned for a cursor that does not belong to the query.
var ErrCursor = domain.Invalid("cursor", "cursor-malformed", "cursor must be the next of an answer to the same query. Start again without it.")

// A cursor is where a page's last row stands. It belongs to one query.
type cursor struct {
	Question string          `json:"q"`
	Value    json.RawMessage `json:"v"`
	Key      json.RawMessage `json:"k"`
}

// MaxPageBytes is how many bytes of text a page of more than one row may have. A client that does not read its page costs about as much.
const MaxPageBytes = 256 << 10

// A shape says what queries need of a type of rows.
type shape struct {
	columns map[string][]int // the fields, by their column
	key     string           // the first column of the key
	order   string           // the column by which the log orders rows: the position of the first event, or else the key
	texts   [][]int          // the fields that can be long
}

var shapes sync.Map // by reflect.Type

func shapeOf(row reflect.Type) *shape {
	if known, ok := shapes.Load(row); ok {
		return known.(*shape)
	}
	s := &shape{columns: map[string][]int{}}
	for _, f := range reflect.VisibleFields(row) {
		name, option, _ := strings.Cut(f.Tag.Get("db"), ",")
		if name == "" {
			continue
		}
		if option == "key" && s.key == "" {
			s.key = name
		}
		s.columns[name] = f.Index
		if k := f.Type.Kind(); k == reflect.String || k == reflect.Slice {
			s.texts = append(s.texts, f.Index)
		}
	}
	s.order = s.key
	if _, has := s.columns[FirstPosition]; has {
		s.order = FirstPosition
	}
	shapes.Store(row, s)
	return s
}

// FirstPosition is the column of the position of a thing's first event.
const FirstPosition = "first_position"

// size returns about how many bytes of text a row has.
func (s *shape) size(row reflect.Value) (n int) {
	for _, i := range s.texts {
		switch f := row.FieldByIndex(i); {
		case f.Kind() == reflect.String || f.Len() == 0:
			n += f.Len()
		case f.Type().Elem() == uuidType:
			n += f.Len() * len(uuid.Nil.String())
		default:
			if list, err := f.Interface().(driver.Valuer).Value(); err == nil {
				n += len(list.(string))
			}
		}
	}
	return n
}

// cursor returns the cursor of the page after a row.
func (s *shape) cursor(question, sort string, last reflect.Value) (string, error) {
	value, err := s.encoded(sort, last)
	if err != nil {
		return "", err
	}
	number, err := s.encoded(s.order, last)
	if err != nil {
		return "", err
	}
	return cursorOf(question, value, number)
}

// cursorOf returns the cursor of the page after a row with a value and a number.
func cursorOf(question string, value, number any) (string, error) {
	text, err := json.Marshal(map[string]any{"q": question, "v": value, "k": number})
	return string(text), err
}

// encoded returns what a column of a row holds in the database.
func (s *shape) encoded(column string, row reflect.Value) (driver.Value, error) {
	return driver.DefaultParameterConverter.ConvertValue(row.FieldByIndex(s.columns[column]).Interface())
}

func readCursor(text, question string) (value, key any, err error) {
	var c cursor
	if err = json.Unmarshal([]byte(text), &c); err == nil {
		value, err = plainValue(c.Value)
	}
	if err == nil {
		key, err = plainValue(c.Key)
	}
	if err != nil || c.Question != question {
		return nil, nil, ErrCursor
	}
	return value, key, nil
}

func plainValue(data json.RawMessage) (any, error) {
	var n int64
	if err := json.Unmarshal(data, &n); err == nil {
		return n, nil
	}
	var s string
	err := json.Unmarshal(data, &s)
	return s, err
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
