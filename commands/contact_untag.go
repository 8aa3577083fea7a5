package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// UntagContact removes a tag from a contact.
type UntagContact struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/contacts"`
}

// Permission returns the permission that the caller needs.
func (UntagContact) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the tag.
func (c UntagContact) Refs() []Reference {
	return []Reference{work.Had("tag", tag.Stream, c.Tag, func(t tag.Tag) error { return t.MustBeOf(tag.Contacts) })}
}

// Decide changes nothing for a contact who does not have the tag.
func (c UntagContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || !slices.Contains(co.Tags, c.Tag) {
		return nil, err
	}
	return happened[contact.Event](contact.Untagged{Tag: c.Tag})
}
