package event

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// A Kind is everything that the generic packages (commands/work, projections/engine) know about one kind of thing: how
// its state S folds from its events E, and what must hold when a command changes it.
type Kind[S any, E Event] struct {
	Category string // the first part of its streams' names
	Events   Table[E]
	Apply    func(*S, E)
	Exists   func(S) bool
	Unknown  *domain.Error // the refusal for a thing that does not exist, or that the caller may not see
	// Deleted reports whether the thing was deleted. It does not exist then, but can still be read. Gone is the refusal to
	// change it, or to use it for something new. Nil: such things are not deleted.
	Deleted func(S) bool
	Gone    *domain.Error
	Order   Order
	// Subject returns whose key seals the personal texts of this stream, given the state after the event. Nil, or uuid.Nil:
	// the thing's own. An event that is Owned says so itself.
	Subject func(S) uuid.UUID
	// Keyless says that these streams hold no text about anybody, nor a reason: they have no key.
	Keyless bool
	// Seen reports whether a caller with this sight sees the thing. Nil: everybody does.
	Seen func(S, role.Sight) bool
	// Holds lists the names that no other thing may have while this one exists. Nil: none.
	Holds func(S) []Hold
	// Lapse returns the event by which an unused claim of this thing lapses. Every kind with Holds has it.
	Lapse func(reservation uuid.UUID) E
	// Roll keeps at least one of these things on a list, such as the desk's owners. Nil: no such rule.
	Roll *Roll[S]
}

// Order says when the streams of a kind are written, among those of one piece of work. It is chosen so that after a crash
// in between, a retry or the next caller can finish the rest.
type Order int

// The orders.
const (
	InTheMiddle Order = iota // most things
	First                    // before everything that depends on it, such as claims of names
	Late                     // after the things that it refers to
	Last                     // a record that all the rest is done
)

// A Hold is a name that only one thing may have at a time: an address, a login, the name of a tag.
type Hold struct {
	ID    uuid.UUID // the keyed hash of the normalised name, by which it is claimed
	Taken string    // the message for a caller who wants a name that is taken
}

// A Roll is a stream that lists the things of a kind of which at least one must remain, such as the desk's owners. Two
// things that leave the roll at once write to the same stream, so that one comes after the other.
type Roll[S any] struct {
	Category string
	ID       uuid.UUID
	Stands   func(S) bool // whether a thing that exists belongs on the roll
	Listed   func(roll any) []uuid.UUID
	Enter    func(thing uuid.UUID) Event
	Strike   func(thing uuid.UUID) Event
	Empty    *domain.Error // the refusal for striking the last one
}

// Stream returns the name of a thing's stream.
func (k Kind[S, E]) Stream(id uuid.UUID) string { return k.Category + "-" + id.String() }

// Fold applies events to a state, in order.
func (k Kind[S, E]) Fold(state S, events ...E) S {
	for _, e := range events {
		k.Apply(&state, e)
	}
	return state
}

// Must returns Unknown if there never was such a thing, and Gone if it was deleted.
func (k Kind[S, E]) Must(state S) error {
	switch {
	case k.Exists(state):
		return nil
	case k.Deleted != nil && k.Deleted(state):
		return k.Gone
	}
	return k.Unknown
}

// A Noun is a Kind without its type parameters, for code that works on any kind. A state is a value of the kind's S.
type Noun struct {
	Category string
	Types    []string // the stored names of its events
	Order    Order
	Unknown  *domain.Error
	Keyless  bool
	Roll     *Roll[any]

	Nothing any // the state of a thing that was never created
	Decode  func(at personal.Place, data []byte, keys personal.Keys) (Event, error)
	Apply   func(state any, e Event) any
	Exists  func(state any) bool
	Subject func(state any, id uuid.UUID, e Event) uuid.UUID // whose key seals an event; state is the one after it
	Seen    func(state any, sight role.Sight) bool
	Holds   func(state any) []Hold // none if the thing does not exist
	Lapse   func(reservation uuid.UUID) Event
}

// Stream returns the name of a thing's stream.
func (n *Noun) Stream(id uuid.UUID) string { return n.Category + "-" + id.String() }

// Noun returns the kind without its type parameters.
func (k Kind[S, E]) Noun() *Noun {
	var nothing S
	n := &Noun{
		Category: k.Category, Types: k.Events.Names(), Order: k.Order, Unknown: k.Unknown, Keyless: k.Keyless, Nothing: nothing,
		Decode: func(at personal.Place, data []byte, keys personal.Keys) (Event, error) {
			return k.Events.Decode(at, data, keys)
		},
		Apply:  func(state any, e Event) any { return k.Fold(state.(S), e.(E)) },
		Exists: func(state any) bool { return k.Exists(state.(S)) },
		Subject: func(state any, id uuid.UUID, e Event) uuid.UUID {
			if owned, ok := e.(Owned); ok {
				return owned.Owner()
			}
			if k.Subject == nil {
				return id
			}
			return cmp.Or(k.Subject(state.(S)), id)
		},
		Seen: func(state any, sight role.Sight) bool { return k.Seen == nil || k.Seen(state.(S), sight) },
		Holds: func(state any) []Hold {
			if k.Holds == nil || !k.Exists(state.(S)) {
				return nil
			}
			return k.Holds(state.(S))
		},
		Lapse: func(reservation uuid.UUID) Event { return k.Lapse(reservation) },
	}
	if r := k.Roll; r != nil {
		n.Roll = &Roll[any]{
			Category: r.Category, ID: r.ID, Listed: r.Listed, Enter: r.Enter, Strike: r.Strike, Empty: r.Empty,
			Stands: func(state any) bool { return k.Exists(state.(S)) && r.Stands(state.(S)) },
		}
	}
	return n
}

// ParseStream splits a stream's name into its category and the id of its thing. It returns an error if the name does not
// end in an id.
func ParseStream(stream string) (category string, id uuid.UUID, err error) {
	category, rest, _ := strings.Cut(stream, "-")
	if id, err = domain.ParseID(rest); err != nil {
		return category, id, fmt.Errorf("stream %q does not end in an id: %w", stream, err)
	}
	return category, id, nil
}
