package journal

// Result is what a line came to.
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

// Counts says how many lines came to what.
type Counts struct {
	Lines     int `json:"lines"`
	Accepted  int `json:"accepted"`
	Unchanged int `json:"unchanged"`
	Duplicate int `json:"duplicate"`
	Rejected  int `json:"rejected"`
	Malformed int `json:"malformed"`
}

func (c *Counts) add(r Result) {
	c.Lines++
	switch r {
	case Accepted:
		c.Accepted++
	case Unchanged:
		c.Unchanged++
	case Duplicate:
		c.Duplicate++
	case Rejected:
		c.Rejected++
	case Malformed:
		c.Malformed++
	}
}

// Plus adds two counts.
func (c Counts) Plus(other Counts) Counts {
	return Counts{
		c.Lines + other.Lines, c.Accepted + other.Accepted, c.Unchanged + other.Unchanged,
		c.Duplicate + other.Duplicate, c.Rejected + other.Rejected, c.Malformed + other.Malformed,
	}
}

// An Outcome is what one line came to. Written as JSON it does not hold what the line said.
type Outcome struct {
	Line   int    `json:"line"` // from 1
	ID     string `json:"id,omitempty"`
	Result Result `json:"outcome"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Before is what the line came to when it was first played, for a duplicate.
	Before Result `json:"before,omitempty"`

	// Text is the line as it stood in the journal.
	Text string `json:"-"`
}
