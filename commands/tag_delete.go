package commands

import (
	"daybook/domain/role"
	"daybook/domain/tag"
)

// DeleteTag takes a tag out of use. Its history stays.
type DeleteTag struct{}

// Permission is what the caller's role needs.
func (DeleteTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses what was never there; deleting again changes nothing.
func (DeleteTag) Decide(t tag.Tag, _ By) ([]tag.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustBeFor(t.Scope); err != nil {
		return nil, err
	}
	return happened[tag.Event](tag.Deleted{})
}
