package commands

import (
	"daybook/domain/group"
	"daybook/domain/role"
)

// DeleteGroup deletes a group. Its history stays.
type DeleteGroup struct{}

// Permission returns the permission that the caller needs.
func (DeleteGroup) Permission() role.Permission { return role.TagsWrite }

// Decide refuses a group that never existed. Deleting again changes nothing.
func (DeleteGroup) Decide(t group.Group, _ By) ([]group.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[group.Event](group.Deleted{})
}
