package journal

import (
	"github.com/google/uuid"

	"daybook/domain/desk"
)

// An Outcome is the outcome of one line. Its JSON does not hold the line's text.
type Outcome struct {
	Line   int         `json:"line"` // from 1
	ID     string      `json:"id,omitempty"`
	Result desk.Result `json:"outcome"`
	Code   string      `json:"code,omitempty"`
	Reason string      `json:"reason,omitempty"`

	// Before is, for a duplicate, the result when the line was first imported.
	Before desk.Result `json:"before,omitempty"`

	// Text is the line as written in the journal.
	Text string `json:"-"`

	request   uuid.UUID // of the line's id
	repeated  bool      // it is the outcome of an earlier line with this id and text
	forbidden bool      // it was refused for who imports it: somebody else may
}
