package commands

import (
	"regexp"

	"daybook/domain"
	"daybook/domain/group"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// CreateGroup makes a group of contacts and companies. Its name is its own.
type CreateGroup struct {
	Name       string `json:"name" doc:"The name, 1 to 200 characters; no other group has it"`
	Color      string `json:"color,omitempty" doc:"The colour of the text, #rrggbb"`
	Background string `json:"background,omitempty" doc:"The colour behind it, #rrggbb"`
	Ref        string `json:"-"`
}

// Permission is what the caller's role needs.
func (CreateGroup) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name and what is no colour.
func (c CreateGroup) Decide(g group.Group, _ By) ([]group.Event, error) {
	if g.Created {
		return nil, domain.Conflict("group-exists", "There is such a group already.")
	}
	name, err := profile.Name("name", c.Name)
	if err := domain.Join(err, colour("color", c.Color), colour("background", c.Background)); err != nil {
		return nil, err
	}
	return happened[group.Event](group.Created{Name: name, Look: group.Look{Color: c.Color, Background: c.Background}, Ref: c.Ref})
}

var rrggbb = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func colour(field, value string) error {
	if value != "" && !rrggbb.MatchString(value) {
		return domain.Invalid(field, "colour-malformed", "%s must be a colour such as #1a7f37.", field)
	}
	return nil
}
