package commands

import (
	"daybook/domain/field"
	"daybook/domain/role"
)

// EditField renames a custom field, whose values stay, moves it, archives it, or takes it out of the archive. Fields that are left out
// stay as they are.
type EditField struct {
	Name     *string `json:"name,omitempty" doc:"New name, 1 to 200 characters, unique within the scope"`
	Order    *int    `json:"order,omitempty" minimum:"-1000000" maximum:"1000000" doc:"Place among the others: lower numbers come first"`
	Archived *bool   `json:"archived,omitempty" doc:"Whether the field is archived: its values stay, and it can be set on nothing more"`
}

// Permission returns the permission that the caller needs.
func (EditField) Permission() role.Permission { return role.TagsWrite }

// Decide keeps only values that change something.
func (c EditField) Decide(f field.Field, by By) ([]field.Event, error) {
	if err := f.MustExist(); err != nil {
		return nil, err
	}
	var events []field.Event
	if c.Name != nil {
		name, err := uniqueName(*c.Name)
		if err != nil {
			return nil, err
		}
		if name != f.Name {
			events = append(events, field.Renamed{Name: name, Held: field.Named(by.Names, f.Scope, name).ID})
		}
	}
	if c.Order != nil && *c.Order != f.Order {
		events = append(events, field.Moved{Order: *c.Order})
	}
	switch {
	case c.Archived == nil || *c.Archived == f.Archived:
	case *c.Archived:
		events = append(events, field.Archived{})
	default:
		events = append(events, field.Unarchived{})
	}
	return events, nil
}
