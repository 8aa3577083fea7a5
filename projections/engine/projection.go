package engine

import (
	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Projection folds events into the rows of the tables that it declares. Only it may change them.
type Projection struct {
	Name string
	// Bind declares the tables in a ledger, and returns the function that applies an event to them.
	Bind func(*Ledger) func(*Recorded)
}

// Recorded is an event as projections see it: decoded, decrypted, and immutable.
type Recorded struct {
	Event      event.Event
	EventID    uuid.UUID
	Stream     string    // its name
	Category   string    // of its stream
	ID         uuid.UUID // of its stream: the entity that it happened to
	Revision   eventstore.Revision
	Position   eventstore.Position
	At         table.Instant // when it happened
	RecordedAt table.Instant // when it was recorded in the log
	Meta       event.Metadata
}
