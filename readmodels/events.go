package readmodels

import (
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// Events says where the events of a thing stand, from which its row was made.
type Events struct {
	First    table.Position `db:"first_position" json:"-" doc:"The position of its first event in the log"`
	Position table.Position `db:"position" json:"position" doc:"The position of its last event in the log. Times go back, as when history is imported, but positions never do: who remembers the highest and asks for what comes after it misses nothing"`
	Revision int64          `db:"revision" json:"-" doc:"The revision of its last event"`
}

// Moved notes the thing's next event.
func (e *Events) Moved(position eventstore.Position, revision eventstore.Revision) {
	if e.First == 0 {
		e.First = table.Position(position)
	}
	e.Position, e.Revision = table.Position(position), int64(revision)
}
