package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/group"
	"daybook/domain/role"
)

// GroupCompany adds a company to a group.
type GroupCompany struct {
	Group uuid.UUID `json:"-" path:"group" ref:"group,create"`
}

// Permission returns the permission that the caller needs.
func (GroupCompany) Permission() role.Permission { return role.CompaniesWrite }

// Refs returns the group.
func (c GroupCompany) Refs() []Reference {
	return []Reference{work.Needs("group", group.Stream, c.Group, group.Group.MustBeUsable)}
}

// Decide changes nothing for a company that is already in the group.
func (c GroupCompany) Decide(co company.Company, _ By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil || slices.Contains(co.Groups, c.Group) {
		return nil, err
	}
	return happened[company.Event](company.JoinedGroup{Group: c.Group})
}
