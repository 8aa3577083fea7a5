package commands

import (
	"daybook/domain"
	"daybook/domain/group"
	"daybook/domain/role"
)

// EditGroup changes a group's name or colours, archives it, or takes it out of the archive. Fields that are left out stay as they are, and so do its members.
type EditGroup struct {
	Name       *string `json:"name,omitempty" doc:"Unique name, 1 to 200 characters"`
	Color      *string `json:"color,omitempty" doc:"Text colour, as #rrggbb; empty clears it"`
	Background *string `json:"background,omitempty" doc:"Background colour, as #rrggbb; empty clears it"`
	Archived   *bool   `json:"archived,omitempty" doc:"Whether the group is archived: its members stay, and nothing more can be added"`
}

// Permission returns the permission that the caller needs.
func (EditGroup) Permission() role.Permission { return role.TagsWrite }

// Decide keeps only values that change something.
func (c EditGroup) Decide(g group.Group, by By) ([]group.Event, error) {
	if err := g.MustExist(); err != nil {
		return nil, err
	}
	name, look := g.Name, g.Look
	var nameErr error
	if c.Name != nil {
		name, nameErr = uniqueName(*c.Name)
	}
	if c.Color != nil {
		look.Color = *c.Color
	}
	if c.Background != nil {
		look.Background = *c.Background
	}
	if err := domain.Join(nameErr, colour("color", look.Color), colour("background", look.Background)); err != nil {
		return nil, err
	}
	var events []group.Event
	if name != g.Name {
		events = append(events, group.Renamed{Name: name, Held: group.Named(by.Names, name).ID})
	}
	if look != g.Look {
		events = append(events, group.Restyled{Look: look})
	}
	switch {
	case c.Archived == nil || *c.Archived == g.Archived:
	case *c.Archived:
		events = append(events, group.Archived{})
	default:
		events = append(events, group.Unarchived{})
	}
	return events, nil
}
