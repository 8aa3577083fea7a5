package personal

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// A step leads from a struct to one of its fields that holds texts.
type step struct {
	index int
	name  string // as stored; empty for an embedded struct, whose fields are stored among its own
	steps []step // of a struct, of the struct behind a pointer, of the elements of a slice
}

var (
	textType = reflect.TypeFor[Text]()
	plans    sync.Map // reflect.Type → []step
)

// stepsOf returns the steps to all texts of a type. It computes them once per type.
func stepsOf(t reflect.Type) []step {
	if known, ok := plans.Load(t); ok {
		return known.([]step)
	}
	var steps []step
	for i := range t.NumField() {
		f := t.Field(i)
		elem := f.Type
		if elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := step{index: i, name: name}
		switch {
		case elem == textType:
			steps = append(steps, s)
		case elem.Kind() == reflect.Struct && f.IsExported():
			if s.steps = stepsOf(elem); len(s.steps) > 0 {
				steps = append(steps, s)
			}
		}
	}
	plans.Store(t, steps)
	return steps
}

// longest is the length of a path that needs no second array.
const longest = 48

// visit calls f with every text in the struct that v points to, and the text's path, which is valid until f returns.
func visit(v any, f func(t *Text, path []byte) error) error {
	value := reflect.ValueOf(v).Elem()
	return walk(value, stepsOf(value.Type()), make([]byte, 0, longest), false, f)
}

// Any reports whether the struct v holds a text that is to be sealed: a plain one that is not empty, or one that is forgotten.
func Any(v any) bool {
	value := reflect.ValueOf(v)
	steps := stepsOf(value.Type())
	if len(steps) == 0 {
		return false
	}
	held := reflect.New(value.Type()).Elem()
	held.Set(value)
	found := errors.New("found")
	return walk(held, steps, nil, false, func(t *Text, _ []byte) error {
		if t.form != sealed && !t.Empty() {
			return found
		}
		return nil
	}) != nil
}

// rewrite returns a copy of v that shares no text with it, after calling f with every text of the copy.
func rewrite[T any](v T, f func(t *Text, path []byte) error) (T, error) {
	source := reflect.ValueOf(v)
	steps := stepsOf(source.Type())
	if len(steps) == 0 {
		return v, nil
	}
	target := reflect.New(source.Type()).Elem()
	target.Set(source)
	err := walk(target, steps, make([]byte, 0, longest), true, f)
	return target.Interface().(T), err
}

func walk(v reflect.Value, steps []step, path []byte, unshare bool, f func(*Text, []byte) error) error {
	for _, s := range steps {
		field, path := v.Field(s.index), under(path, s.name)
		switch field.Kind() {
		case reflect.Pointer:
			if field.IsNil() {
				continue
			}
			if unshare {
				own := reflect.New(field.Type().Elem())
				own.Elem().Set(field.Elem())
				field.Set(own)
			}
			if err := one(field.Elem(), s, path, unshare, f); err != nil {
				return err
			}
		case reflect.Slice:
			if unshare {
				own := reflect.MakeSlice(field.Type(), field.Len(), field.Len())
				reflect.Copy(own, field)
				field.Set(own)
			}
			for i := range field.Len() {
				if err := one(field.Index(i), s, under(path, strconv.Itoa(i)), unshare, f); err != nil {
					return err
				}
			}
		default:
			if err := one(field, s, path, unshare, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func one(v reflect.Value, s step, path []byte, unshare bool, f func(*Text, []byte) error) error {
	if v.Type() == textType {
		return f(v.Addr().Interface().(*Text), path)
	}
	return walk(v, s.steps, path, unshare, f)
}

// under appends the name of a part to the path of what holds it. Paths share one array: a path is valid until the next.
func under(path []byte, name string) []byte {
	if name == "" {
		return path
	}
	if len(path) > 0 {
		path = append(path, '/')
	}
	return append(path, name...)
}
