// Package projections defines how events become the rows that people see: one file per noun, with its tables and what each event
// changes in them. Package engine below it does the rest.
//
// A projection is a function from an event to changes of typed rows. It has no SQL, clock or database: the same function serves
// live updates, a rebuild, the desk as of an earlier time, the verifier and the tests.
package projections

import (
	"slices"

	"daybook/projections/engine"
	"daybook/readmodels"
)

// All lists the projections.
var All = []engine.Projection{
	Departments, Tags, Groups, Agents, Contacts, Companies, ContactTimeline, Tickets, TicketHistory, AgentActivity, AgentPresence, Operations, Trail,
}

// begun is where a thing begins in the log.
func begun(e *engine.Recorded) (at readmodels.Events) {
	at.Moved(e.Position, e.Revision)
	return at
}

// with returns a list with one more item. It leaves the given list as it is, because other rows may share it.
func with[L ~[]T, T any](list L, item T) L { return append(slices.Clone(list), item) }

// without returns a list without an item.
func without[L ~[]T, T comparable](list L, item T) L {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return t == item })
}
