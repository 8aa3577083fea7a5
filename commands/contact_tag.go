package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// TagContact tags a contact.
type TagContact struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/contacts,create"`
}

// Permission returns the permission that the caller needs.
func (TagContact) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the tag.
func (c TagContact) Refs() []Reference {
	return []Reference{work.Needs("tag", tag.Stream, c.Tag, func(t tag.Tag) error { return t.MustBeFor(tag.Contacts) })}
}

// Decide changes nothing for a contact who already has the tag.
func (c TagContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || slices.Contains(co.Tags, c.Tag) {
		return nil, err
	}
	return happened[contact.Event](contact.Tagged{Tag: c.Tag})
}
