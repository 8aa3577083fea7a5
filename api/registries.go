package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/department"
	"daybook/domain/group"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// NameQuery asks for departments or groups.
type NameQuery struct {
	Listing
	Ref     string `query:"ref" doc:"The name that an imported desk had for it"`
	Deleted bool   `query:"deleted" doc:"Also those taken out of use"`
}

// TagQuery asks for tags.
type TagQuery struct {
	NameQuery
	Scope tag.Scope `query:"scope" enum:"contacts,tickets" doc:"What they can be put on"`
}

var (
	unknownTag   = domain.NotFound("tag-unknown", "There is no such tag. Create it first.")
	unknownGroup = domain.NotFound("group-unknown", "There is no such group. Create it first.")
)

func (s *server) registries() {
	const departments, department1 = "/v1/departments", "/v1/departments/{id}"
	create(s, departments, "Departments", "Create a department", department.Stream, readmodels.Department{}, commands.CreateDepartment{})
	huma.Register(s.api, operation(http.MethodGet, departments, "Departments", "List departments"), func(ctx context.Context, in *NameQuery) (*Answered[List[readmodels.Department]], error) {
		return listing(ctx, s, in.Listing, departments, role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Department], error) {
			return readmodels.FindDepartments(ctx, q, readmodels.NameFilter{Ref: in.Ref, Deleted: in.Deleted}, p)
		})
	})
	get(s, department1, "Departments", "A department, now or as of then", "department", role.TicketsRead, readmodels.DepartmentsTable, func(r readmodels.Department) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, department1, "Departments", "Rename a department", department.Stream, readmodels.Department{}, commands.RenameDepartment{})
	step(s, http.MethodDelete, department1, "Departments", "Take a department out of use", department.Stream, readmodels.Department{}, commands.DeleteDepartment{})

	const tags, tag1 = "/v1/tags", "/v1/tags/{id}"
	create(s, tags, "Tags", "Create a tag for contacts or for tickets", tag.Stream, readmodels.Tag{}, commands.CreateTag{})
	huma.Register(s.api, operation(http.MethodGet, tags, "Tags", "List tags"), func(ctx context.Context, in *TagQuery) (*Answered[List[readmodels.Tag]], error) {
		return listing(ctx, s, in.Listing, tags, role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Tag], error) {
			return readmodels.FindTags(ctx, q, readmodels.NameFilter{Scope: in.Scope, Ref: in.Ref, Deleted: in.Deleted}, p)
		})
	})
	get(s, tag1, "Tags", "A tag, now or as of then", "tag", role.TicketsRead, readmodels.TagsTable, func(r readmodels.Tag) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, tag1, "Tags", "Rename a tag", tag.Stream, readmodels.Tag{}, commands.RenameTag{})
	step(s, http.MethodDelete, tag1, "Tags", "Take a tag out of use", tag.Stream, readmodels.Tag{}, commands.DeleteTag{})

	const groups, group1 = "/v1/groups", "/v1/groups/{id}"
	create(s, groups, "Groups", "Create a group of contacts and companies", group.Stream, readmodels.Group{}, commands.CreateGroup{})
	huma.Register(s.api, operation(http.MethodGet, groups, "Groups", "List groups"), func(ctx context.Context, in *NameQuery) (*Answered[List[readmodels.Group]], error) {
		return listing(ctx, s, in.Listing, groups, role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Group], error) {
			return readmodels.FindGroups(ctx, q, readmodels.NameFilter{Ref: in.Ref, Deleted: in.Deleted}, p)
		})
	})
	get(s, group1, "Groups", "A group, now or as of then", "group", role.ContactsRead, readmodels.GroupsTable, func(r readmodels.Group) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, group1, "Groups", "Edit a group", group.Stream, readmodels.Group{}, commands.EditGroup{})
	step(s, http.MethodDelete, group1, "Groups", "Take a group out of use", group.Stream, readmodels.Group{}, commands.DeleteGroup{})
}
