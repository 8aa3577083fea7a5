package commands

import (
	"daybook/domain/role"
	"daybook/domain/tag"
)

// DeleteTag deletes a tag. Its history stays.
type DeleteTag struct{}

// Permission returns the permission that the caller needs.
func (DeleteTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses a tag that never existed. Deleting again changes nothing.
func (DeleteTag) Decide(t tag.Tag, _ By) ([]tag.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustBeFor(t.Scope); err != nil {
		return nil, err
	}
	return happened[tag.Event](tag.Deleted{})
}
