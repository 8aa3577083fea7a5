package api

import (
	"context"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/department"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// DepartmentQuery are the parameters of a list of departments.
type DepartmentQuery struct {
	Listing
	Q       string `query:"q" maxLength:"200" doc:"Words to search for in names"`
	Ref     string `query:"ref" doc:"Only departments with this name in an imported journal"`
	Deleted bool   `query:"deleted" doc:"Include deleted ones"`
}

// departments are the routes of departments.
func (s *server) departments() {
	t := resourceOf(s, department.Stream, "/v1/departments", "Departments", role.TicketsRead, readmodels.DepartmentsTable,
		func(r readmodels.Department) int64 { return r.Revision })
	create[commands.CreateDepartment](t, "createDepartment", "Create a department")
	lists(t, "listDepartments", "List departments", func(_ context.Context, _ table.Queryer, in *DepartmentQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}, nil
	}, readmodels.FindDepartments)
	get(t, "getDepartment", "Get a department, now or in the past")
	patch[commands.RenameDepartment](t, "", "updateDepartment", "Rename a department")
	deletesAs(t, "", "deleteDepartment", "Delete a department: its tickets go to another one or to none, and its agents leave it. Its history stays", s.departmentDeletion)
}

// DepartmentDeletion is a request to delete a department.
type DepartmentDeletion struct {
	About
	To string `query:"to" doc:"Where the tickets go that are not closed, spam or deleted: the id of another department, or none. Required if there are any"`
}

func (in DepartmentDeletion) about() string {
	if in.To == "" {
		return in.About.about()
	}
	return in.About.about() + "?to=" + in.To
}

// departmentDeletion returns the command that a request asks for. If it does not say where the department's tickets go, it
// matters whether there are any.
func (s *server) departmentDeletion(ctx context.Context, in *DepartmentDeletion) (c commands.DeleteDepartment, err error) {
	switch in.To {
	case "none":
	case "":
		c.Unsaid, err = s.Has(ctx, c.Tickets(in.ID))
	default:
		if c.To, err = domain.ParseID(in.To); err != nil || c.To == uuid.Nil {
			err = domain.Invalid("to", "id-malformed", "to must be the id of another department, or none.")
		}
	}
	return c, err
}
