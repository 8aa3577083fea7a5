package commands

import (
	"daybook/domain/role"
	"daybook/domain/tag"
)

// EditTag renames a tag, which stays wherever it was put, or archives it, or takes it out of the archive. Fields that are
// left out stay as they are.
type EditTag struct {
	Name     *string `json:"name,omitempty" doc:"New name, 1 to 200 characters, unique within the scope"`
	Archived *bool   `json:"archived,omitempty" doc:"Whether the tag is archived: it stays on what has it, and can be put on nothing more"`
}

// Permission returns the permission that the caller needs.
func (EditTag) Permission() role.Permission { return role.TagsWrite }

// Decide keeps only values that change something.
func (c EditTag) Decide(t tag.Tag, by By) ([]tag.Event, error) {
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	var events []tag.Event
	if c.Name != nil {
		name, err := uniqueName(*c.Name)
		if err != nil {
			return nil, err
		}
		if name != t.Name {
			events = append(events, tag.Renamed{Name: name, Held: tag.Named(by.Names, t.Scope, name).ID})
		}
	}
	switch {
	case c.Archived == nil || *c.Archived == t.Archived:
	case *c.Archived:
		events = append(events, tag.Archived{})
	default:
		events = append(events, tag.Unarchived{})
	}
	return events, nil
}
