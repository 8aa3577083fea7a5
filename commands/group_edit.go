package commands

import (
	"daybook/domain"
	"daybook/domain/group"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditGroup gives a group another name or other colours; what is left out stays, and so does who is in it.
type EditGroup struct {
	Name       *string `json:"name,omitempty" doc:"The name, 1 to 200 characters; no other group has it"`
	Color      *string `json:"color,omitempty" doc:"The colour of the text, #rrggbb"`
	Background *string `json:"background,omitempty" doc:"The colour behind it, #rrggbb"`
}

// Permission is what the caller's role needs.
func (EditGroup) Permission() role.Permission { return role.TagsWrite }

// Decide drops what is so already.
func (c EditGroup) Decide(g group.Group, _ By) ([]group.Event, error) {
	if err := g.MustExist(); err != nil {
		return nil, err
	}
	name, look := g.Name, g.Look
	var nameErr error
	if c.Name != nil {
		name, nameErr = profile.Name("name", *c.Name)
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
		events = append(events, group.Renamed{Name: name})
	}
	if look != g.Look {
		events = append(events, group.Restyled{Look: look})
	}
	return events, nil
}
