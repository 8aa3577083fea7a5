package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/group"
	"daybook/domain/role"
)

// UngroupContact removes a contact from a group.
type UngroupContact struct {
	Group uuid.UUID `json:"-" path:"group" ref:"group"`
}

// Permission returns the permission that the caller needs.
func (UngroupContact) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the group.
func (c UngroupContact) Refs() []Reference {
	return []Reference{work.Had("group", group.Stream, c.Group, group.Group.MustExist)}
}

// Decide changes nothing for a contact who is not in the group.
func (c UngroupContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || !slices.Contains(co.Groups, c.Group) {
		return nil, err
	}
	return happened[contact.Event](contact.LeftGroup{Group: c.Group})
}
