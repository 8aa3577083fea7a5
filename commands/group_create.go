package commands

import (
	"regexp"

	"daybook/domain/personal"

	"daybook/domain"
	"daybook/domain/group"
	"daybook/domain/role"
)

// CreateGroup creates a group of contacts and companies. Its name is unique.
type CreateGroup struct {
	Name       string `json:"name" doc:"Unique name, 1 to 200 characters"`
	Color      string `json:"color,omitempty" doc:"Text colour, as #rrggbb"`
	Background string `json:"background,omitempty" doc:"Background colour, as #rrggbb"`
	Ref        string `json:"-"`
}

// Permission returns the permission that the caller needs.
func (CreateGroup) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name and malformed colours.
func (c CreateGroup) Decide(g group.Group, by By) ([]group.Event, error) {
	if g.Created {
		return nil, domain.Conflict("group-exists", "This group already exists.")
	}
	name, err := uniqueName(c.Name)
	if err := domain.Join(err, colour("color", c.Color), colour("background", c.Background)); err != nil {
		return nil, err
	}
	return happened[group.Event](group.Created{Name: name, Held: group.Named(by.Names, name).ID, Look: group.Look{Color: c.Color, Background: c.Background}, Ref: personal.New(c.Ref)})
}

var rrggbb = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func colour(field, value string) error {
	if value != "" && !rrggbb.MatchString(value) {
		return domain.Invalid(field, "colour-malformed", "%s must be a colour as #rrggbb, such as #1a7f37.", field)
	}
	return nil
}
