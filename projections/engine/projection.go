package engine

import (
	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Projection folds events into the rows of the tables that it declares. Nothing else may touch them.
type Projection struct {
	Name string
	// Bind declares the tables in a ledger, and returns what an event makes of them.
	Bind func(*Ledger) func(*Recorded)
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
