package commands

import (
	"daybook/domain/department"
	"daybook/domain/role"
)

// DeleteDepartment takes a department out of use. Its history stays.
type DeleteDepartment struct{}

// Permission is what the caller's role needs.
func (DeleteDepartment) Permission() role.Permission { return role.DesksWrite }

// Decide refuses what was never there; deleting again changes nothing.
func (DeleteDepartment) Decide(t department.Department, _ By) ([]department.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[department.Event](department.Deleted{})
}
