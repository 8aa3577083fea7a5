package commands

import (
	"daybook/domain/group"
	"daybook/domain/role"
)

// DeleteGroup archives a group: its members stay, its name stays taken, and EditGroup undoes it.
type DeleteGroup struct{}

// Permission returns the permission that the caller needs.
func (DeleteGroup) Permission() role.Permission { return role.TagsWrite }

// Decide refuses a group that never existed. Deleting again changes nothing.
func (DeleteGroup) Decide(g group.Group, by By) ([]group.Event, error) {
	archived := true
	return EditGroup{Archived: &archived}.Decide(g, by)
}
