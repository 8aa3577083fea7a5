package commands

import (
	"daybook/domain"
	"daybook/domain/department"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// CreateDepartment creates a department.
type CreateDepartment struct {
	Name string `json:"name" doc:"Name, 1 to 200 characters"`
	Ref  string `json:"-"`
}

// Permission returns the permission that the caller needs.
func (CreateDepartment) Permission() role.Permission { return role.DesksWrite }

// Decide refuses an empty name and a department that already exists.
func (c CreateDepartment) Decide(d department.Department, _ By) ([]department.Event, error) {
	if d.Created {
		return nil, domain.Conflict("department-exists", "This department already exists.")
	}
	name, err := profile.Name("name", c.Name)
	if err != nil {
		return nil, err
	}
	return happened[department.Event](department.Created{Name: name, Ref: personal.New(c.Ref)})
}
