package journal

import "daybook/domain/desk"

// An Outcome is what one line came to. Written as JSON it does not hold what the line said.
type Outcome struct {
	Line   int         `json:"line"` // from 1
	ID     string      `json:"id,omitempty"`
	Result desk.Result `json:"outcome"`
	Code   string      `json:"code,omitempty"`
	Reason string      `json:"reason,omitempty"`

	// Before is what the line came to when it was first played, for a duplicate.
	Before desk.Result `json:"before,omitempty"`

	// Text is the line as it stood in the journal.
	Text string `json:"-"`
}
