package commands

import (
	"daybook/domain/contact"
	"daybook/domain/role"
)

// DeleteContact takes a contact out of use and frees its addresses. Its history stays.
type DeleteContact struct{}

// Permission is what the caller's role needs.
func (DeleteContact) Permission() role.Permission { return role.ContactsWrite }

// Decide refuses what was never there; deleting again changes nothing.
func (DeleteContact) Decide(t contact.Contact, _ By) ([]contact.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.Deleted{})
}
