// Package catalogue lists every kind of thing on the desk, and so every type of event that was ever written.
package catalogue

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/operation"
	"daybook/domain/personal"
	"daybook/domain/reservation"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// Kinds are the kinds of things, for machines that work on any.
var Kinds = []*event.Noun{
	agent.Stream.Noun(),
	company.Stream.Noun(),
	contact.Stream.Noun(),
	department.Stream.Noun(),
	desk.ImportStream.Noun(),
	desk.OwnersStream.Noun(),
	group.Stream.Noun(),
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

// Kind returns the kind of a category. Which categories there are is fixed in the program: another is a mistake in it.
func Kind(category string) *event.Noun {
	kind := byCategory[category]
	if kind == nil {
		panic("there is no kind of category " + category)
	}
	return kind
}

// Types lists the stored names of events, sorted.
func Types() []string { return slices.Sorted(maps.Keys(byType)) }

// Decode reads any event back.
func Decode(name string, data []byte, id uuid.UUID, keys personal.Keys) (event.Event, error) {
	kind, ok := byType[name]
	if !ok {
		return nil, fmt.Errorf("%w %q", event.ErrUnknown, name)
	}
	return kind.Decode(name, data, id, keys)
}
