package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/group"
	"daybook/domain/role"
)

// GroupContact adds a contact to a group.
type GroupContact struct {
	Group uuid.UUID `json:"-" path:"group" ref:"group,create"`
}

// Permission returns the permission that the caller needs.
func (GroupContact) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the group.
func (c GroupContact) Refs() []Reference {
	return []Reference{work.Needs("group", group.Stream, c.Group, group.Group.MustBeUsable)}
}

// Decide changes nothing for a contact who is already in the group.
func (c GroupContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || slices.Contains(co.Groups, c.Group) {
		return nil, err
	}
	return happened[contact.Event](contact.JoinedGroup{Group: c.Group})
}
