package desk

import (
	"iter"

	"github.com/google/uuid"

	"daybook/domain/event"
)

// Import records which lines of one source's journal were imported, and with what result.
type Import struct{}

// ImportStream is the kind of a source's stream.
var ImportStream = event.Kind[Import, ImportEvent]{
	Category: "import",
	Events:   ImportEvents,
	Apply:    func(i *Import, e ImportEvent) { e.apply(i) },
	Exists:   func(Import) bool { return true },
	Order:    event.Last,
	Keyless:  true,
}

// ImportEvent is what happens to an import.
type ImportEvent interface {
	event.Event
	apply(*Import)
}

// ImportEvents decodes an import's events.
var ImportEvents = event.NewTable(event.TypeOf(func(e LinesPlayed) ImportEvent { return e }))

// LinesPlayed: a batch of lines was imported. Each line's request, a keyed hash of the source and the line's id, is listed
// under the line's result. A line that is imported again is listed in a later batch.
type LinesPlayed struct {
	Source    string      `json:"source"`
	Accepted  []uuid.UUID `json:"accepted,omitempty"`
	Unchanged []uuid.UUID `json:"unchanged,omitempty"`
	Rejected  []uuid.UUID `json:"rejected,omitempty"`
	Malformed []uuid.UUID `json:"malformed,omitempty"`

	// Refused says what was rejected or malformed, and why, by the lines' requests. It leaves out what was refused for who imported it.
	Refused map[uuid.UUID]RefusedLine `json:"refused,omitempty"`
}

// A RefusedLine says what was refused, and why.
type RefusedLine struct {
	Text uuid.UUID `json:"text"` // a keyed hash of its text
	Code string    `json:"code"`
}

// NoteRefused lists a line that was refused under its result, and what was refused.
func (e *LinesPlayed) NoteRefused(line uuid.UUID, r Result, what RefusedLine) {
	e.Note(line, r)
	if e.Refused == nil {
		e.Refused = make(map[uuid.UUID]RefusedLine)
	}
	e.Refused[line] = what
}

// Note lists a line under its result. A duplicate is left out, since an earlier batch lists it.
func (e *LinesPlayed) Note(line uuid.UUID, r Result) {
	for _, list := range e.lists() {
		if list.result == r {
			*list.ids = append(*list.ids, line)
		}
	}
}

// Each yields the request of each line with its result.
func (e LinesPlayed) Each() iter.Seq2[uuid.UUID, Result] {
	return func(yield func(uuid.UUID, Result) bool) {
		for _, list := range e.lists() {
			for _, id := range *list.ids {
				if !yield(id, list.result) {
					return
				}
			}
		}
	}
}

type lines struct {
	result Result
	ids    *[]uuid.UUID
}

func (e *LinesPlayed) lists() []lines {
	return []lines{{Accepted, &e.Accepted}, {Unchanged, &e.Unchanged}, {Rejected, &e.Rejected}, {Malformed, &e.Malformed}}
}

// EventType returns the stored name.
func (LinesPlayed) EventType() string { return "journal-lines-played" }

func (LinesPlayed) apply(*Import) {}

// A Result is the result of importing one line of a journal.
type Result string

// The results.
const (
	Accepted  Result = "accepted"  // events were stored
	Unchanged Result = "unchanged" // nothing to change
	Duplicate Result = "duplicate" // a line with this id was imported before
	Rejected  Result = "rejected"  // a rule forbids it, or it names something that does not exist
	Malformed Result = "malformed" // not in the format of a journal
)

// Refused reports whether a line was rejected or malformed.
func (r Result) Refused() bool { return r == Rejected || r == Malformed }

// Counts are the numbers of a journal's lines, in total and by result.
type Counts struct {
	Lines     int `json:"lines" doc:"Number of lines"`
	Accepted  int `json:"accepted" doc:"Lines that stored events"`
	Unchanged int `json:"unchanged" doc:"Lines that had nothing to change"`
	Duplicate int `json:"duplicate" doc:"Lines that were imported before"`
	Rejected  int `json:"rejected" doc:"Lines that a rule forbids, or that name something that does not exist"`
	Malformed int `json:"malformed" doc:"Lines that are not in the format of a journal"`
}

// of returns the count of a result.
func (c *Counts) of(r Result) *int {
	return map[Result]*int{Accepted: &c.Accepted, Unchanged: &c.Unchanged, Duplicate: &c.Duplicate, Rejected: &c.Rejected, Malformed: &c.Malformed}[r]
}

// Add counts a line.
func (c *Counts) Add(r Result) {
	c.Lines++
	*c.of(r)++
}

// Plus returns the sum of two counts.
func (c Counts) Plus(other Counts) Counts {
	c.Lines += other.Lines
	for _, r := range []Result{Accepted, Unchanged, Duplicate, Rejected, Malformed} {
		*c.of(r) += *other.of(r)
	}
	return c
}
