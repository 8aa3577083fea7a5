package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/role"
)

// DeleteCompany deletes a company and removes its contacts from it. Its history stays.
type DeleteCompany struct{}

// Permission returns the permission that the caller needs.
func (DeleteCompany) Permission() role.Permission { return role.CompaniesDelete }

// Decide refuses a company that never existed. Deleting again changes nothing.
func (DeleteCompany) Decide(t company.Company, _ By) ([]company.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[company.Event](company.Deleted{})
}

// Name returns the plan's stored name.
func (DeleteCompany) Name() string { return "company-delete" }

// Left selects the company's contacts. They leave it.
func (DeleteCompany) Left(id uuid.UUID) []work.Left {
	return []work.Left{{
		Category: contact.Stream.Category, Showing: map[string]uuid.UUID{company.Stream.Category: id},
		Each: func(w *work.Work, thing uuid.UUID, by By) error {
			co, err := work.Look(w, company.Stream, id)
			if err == nil && co.Deleted { // it may have been restored meanwhile
				_, err = work.Run(w, contact.Stream, thing, leaveDeleted{company: id}, by)
			}
			return err
		},
	}}
}

// leaveDeleted is the step of DeleteCompany on a contact, who may be deleted too and be restored later.
type leaveDeleted struct{ company uuid.UUID }

// Decide changes nothing for a contact who does not belong to the company.
func (c leaveDeleted) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if co.Company != c.company {
		return nil, nil
	}
	return happened[contact.Event](contact.LeftCompany{Company: c.company})
}
