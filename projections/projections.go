// Package projections defines how events become the rows that people see: one file per noun, with its tables and what each event
// changes in them. Package engine below it does the rest.
//
// A projection is a function from an event to changes of typed rows. It has no SQL, clock or database: the same function serves
// live updates, a rebuild, the desk as of an earlier time, the verifier and the tests.
package projections

import (
	"slices"
	"strings"
	"time"

	"daybook/domain/search"
	"daybook/domain/text"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// In returns the projections of a desk whose dashboards read days in a time zone.
func In(zone *time.Location) []engine.Projection {
	return []engine.Projection{
		Departments, Tags, Groups, Fields, Agents, Contacts, ContactNotes, Companies, Tickets, TicketHistory, AgentReports(zone), Operations, Trail,
	}
}

// All lists the projections, with days in UTC.
var All = In(time.UTC)

// begun is where a thing begins in the log.
func begun(e *engine.Recorded) (at readmodels.Events) {
	at.Moved(e.Position, e.Revision)
	return at
}

// sought is what a thing is sought and sorted by: its name, and the words by which it is found beside that.
func sought(name string, others ...[]string) readmodels.Sought {
	return readmodels.Sought{NameKey: text.Order(name), Search: search.Joined(search.Words(append(others, search.Text(name))...))}
}

// wordsOf returns the words by which something is found.
func wordsOf(search string) []string { return strings.Fields(search) }

// wordsBy returns the words by which texts of one kind are found.
func wordsBy(words func(string) []string, texts []string) (all []string) {
	for _, t := range texts {
		all = append(all, words(t)...)
	}
	return all
}

// each returns what the items of a list come to, each once.
func each[T any, D comparable](list []T, to func(T) D) (all []D) {
	for _, item := range list {
		if d := to(item); !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// with returns a list with one more item. It leaves the given list as it is, because other rows may share it.
func with[L ~[]T, T any](list L, item T) L { return append(slices.Clone(list), item) }

// without returns a list without an item.
func without[L ~[]T, T comparable](list L, item T) L {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return t == item })
}
