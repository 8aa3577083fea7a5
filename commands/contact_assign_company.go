package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// AssignCompany assigns a contact to a company. A contact belongs to at most one.
type AssignCompany struct {
	Company uuid.UUID `json:"company_id" line:"company" format:"uuid" ref:"company" doc:"Id of the company"`
}

// Permission returns the permission that the caller needs.
func (AssignCompany) Permission() role.Permission { return role.ContactsWrite }

// Refs returns the company.
func (c AssignCompany) Refs() []Reference {
	return []Reference{work.Needs("company_id", company.Stream, c.Company, company.Company.MustExist)}
}

// Decide changes nothing for a contact who already belongs to the company.
func (c AssignCompany) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || co.Company == c.Company {
		return nil, err
	}
	return happened[contact.Event](contact.AssignedCompany{Company: c.Company})
}
