// Package projections posts events to rows. One read model, one file; the engine does the rest.
//
// A projection is a function from an event to changes of typed rows. It holds no SQL, reads no clock and knows no
// database: the same function serves live posting, a rebuild, the desk as of a past instant, the verifier and the tests.
package projections

import (
	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Projection folds events into the rows of the tables that it owns; a table has one owner.
type Projection struct {
	Name    string
	Version int // raised when Apply changes, so that a new program builds its own rows
	Apply   func(*Recorded, *Tables)
}

// Recorded is an event as projections see it: decoded, opened, and immutable.
type Recorded struct {
	Event      event.Event
	EventID    uuid.UUID
	Category   string    // the kind of thing it happened to
	ID         uuid.UUID // the thing
	Revision   eventstore.Revision
	Position   eventstore.Position
	At         table.Instant // when it happened
	RecordedAt table.Instant // when it was written down
	Meta       event.Metadata
}
