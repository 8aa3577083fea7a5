package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
)

// NameQuery are the parameters of a list of departments or groups.
type NameQuery struct {
	Listing
	Ref     string `query:"ref" doc:"Only those with this name in an imported journal"`
	Deleted bool   `query:"deleted" doc:"Include deleted ones"`
}

func nameFilter(_ context.Context, in *NameQuery) (readmodels.NameFilter, error) {
	return readmodels.NameFilter{Ref: in.Ref, Deleted: in.Deleted}, nil
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
	create[commands.CreateTag](t, "Create a tag for contacts or for tickets")
	lists(t, "List tags", func(_ context.Context, in *TagQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Scope: in.Scope, Ref: in.Ref, Deleted: in.Deleted}, nil
	}, readmodels.FindTags)
	get(t, "Get a tag, now or in the past")
	patch[commands.RenameTag](t, "", "Rename a tag")
	del[commands.DeleteTag](t, "", "Delete a tag. Its history stays")
}
