package commands

import (
	"daybook/domain"
	"daybook/domain/department"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// CreateDepartment makes a new part of the desk.
type CreateDepartment struct {
	Name string `json:"name" doc:"The name, 1 to 200 characters"`
	Ref  string `json:"-"`
}

// Permission is what the caller's role needs.
func (CreateDepartment) Permission() role.Permission { return role.DesksWrite }

// Decide refuses an empty name, and a department that is there already.
func (c CreateDepartment) Decide(d department.Department, _ By) ([]department.Event, error) {
	if d.Created {
		return nil, domain.Conflict("department-exists", "There is such a department already.")
	}
	name, err := profile.Name("name", c.Name)
	if err != nil {
		return nil, err
	}
	return happened[department.Event](department.Created{Name: name, Ref: c.Ref})
}
