package commands

import (
	"daybook/domain/department"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// RenameDepartment gives a department another name; nothing else of it changes.
type RenameDepartment struct {
	Name string `json:"name" doc:"The new name, 1 to 200 characters"`
}

// Permission is what the caller's role needs.
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
