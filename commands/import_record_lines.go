package commands

import (
	"daybook/domain/desk"
	"daybook/domain/role"
)

// RecordLines notes what a batch of a journal's lines came to.
type RecordLines struct {
	desk.LinesPlayed
}

// Permission is what the caller's role needs.
func (RecordLines) Permission() role.Permission { return role.Import }

// Decide changes nothing for a batch in which every line was played before.
func (c RecordLines) Decide(desk.Import, By) ([]desk.ImportEvent, error) {
	if len(c.Accepted)+len(c.Unchanged)+len(c.Rejected)+len(c.Malformed) == 0 {
		return nil, nil
	}
	return happened[desk.ImportEvent](c.LinesPlayed)
}
