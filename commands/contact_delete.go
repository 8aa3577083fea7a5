package commands

import (
	"daybook/domain/contact"
	"daybook/domain/role"
)

// DeleteContact deletes a contact and frees their addresses. Their history stays.
type DeleteContact struct{}

// Permission returns the permission that the caller needs.
func (DeleteContact) Permission() role.Permission { return role.ContactsDelete }

// Decide refuses a contact who never existed. Deleting again changes nothing.
func (DeleteContact) Decide(t contact.Contact, _ By) ([]contact.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.Deleted{})
}
