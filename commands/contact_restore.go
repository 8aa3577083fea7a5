package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// RestoreContact restores a deleted contact, without the addresses that other contacts have by now.
type RestoreContact struct{}

// Permission returns the permission that the caller needs.
func (RestoreContact) Permission() role.Permission { return role.ContactsDelete }

// Carry finds out which addresses are taken.
func (RestoreContact) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[contact.Contact], error) {
	c, err := work.Look(w, contact.Stream, id)
	if err != nil {
		return work.Answer[contact.Contact]{}, err
	}
	var lost []contact.Address
	for _, a := range c.Addresses {
		if a.Unread {
			continue
		}
		holder, found, err := w.Find(a.Hold())
		if err != nil {
			return work.Answer[contact.Contact]{}, err
		}
		if found && holder != id {
			lost = append(lost, a)
		}
	}
	return work.Run(w, contact.Stream, id, restoreWithout{lost}, by)
}

// restoreWithout is the step of RestoreContact on the contact.
type restoreWithout struct{ lost []contact.Address }

// Decide refuses a contact who never existed. Restoring one who is not deleted changes nothing.
func (c restoreWithout) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustBeRegistered(); err != nil || !co.Deleted {
		return nil, err
	}
	return happened[contact.Event](contact.Restored{Lost: c.lost})
}
