package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/group"
	"daybook/domain/role"
)

// GroupContact has a contact join a group.
type GroupContact struct {
	Group uuid.UUID `json:"-" path:"group" ref:"group,create"`
}

// Permission is what the caller's role needs.
func (GroupContact) Permission() role.Permission { return role.ContactsWrite }

// Refs names the group.
func (c GroupContact) Refs() []Reference {
	return []Reference{work.Needs("group", group.Stream, c.Group, group.Group.MustExist)}
}

// Decide changes nothing for a contact that is one of the group already.
func (c GroupContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || slices.Contains(co.Groups, c.Group) {
		return nil, err
	}
	return happened[contact.Event](contact.JoinedGroup{Group: c.Group})
}
