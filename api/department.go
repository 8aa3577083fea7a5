package api

import (
	"daybook/commands"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/readmodels"
)

// departments are the routes of departments.
func (s *server) departments() {
	t := resourceOf(s, department.Stream, "/v1/departments", "Departments", role.TicketsRead, readmodels.DepartmentsTable,
		func(r readmodels.Department) int64 { return r.Revision })
	create[commands.CreateDepartment](t, "Create a department")
	lists(t, "List departments", nameFilter, readmodels.FindDepartments)
	get(t, "Get a department, now or in the past")
	patch[commands.RenameDepartment](t, "", "Rename a department")
	deletes[commands.DeleteDepartment](t, "Delete a department and remove its agents from it. Its history stays")
}
