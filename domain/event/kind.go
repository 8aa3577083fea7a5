package event

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// A Kind is all that a machine knows of one kind of thing: how its state S folds from its events E, and what a command
// that changes it must see to.
type Kind[S any, E Event] struct {
	Category string // what its streams' names begin with
	Events   Table[E]
	Apply    func(*S, E)
	Exists   func(S) bool
	Unknown  *domain.Error // what a thing that does not exist, or is not seen, is refused with
	Order    Order
	// Subject says whose key seals the words of this stream, given the state after the event. Nil: the thing's own.
	Subject func(S) uuid.UUID
	// Seen says whether somebody sees a thing. Nil: everybody sees all.
	Seen func(S, role.Sight) bool
	// Holds lists the names that no other thing may have while this one exists. Nil: none.
	Holds func(S) []Hold
	// Lapse makes the event by which a claim of this thing that was never used lapses. Every kind with Holds has it.
	Lapse func(reservation uuid.UUID) E
	// Roll keeps one of these things at least as the roll says. Nil: there is none.
	Roll *Roll[S]
}

// Order says when the streams of a kind are written, among those of one piece of work, so that a crash in between leaves
// nothing that a retry, or the next who comes, cannot finish.
type Order int

// The orders.
const (
	InTheMiddle Order = iota // as most things are
	First                    // what others rest on: claims of names
	Late                     // after the things that it names
	Last                     // a record that all the rest was done
)

// A Hold is a name that only one thing may have at a time: an address, a login, the name of a tag.
type Hold struct {
	Space string // whose names these are, with the version of the normaliser: "email/1"
	Name  string // normalised; personal as a rule, so it is never stored but hashed
	Taken string // the sentence for who comes second
}

// A Roll is a stream that lists the things of which something holds that must hold of one at least, such as the desk's
// owners. Two that cease to be so at once write into one stream, so that they come one after the other.
type Roll[S any] struct {
	Category string
	ID       uuid.UUID
	Stands   func(S) bool // whether a thing that exists stands on the roll
	Listed   func(roll any) []uuid.UUID
	Enter    func(thing uuid.UUID) Event
	Strike   func(thing uuid.UUID) Event
	Empty    *domain.Error // what striking the last one is refused with
}

// Stream is the name of a thing's stream.
func (k Kind[S, E]) Stream(id uuid.UUID) string { return k.Category + "-" + id.String() }

// Fold applies events to a state, in their order.
func (k Kind[S, E]) Fold(state S, events ...E) S {
	for _, e := range events {
		k.Apply(&state, e)
	}
	return state
}

// Must refuses a thing that does not exist.
func (k Kind[S, E]) Must(state S) error {
	if !k.Exists(state) {
		return k.Unknown
	}
	return nil
}

// A Noun is a Kind without its types, for machines that work on things of any kind. A state is a value of the kind's S.
type Noun struct {
	Category string
	Types    []string // the stored names of its events
	Order    Order
	Unknown  *domain.Error
	Roll     *Roll[any]

	Nothing any // the state of what never was
	Decode  func(name string, data []byte, id uuid.UUID, keys personal.Keys) (Event, error)
	Apply   func(state any, e Event) any
	Exists  func(state any) bool
	Subject func(state any, id uuid.UUID) uuid.UUID
	Seen    func(state any, sight role.Sight) bool
	Holds   func(state any) []Hold // of what exists
	Lapse   func(reservation uuid.UUID) Event
}

// Stream is the name of a thing's stream.
func (n *Noun) Stream(id uuid.UUID) string { return n.Category + "-" + id.String() }

// Noun returns the kind without its types.
func (k Kind[S, E]) Noun() *Noun {
	var nothing S
	n := &Noun{
		Category: k.Category, Types: k.Events.Names(), Order: k.Order, Unknown: k.Unknown, Nothing: nothing,
		Decode: func(name string, data []byte, id uuid.UUID, keys personal.Keys) (Event, error) {
			return k.Events.Decode(name, data, id, keys)
		},
		Apply:  func(state any, e Event) any { return k.Fold(state.(S), e.(E)) },
		Exists: func(state any) bool { return k.Exists(state.(S)) },
		Subject: func(state any, id uuid.UUID) uuid.UUID {
			if k.Subject == nil {
				return id
			}
			return k.Subject(state.(S))
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

// ParseStream splits a stream's name into its category and the id of its thing.
func ParseStream(stream string) (category string, id uuid.UUID, err error) {
	category, rest, _ := strings.Cut(stream, "-")
	if id, err = uuid.Parse(rest); err != nil {
		return category, id, fmt.Errorf("stream %q does not end in an id: %w", stream, err)
	}
	return category, id, nil
}
