package desk

import (
	"iter"

	"daybook/domain/event"
)

// Import is what was played of one source's journal. The lines themselves are kept as what they came to.
type Import struct{}

// ImportStream is the kind of stream that a source has.
var ImportStream = event.Kind[Import, ImportEvent]{
	Category: "import",
	Events:   ImportEvents,
	Apply:    func(i *Import, e ImportEvent) { e.apply(i) },
	Exists:   func(Import) bool { return true },
	Order:    event.Last,
}

// ImportEvent is what happens to an import.
type ImportEvent interface {
	event.Event
	apply(*Import)
}

// ImportEvents reads an import's events back.
var ImportEvents = event.NewTable(event.TypeOf(func(e LinesPlayed) ImportEvent { return e }))

// LinesPlayed: a batch of lines was played; each line's id stands under what it came to. A line that was played again
// stands in a later batch.
type LinesPlayed struct {
	Source    string   `json:"source"`
	Accepted  []string `json:"accepted,omitempty"`
	Unchanged []string `json:"unchanged,omitempty"`
	Rejected  []string `json:"rejected,omitempty"`
	Malformed []string `json:"malformed,omitempty"`
}

// Note adds a line under what it came to. A duplicate is not noted: it was before.
func (e *LinesPlayed) Note(id string, r Result) {
	for _, list := range e.lists() {
		if list.result == r {
			*list.ids = append(*list.ids, id)
		}
	}
}

// Each yields each line with what it came to.
func (e LinesPlayed) Each() iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
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
	ids    *[]string
}

func (e *LinesPlayed) lists() []lines {
	return []lines{{Accepted, &e.Accepted}, {Unchanged, &e.Unchanged}, {Rejected, &e.Rejected}, {Malformed, &e.Malformed}}
}

// EventType is the stored name.
func (LinesPlayed) EventType() string { return "journal-lines-played" }

func (LinesPlayed) apply(*Import) {}

// A Result is what a line of a journal came to.
type Result string

// What a line can come to.
const (
	Accepted  Result = "accepted"  // events were stored
	Unchanged Result = "unchanged" // it was so already
	Duplicate Result = "duplicate" // a line of this id was played before
	Rejected  Result = "rejected"  // a rule says no, or it names what is not there
	Malformed Result = "malformed" // it is no line of a journal
)

// Refused reports whether a line was not taken.
func (r Result) Refused() bool { return r == Rejected || r == Malformed }

// Counts say how many lines of a journal came to what.
type Counts struct {
	Lines     int `json:"lines" doc:"How many there were"`
	Accepted  int `json:"accepted" doc:"Events were stored"`
	Unchanged int `json:"unchanged" doc:"It was so already"`
	Duplicate int `json:"duplicate" doc:"The line was played before"`
	Rejected  int `json:"rejected" doc:"A rule says no"`
	Malformed int `json:"malformed" doc:"It is no line of a journal"`
}

// of is the count of a result.
func (c *Counts) of(r Result) *int {
	return map[Result]*int{Accepted: &c.Accepted, Unchanged: &c.Unchanged, Duplicate: &c.Duplicate, Rejected: &c.Rejected, Malformed: &c.Malformed}[r]
}

// Add counts a line.
func (c *Counts) Add(r Result) {
	c.Lines++
	*c.of(r)++
}

// Plus adds two counts.
func (c Counts) Plus(other Counts) Counts {
	c.Lines += other.Lines
	for _, r := range []Result{Accepted, Unchanged, Duplicate, Rejected, Malformed} {
		*c.of(r) += *other.of(r)
	}
	return c
}
