package commands

import (
	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/role"
)

// LeaveCompany removes a contact from their company. If Company is not nil, it does so only for that company.
type LeaveCompany struct {
	Company uuid.UUID `json:"-" line:"company" ref:"company"`
}

// Permission returns the permission that the caller needs.
func (LeaveCompany) Permission() role.Permission { return role.ContactsWrite }

// Decide changes nothing for a contact who does not belong to the company.
func (c LeaveCompany) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	err := co.MustExist()
	if err != nil || co.Company == uuid.Nil || c.Company != uuid.Nil && c.Company != co.Company {
		return nil, err
	}
	return happened[contact.Event](contact.LeftCompany{Company: co.Company})
}
