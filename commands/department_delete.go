package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/role"
)

// DeleteDepartment takes a department out of use; its agents leave it. Its history stays.
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

// Name is the name of the plan.
func (DeleteDepartment) Name() string { return "department-delete" }

// Left is the agents who serve in the department.
func (DeleteDepartment) Left(id uuid.UUID) work.Left {
	return work.Left{Category: agent.Stream.Category, Showing: department.Stream.Category, ID: id}
}

// Each has an agent leave the department that was deleted.
func (DeleteDepartment) Each(w *work.Work, thing, about uuid.UUID, by By) error {
	_, err := work.Run(w, agent.Stream, thing, LeaveDepartment{Department: about}, by)
	return err
}
