package event

import (
	"iter"
	"reflect"
	"strings"

	"daybook/domain/personal"
)

// Fields yields an event's fields by their stored names, without the empty ones. Personal texts come as plain strings.
// Hashes, and what else has the tag show:"-", are left out: show them only to callers who may see them, and never store them.
func Fields(e Event) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) { fields(reflect.ValueOf(e), yield) }
}

func fields(v reflect.Value, yield func(string, any) bool) bool {
	for i := range v.NumField() {
		field, about := v.Field(i), v.Type().Field(i)
		if text, hashed := field.Interface().(personal.Hashed); hashed && about.Anonymous {
			if !yield("value", text.Value.String()) {
				return false
			}
			continue
		}
		if about.Anonymous {
			if !fields(field, yield) {
				return false
			}
			continue
		}
		name, option, _ := strings.Cut(about.Tag.Get("json"), ",")
		if about.Tag.Get("show") == "-" {
			continue
		}
		if field.IsZero() && (field.Kind() != reflect.Bool || option != "") || field.Kind() == reflect.Slice && field.Len() == 0 {
			continue
		}
		if !yield(name, shown(field)) {
			return false
		}
	}
	return true
}

// shown returns a value for display: texts are plain, structs are objects.
func shown(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case personal.Text:
		return value.String()
	case personal.Hashed:
		return value.Value.String()
	case interface{ MarshalText() ([]byte, error) }:
		return value
	}
	switch v.Kind() {
	case reflect.Pointer:
		return shown(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = shown(v.Index(i))
		}
		return list
	case reflect.Struct:
		object := make(map[string]any)
		fields(v, func(name string, value any) bool { object[name] = value; return true })
		return object
	}
	return v.Interface()
}
