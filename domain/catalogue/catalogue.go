// Package catalogue lists every kind of thing on the desk, and with them every type of event that was ever stored.
package catalogue

import (
	"fmt"
	"maps"
	"slices"

	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/group"
	"daybook/domain/key"
	"daybook/domain/operation"
	"daybook/domain/personal"
	"daybook/domain/reservation"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// Kinds lists the kinds of things, for code that works on any of them.
var Kinds = []*event.Noun{
	agent.Stream.Noun(),
	company.Stream.Noun(),
	contact.Stream.Noun(),
	department.Stream.Noun(),
	desk.ImportStream.Noun(),
	desk.LogStream.Noun(),
	desk.OwnersStream.Noun(),
	field.Stream.Noun(),
	group.Stream.Noun(),
	key.Stream.Noun(),
	operation.Stream.Noun(),
	reservation.Stream.Noun(),
	tag.Stream.Noun(),
	ticket.Stream.Noun(),
}

var (
	byCategory = make(map[string]*event.Noun)
	byType     = make(map[string]*event.Noun)
)

func init() {
	for _, kind := range Kinds {
		if byCategory[kind.Category] != nil {
			panic("two kinds have the category " + kind.Category)
		}
		byCategory[kind.Category] = kind
		for _, name := range kind.Types {
			if byType[name] != nil {
				panic("two event types are named " + name)
			}
			byType[name] = kind
		}
	}
}

// Kind returns the kind of a category. It panics if there is none: the categories are fixed in the program.
func Kind(category string) *event.Noun {
	kind := byCategory[category]
	if kind == nil {
		panic("there is no kind of category " + category)
	}
	return kind
}

// Has reports whether there is a kind of a category.
func Has(category string) bool { return byCategory[category] != nil }

// Of returns the kind that has events of a type; nil if none has.
func Of(eventType string) *event.Noun { return byType[eventType] }

// Types returns the stored names of all events, sorted.
func Types() []string { return slices.Sorted(maps.Keys(byType)) }

// Decode decodes an event of any kind. It returns event.ErrUnknown if no kind has an event of this type.
func Decode(at personal.Place, data []byte, keys personal.Keys) (event.Event, error) {
	kind, ok := byType[at.Type]
	if !ok {
		return nil, fmt.Errorf("%w %q", event.ErrUnknown, at.Type)
	}
	return kind.Decode(at, data, keys)
}
