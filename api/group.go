package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/group"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// groups are the routes of groups.
func (s *server) groups() {
	t := resourceOf(s, group.Stream, "/v1/groups", "Groups", role.ContactsRead, readmodels.GroupsTable,
		func(r readmodels.Group) int64 { return r.Revision })
	create[commands.CreateGroup](t, "createGroup", "Create a group of contacts and companies")
	lists(t, "listGroups", "List groups", func(_ context.Context, _ table.Queryer, in *NameQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Q: in.Q, Ref: in.Ref, Archived: in.Archived}, nil
	}, readmodels.FindGroups)
	get(t, "getGroup", "Get a group, now or in the past")
	patch[commands.EditGroup](t, "", "updateGroup", "Edit a group")
	del[commands.DeleteGroup](t, "", "deleteGroup", "Archive a group. Its members stay, and nothing more can be added")
}
