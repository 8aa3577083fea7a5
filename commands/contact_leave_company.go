package commands

import (
	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/role"
)

// LeaveCompany has a contact belong to no company. Company names the one that is left; nil is whichever it is.
type LeaveCompany struct {
	Company uuid.UUID `json:"-" line:"company" ref:"company"`
}

// Permission is what the caller's role needs.
func (LeaveCompany) Permission() role.Permission { return role.ContactsWrite }

// Decide changes nothing for a contact who does not belong to it.
func (c LeaveCompany) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	err := co.MustExist()
	if err != nil || co.Company == uuid.Nil || c.Company != uuid.Nil && c.Company != co.Company {
		return nil, err
	}
	return happened[contact.Event](contact.LeftCompany{Company: co.Company})
}
