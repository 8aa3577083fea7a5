package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// AssignCompany has a contact belong to a company, and to no other.
type AssignCompany struct {
	Company uuid.UUID `json:"company" format:"uuid" ref:"company" doc:"The company"`
}

// Permission is what the caller's role needs.
func (AssignCompany) Permission() role.Permission { return role.ContactsWrite }

// Refs names the company.
func (c AssignCompany) Refs() []Reference {
	return []Reference{work.Needs("company", company.Stream, c.Company, company.Company.MustExist)}
}

// Decide changes nothing for a contact who belongs to it already.
func (c AssignCompany) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || co.Company == c.Company {
		return nil, err
	}
	return happened[contact.Event](contact.AssignedCompany{Company: c.Company})
}
