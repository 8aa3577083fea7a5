package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/field"
	"daybook/domain/personal"
)

// newValue reads a value of a custom field for a thing that has some already. It returns nil if the thing has this one.
func newValue(by By, id uuid.UUID, given any, has field.Values) (*field.Value, error) {
	f, err := work.Known(by, field.Stream, id)
	if err != nil {
		return nil, err
	}
	text, err := f.Type.Read(given)
	if err != nil {
		return nil, err
	}
	value := field.Value{Field: id, Type: f.Type, Value: personal.New(text)}
	if had, _ := has.Of(id); had == value {
		return nil, nil
	}
	return &value, nil
}
