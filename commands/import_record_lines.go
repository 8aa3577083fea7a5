package commands

import (
	"daybook/domain/desk"
	"daybook/domain/role"
)

// RecordLines records the results of a batch of journal lines.
type RecordLines struct {
	desk.LinesPlayed
}

// Permission returns the permission that the caller needs.
func (RecordLines) Permission() role.Permission { return role.Import }

// Decide changes nothing for a batch of duplicates only.
func (c RecordLines) Decide(desk.Import, By) ([]desk.ImportEvent, error) {
	if len(c.Accepted)+len(c.Unchanged)+len(c.Rejected)+len(c.Malformed) == 0 {
		return nil, nil
	}
	return happened[desk.ImportEvent](c.LinesPlayed)
}
