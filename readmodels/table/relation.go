package table

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/uuid"
)

// A Relation is a Table as a database sees it. Its row struct is analysed once, so that rows are written and read without
// inspecting types again.
type Relation struct {
	Table
	Columns []Column
	Key     []int // indexes of the key's columns
}

// A Column is one field of a row.
type Column struct {
	Name     string
	Kind     Kind
	Key      bool
	Nullable bool
	Doc      string // its meaning, from the field's doc tag

	index  []int
	encode func(field reflect.Value) (driver.Value, error)
	decode func(field reflect.Value, value driver.Value) error
}

// A Kind is what a column holds. Each database has its own type for it.
type Kind int

// The kinds of columns.
const (
	Text    Kind = iota // strings, ids, and lists as JSON
	Integer             // 64 bits: numbers and positions
	Moment              // 64 bits: an instant in microseconds
	Day                 // text: a date, such as 2026-01-05
	Real
	Boolean
	Bytes // packed facts
)

// Relate analyses a table's row struct. Every field needs a db tag or must be an embedded struct whose fields have one; at least
// one column is part of the key. A Ref, an Instant and a pointer can be null; nothing else is, and no column of the key.
func Relate(t Table) (*Relation, error) {
	r := &Relation{Table: t}
	row := reflect.TypeOf(t.Row)
	if row == nil || row.Kind() != reflect.Struct {
		return nil, fmt.Errorf("table %s has no row struct", t.Name)
	}
	if err := r.add(row, nil); err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, err)
	}
	if t.Facts != nil {
		r.Columns = append(r.Columns,
			Column{Name: "part", Kind: Integer, Key: true, Doc: "0 for the newest facts; earlier ones are in parts 1, 2, … as soon as they are too many"},
			Column{Name: "facts", Kind: Bytes, Doc: "The facts, packed; the program reads them"})
	}
	for i, c := range r.Columns {
		if c.Key {
			r.Key = append(r.Key, i)
		}
	}
	if len(r.Key) == 0 {
		return nil, fmt.Errorf("table %s has no key: no column is tagged %q", t.Name, "name,key")
	}
	return r, nil
}

// add adds the fields of a struct that is at an index of the row.
func (r *Relation) add(t reflect.Type, at []int) error {
	for i := range t.NumField() {
		field := t.Field(i)
		index := append(at[:len(at):len(at)], i)
		tag, tagged := field.Tag.Lookup("db")
		if !tagged && field.Anonymous && field.Type.Kind() == reflect.Struct {
			if err := r.add(field.Type, index); err != nil {
				return err
			}
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if name == "" || !field.IsExported() || option != "" && option != "key" {
			return fmt.Errorf("field %s needs a db tag such as %q or %q", field.Name, "name", "name,key")
		}
		c := Column{Name: name, Key: option == "key", Doc: field.Tag.Get("doc"), index: index}
		if err := c.convert(field.Type); err != nil {
			return fmt.Errorf("field %s: %w", field.Name, err)
		}
		r.Columns = append(r.Columns, c)
	}
	return nil
}

// Encode fills values with a row's columns. The row must be addressable; values must have room for all columns.
func (r *Relation) Encode(row reflect.Value, values []driver.Value) error {
	for i := range r.Columns {
		if err := r.encode(i, row, &values[i]); err != nil {
			return err
		}
	}
	return nil
}

// EncodeKey fills values with the columns of a row's key; of a pack's, without the part.
func (r *Relation) EncodeKey(row reflect.Value, values []driver.Value) error {
	for i, column := range r.Key {
		if r.Columns[column].encode == nil {
			break
		}
		if err := r.encode(column, row, &values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Relation) encode(column int, row reflect.Value, value *driver.Value) (err error) {
	c := &r.Columns[column]
	if *value, err = c.encode(row.FieldByIndex(c.index)); err != nil {
		return fmt.Errorf("column %s of %s: %w", c.Name, r.Name, err)
	}
	return nil
}

// Decode fills a row from its columns; of a pack, the key without the part.
func (r *Relation) Decode(values []driver.Value, row reflect.Value) error {
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.decode == nil {
			break
		}
		if err := c.decode(row.FieldByIndex(c.index), values[i]); err != nil {
			return NewDamage("column %s of %s: %w", c.Name, r.Name, err)
		}
	}
	return nil
}

// KeyField returns the index of the one field of type k that is the whole key: its only column, or an embedded struct.
func (r *Relation) KeyField(k reflect.Type) ([]int, error) {
	index := r.Columns[r.Key[0]].index
	if len(r.Key) > 1 {
		index = index[:len(index)-1]
	}
	if len(index) > 0 {
		field := reflect.TypeOf(r.Row).FieldByIndex(index)
		if field.Type == k && field.IsExported() && (len(r.Key) == 1 || k.NumField() == len(r.Key)) {
			return index, nil
		}
	}
	return nil, fmt.Errorf("the key of table %s is not one exported field of type %s; embed a struct that holds all of it", r.Name, k)
}

// Numbers returns the columns that are not of the key, as fields of the row. All must be 64-bit integers, which can be added up exactly.
func (r *Relation) Numbers() (fields [][]int, err error) {
	for _, c := range r.Columns {
		if c.Key {
			continue
		}
		if t := reflect.TypeOf(r.Row).FieldByIndex(c.index).Type; t.Kind() != reflect.Int64 {
			return nil, fmt.Errorf("column %s of %s is a %s, which cannot be added up exactly", c.Name, r.Name, t)
		}
		fields = append(fields, c.index)
	}
	return fields, nil
}

var (
	uuidType    = reflect.TypeFor[uuid.UUID]()
	refType     = reflect.TypeFor[Ref]()
	instantType = reflect.TypeFor[Instant]()
	dateType    = reflect.TypeFor[Date]()
	secondsType = reflect.TypeFor[Seconds]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	scannerType = reflect.TypeFor[sql.Scanner]()
)

// convert decides how a field of type t is stored. The most frequent types come first because a rebuild spends its time here.
func (c *Column) convert(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		return c.convertPointer(t.Elem())
	}
	switch {
	case t == uuidType:
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Addr().Interface().(*uuid.UUID).String(), nil }
	case t == refType && c.Key:
		c.encode = func(f reflect.Value) (driver.Value, error) {
			return uuid.UUID(*f.Addr().Interface().(*Ref)).String(), nil
		}
	case t == refType:
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Addr().Interface().(*Ref).Value() }
	case t == instantType && c.Key:
		c.Kind = Moment
		c.encode = func(f reflect.Value) (driver.Value, error) { return Instant(f.Int()).Stored(), nil }
	case t == instantType:
		c.Kind = Moment
		c.encode = func(f reflect.Value) (driver.Value, error) { return Instant(f.Int()).Value() }
	case t == dateType:
		c.Kind = Day
	case t == secondsType:
		c.Kind = Real
	case t.Implements(valuerType):
	default:
		return c.convertKind(t)
	}
	if !reflect.PointerTo(t).Implements(scannerType) {
		return fmt.Errorf("a %s can be written but not read back: it has no Scan", t)
	}
	if c.encode == nil {
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Addr().Interface().(driver.Valuer).Value() }
	}
	c.decode = func(f reflect.Value, v driver.Value) error { return f.Addr().Interface().(sql.Scanner).Scan(v) }
	c.Nullable = !c.Key && (t == refType || t == instantType)
	return nil
}

// convertKind is for fields of Go's basic kinds, whatever their types are named.
func (c *Column) convertKind(t reflect.Type) error {
	switch t.Kind() {
	case reflect.String:
		c.Kind = Text
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.String(), nil }
		c.decode = decode(reflect.Value.SetString)
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		c.Kind = Integer
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Int(), nil }
		c.decode = decode(reflect.Value.SetInt)
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		c.Kind = Integer
		c.encode = func(f reflect.Value) (driver.Value, error) { return int64(f.Uint()), nil }
		c.decode = decode(func(f reflect.Value, v int64) { f.SetUint(uint64(v)) })
	case reflect.Float64, reflect.Float32:
		c.Kind = Real
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Float(), nil }
		c.decode = decode(reflect.Value.SetFloat)
	case reflect.Bool:
		c.Kind = Boolean
		c.encode = func(f reflect.Value) (driver.Value, error) { return f.Bool(), nil }
		c.decode = func(f reflect.Value, v driver.Value) error {
			if n, ok := v.(int64); ok { // SQLite has no booleans
				v = n != 0
			}
			return decode(reflect.Value.SetBool)(f, v)
		}
	default:
		return fmt.Errorf("a %s cannot be a column", t)
	}
	return nil
}

func (c *Column) convertPointer(t reflect.Type) error {
	if c.Key {
		return fmt.Errorf("a column of the key cannot be null, so it cannot be a pointer")
	}
	if err := c.convert(t); err != nil {
		return err
	}
	encode, decode := c.encode, c.decode
	c.Nullable = true
	c.encode = func(f reflect.Value) (driver.Value, error) {
		if f.IsNil() {
			return nil, nil
		}
		return encode(f.Elem())
	}
	c.decode = func(f reflect.Value, v driver.Value) error {
		if v == nil {
			f.SetZero()
			return nil
		}
		f.Set(reflect.New(t))
		return decode(f.Elem(), v)
	}
	return nil
}

// decode returns a decoder that sets fields of one kind.
func decode[V any](set func(reflect.Value, V)) func(reflect.Value, driver.Value) error {
	return func(f reflect.Value, value driver.Value) error {
		v, ok := value.(V)
		if !ok {
			return fmt.Errorf("a %s cannot hold the %T that is stored", f.Type(), value)
		}
		set(f, v)
		return nil
	}
}
