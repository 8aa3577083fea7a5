package commands

import (
	"daybook/domain/role"
	"daybook/domain/tag"
)

// DeleteTag archives a tag: it stays on what has it, its name stays taken, and EditTag undoes it.
type DeleteTag struct{}

// Permission returns the permission that the caller needs.
func (DeleteTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses a tag that never existed. Deleting again changes nothing.
func (DeleteTag) Decide(t tag.Tag, by By) ([]tag.Event, error) {
	archived := true
	return EditTag{Archived: &archived}.Decide(t, by)
}
