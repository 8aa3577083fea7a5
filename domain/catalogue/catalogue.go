// Package catalogue lists every type of event that was ever written, and reads any of them back.
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
	"daybook/domain/personal"
	"daybook/domain/reservation"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

type decoder func(name string, data []byte, id uuid.UUID, keys personal.Keys) (event.Event, error)

var decoders = all()

func all() map[string]decoder {
	m := make(map[string]decoder)
	add(m, agent.Events)
	add(m, company.Events)
	add(m, contact.Events)
	add(m, department.Events)
	add(m, desk.ImportEvents)
	add(m, desk.OwnersEvents)
	add(m, group.Events)
	add(m, reservation.Events)
	add(m, tag.Events)
	add(m, ticket.Events)
	return m
}

func add[E event.Event](m map[string]decoder, table event.Table[E]) {
	for name := range table {
		if m[name] != nil {
			panic("two event types are named " + name)
		}
		m[name] = func(name string, data []byte, id uuid.UUID, keys personal.Keys) (event.Event, error) {
			return table.Decode(name, data, id, keys)
		}
	}
}

// Types lists the stored names, sorted.
func Types() []string { return slices.Sorted(maps.Keys(decoders)) }

// Decode reads any event back.
func Decode(name string, data []byte, id uuid.UUID, keys personal.Keys) (event.Event, error) {
	decode, ok := decoders[name]
	if !ok {
		return nil, fmt.Errorf("%w %q", event.ErrUnknown, name)
	}
	return decode(name, data, id, keys)
}
