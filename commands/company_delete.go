package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// DeleteCompany takes a company out of use; its contacts leave it. Its history stays.
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

// Name is the name of the plan.
func (DeleteCompany) Name() string { return "company-delete" }

// Left is the contacts of the company.
func (DeleteCompany) Left(id uuid.UUID) work.Left {
	return work.Left{Category: contact.Stream.Category, Showing: company.Stream.Category, ID: id}
}

// Each has a contact leave the company that was deleted.
func (DeleteCompany) Each(w *work.Work, thing, about uuid.UUID, by By) error {
	_, err := work.Run(w, contact.Stream, thing, LeaveCompany{Company: about}, by)
	return err
}
