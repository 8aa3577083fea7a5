package table

import (
	"errors"

	"daybook/eventstore"
)

// A Snapshot is the row of one thing as its own stream makes it, of the events up to a revision.
type Snapshot struct {
	Row      any // such as a Contact
	Revision eventstore.Revision
	Position eventstore.Position
}

// ErrNoRow says that there is no such thing, or was none yet.
var ErrNoRow = errors.New("there is no such thing")
