package event

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// A Kind is one kind of thing that has a stream: how its state S folds from its events E, and what a command that
// changes it must see to.
type Kind[S any, E Event] struct {
	Category string // what its streams' names begin with
	Events   Table[E]
	Apply    func(*S, E)
	Exists   func(S) bool

	// Subject says whose key seals the words of this stream, given the state after the event. Nil: the thing's own.
	Subject func(S) uuid.UUID
	// Holds lists the names that no other thing may have while this one is as it is. Nil: none.
	Holds func(S) []Hold
	// Lapse makes the event by which a claim of this thing that was never used lapses. Every kind with Holds has it.
	Lapse func(reservation uuid.UUID) E
}

// A Hold is a name that only one thing may have at a time: an address, a login, the name of a tag.
type Hold struct {
	Space string // whose names these are, with the version of the normaliser: "email/1"
	Name  string // normalised; personal as a rule, so it is never stored but hashed
	Taken string // the sentence for who comes second
}

// Stream is the name of a thing's stream.
func (k Kind[S, E]) Stream(id uuid.UUID) string { return k.Category + "-" + id.String() }

// SubjectOf says whose key seals what is written to the stream of id.
func (k Kind[S, E]) SubjectOf(state S, id uuid.UUID) uuid.UUID {
	if k.Subject == nil {
		return id
	}
	return k.Subject(state)
}

// Fold applies events to a state, in their order.
func (k Kind[S, E]) Fold(state S, events ...E) S {
	for _, e := range events {
		k.Apply(&state, e)
	}
	return state
}

// ParseStream splits a stream's name into its category and the id of its thing.
func ParseStream(stream string) (category string, id uuid.UUID, err error) {
	category, rest, _ := strings.Cut(stream, "-")
	if id, err = uuid.Parse(rest); err != nil {
		return category, id, fmt.Errorf("stream %q does not end in an id: %w", stream, err)
	}
	return category, id, nil
}
