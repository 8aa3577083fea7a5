package commands

import (
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// RenameTag renames a tag. It stays wherever it was put.
type RenameTag struct {
	Name string `json:"name" doc:"New name, 1 to 200 characters, unique within the scope"`
}

// Permission returns the permission that the caller needs.
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
