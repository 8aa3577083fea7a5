package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/readmodels"
)

// DepartmentQuery are the parameters of a list of departments.
type DepartmentQuery struct {
	Listing
	Ref     string `query:"ref" doc:"Only departments with this name in an imported journal"`
	Deleted bool   `query:"deleted" doc:"Include deleted ones"`
}

// departments are the routes of departments.
func (s *server) departments() {
	t := resourceOf(s, department.Stream, "/v1/departments", "Departments", role.TicketsRead, readmodels.DepartmentsTable,
		func(r readmodels.Department) int64 { return r.Revision })
	create[commands.CreateDepartment](t, "Create a department")
	lists(t, "List departments", func(_ context.Context, in *DepartmentQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Ref: in.Ref, Deleted: in.Deleted}, nil
	}, readmodels.FindDepartments)
	get(t, "Get a department, now or in the past")
	patch[commands.RenameDepartment](t, "", "Rename a department")
	deletes[commands.DeleteDepartment](t, "Delete a department and remove its agents from it. Its history stays")
}
