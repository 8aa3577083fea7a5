package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/role"
)

// UntagContact takes a tag off a contact.
type UntagContact struct {
	Tag uuid.UUID `json:"-" path:"tag" ref:"tag/contacts"`
}

// Permission is what the caller's role needs.
func (UntagContact) Permission() role.Permission { return role.ContactsWrite }

// Decide changes nothing where the tag is not there.
func (c UntagContact) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || !slices.Contains(co.Tags, c.Tag) {
		return nil, err
	}
	return happened[contact.Event](contact.Untagged{Tag: c.Tag})
}
