package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// NameQuery are the parameters of a list of tags or groups.
type NameQuery struct {
	Listing
	Q        string `query:"q" maxLength:"200" doc:"Words to search for in names"`
	Ref      string `query:"ref" doc:"Only those with this name in an imported journal"`
	Archived bool   `query:"archived" doc:"Include archived ones"`
}

// TagQuery are the parameters of a list of tags.
type TagQuery struct {
	NameQuery
	Scope tag.Scope `query:"scope" doc:"Only tags for contacts, or only tags for tickets"`
}

// tags are the routes of tags.
func (s *server) tags() {
	t := resourceOf(s, tag.Stream, "/v1/tags", "Tags", role.TicketsRead, readmodels.TagsTable,
		func(r readmodels.Tag) int64 { return r.Revision })
	scoped(t, tag.Scopes, func(r readmodels.Tag) tag.Scope { return r.Scope })
	create[commands.CreateTag](t, "createTag", "Create a tag for contacts or for tickets")
	lists(t, "listTags", "List tags", func(_ context.Context, _ table.Queryer, in *TagQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Q: in.Q, Scope: string(in.Scope), Ref: in.Ref, Archived: in.Archived}, nil
	}, readmodels.FindTags)
	get(t, "getTag", "Get a tag, now or in the past")
	patch[commands.EditTag](t, "", "updateTag", "Rename a tag, archive it, or take it out of the archive")
	del[commands.DeleteTag](t, "", "deleteTag", "Archive a tag. It stays on what has it, and can be put on nothing more")
}
