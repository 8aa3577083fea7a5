package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/group"
	"daybook/domain/role"
)

// UngroupCompany removes a company from a group.
type UngroupCompany struct {
	Group uuid.UUID `json:"-" path:"group" ref:"group"`
}

// Permission returns the permission that the caller needs.
func (UngroupCompany) Permission() role.Permission { return role.CompaniesWrite }

// Refs returns the group.
func (c UngroupCompany) Refs() []Reference {
	return []Reference{work.Had("group", group.Stream, c.Group, group.Group.MustExist)}
}

// Decide changes nothing for a company that is not in the group.
func (c UngroupCompany) Decide(co company.Company, _ By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil || !slices.Contains(co.Groups, c.Group) {
		return nil, err
	}
	return happened[company.Event](company.LeftGroup{Group: c.Group})
}
