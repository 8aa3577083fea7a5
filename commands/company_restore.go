package commands

import (
	"daybook/domain/company"
	"daybook/domain/role"
)

// RestoreCompany restores a deleted company. The contacts who left it when it was deleted do not come back.
type RestoreCompany struct{}

// Permission returns the permission that the caller needs.
func (RestoreCompany) Permission() role.Permission { return role.CompaniesDelete }

// Decide refuses a company that never existed. Restoring one that is not deleted changes nothing.
func (RestoreCompany) Decide(co company.Company, _ By) ([]company.Event, error) {
	if !co.Deleted {
		return nil, co.MustExist()
	}
	return happened[company.Event](company.Restored{})
}
