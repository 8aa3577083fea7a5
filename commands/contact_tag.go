package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// TagContact puts a tag on a contact.
type TagContact struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/contacts,create"`
}

// Permission is what the caller's role needs.
func (TagContact) Permission() role.Permission { return role.ContactsWrite }

// Refs names the tag.
func (c TagContact) Refs() []Reference {
	return []Reference{work.Needs("tag", tag.Stream, c.Tag, func(t tag.Tag) error { return t.MustBeFor(tag.Contacts) })}
}

// Decide changes nothing where the tag is there already.
func (c TagContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || slices.Contains(co.Tags, c.Tag) {
		return nil, err
	}
	return happened[contact.Event](contact.Tagged{Tag: c.Tag})
}
