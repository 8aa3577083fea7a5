package commands

import (
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// RenameTag gives a tag another name; where it is put stays.
type RenameTag struct {
	Name string `json:"name" doc:"The new name, 1 to 200 characters; no other tag of the scope has it"`
}

// Permission is what the caller's role needs.
func (RenameTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name.
func (c RenameTag) Decide(t tag.Tag, _ By) ([]tag.Event, error) {
	if err := t.MustBeFor(t.Scope); err != nil {
		return nil, err
	}
	name, err := profile.Name("name", c.Name)
	if err != nil || name == t.Name {
		return nil, err
	}
	return happened[tag.Event](tag.Renamed{Name: name})
}
