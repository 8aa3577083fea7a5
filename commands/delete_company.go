package commands

import (
	"daybook/domain/company"
	"daybook/domain/role"
)

// DeleteCompany takes a company out of use. Its history stays.
type DeleteCompany struct{}

// Permission is what the caller's role needs.
func (DeleteCompany) Permission() role.Permission { return role.CompaniesWrite }

// Decide refuses what was never there; deleting again changes nothing.
func (DeleteCompany) Decide(t company.Company, _ By) ([]company.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[company.Event](company.Deleted{})
}
