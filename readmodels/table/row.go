package table

import (
	"errors"

	"github.com/google/uuid"

	"daybook/eventstore"
)

// A Snapshot is an entity's row as of a revision of its stream, folded from that stream alone.
type Snapshot struct {
	Row      any // such as a Contact
	Revision eventstore.Revision
	Position eventstore.Position
	Event    uuid.UUID // the last one
}

// ErrNoRow is returned if the entity does not exist, or did not exist yet.
var ErrNoRow = errors.New("it does not exist")
