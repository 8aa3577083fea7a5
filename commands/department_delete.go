package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
)

// DeleteDepartment deletes a department and removes its agents from it. Its history stays.
type DeleteDepartment struct{}

// Permission returns the permission that the caller needs.
func (DeleteDepartment) Permission() role.Permission { return role.DesksWrite }

// Decide refuses a department that never existed. Deleting again changes nothing.
func (DeleteDepartment) Decide(t department.Department, _ By) ([]department.Event, error) {
	if t.Deleted {
		return nil, nil
	}
	if err := t.MustExist(); err != nil {
		return nil, err
	}
	return happened[department.Event](department.Deleted{})
}

// Name returns the plan's stored name.
func (DeleteDepartment) Name() string { return "department-delete" }

// Left selects the agents who serve the department.
func (DeleteDepartment) Left(id uuid.UUID) work.Left {
	return work.Left{Category: agent.Stream.Category, Showing: department.Stream.Category, ID: id}
}

// Each removes an agent from the deleted department.
func (DeleteDepartment) Each(w *work.Work, thing, about uuid.UUID, by By) error {
	_, err := work.Run(w, agent.Stream, thing, LeaveDepartment{Department: about}, by)
	return err
}
