package commands

import (
	"daybook/domain/group"
	"daybook/domain/role"
)

// DeleteGroup takes a group out of use. Its history stays.
type DeleteGroup struct{}

// Permission is what the caller's role needs.
func (DeleteGroup) Permission() role.Permission { return role.TagsWrite }

// Decide refuses what was never there; deleting again changes nothing.
func (DeleteGroup) Decide(t group.Group, _ By) ([]group.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[group.Event](group.Deleted{})
}
