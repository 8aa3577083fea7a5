package commands

import (
	"daybook/domain/department"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RenameDepartment renames a department.
type RenameDepartment struct {
	Name string `json:"name" doc:"New name, 1 to 200 characters"`
}

// Permission returns the permission that the caller needs.
func (RenameDepartment) Permission() role.Permission { return role.DesksWrite }

// Decide refuses an empty name.
func (c RenameDepartment) Decide(d department.Department, _ By) ([]department.Event, error) {
	if err := d.MustExist(); err != nil {
		return nil, err
	}
	name, err := profile.Name("name", c.Name)
	if err != nil || name == d.Name {
		return nil, err
	}
	return happened[department.Event](department.Renamed{Name: name})
}
