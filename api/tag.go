package api

import (
	"context"

	"daybook/commands"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
)

// NameQuery asks for departments or groups.
type NameQuery struct {
	Listing
	Ref     string `query:"ref" doc:"The name that an imported desk had for it"`
	Deleted bool   `query:"deleted" doc:"Also those that are deleted"`
}

func nameFilter(_ context.Context, in *NameQuery) (readmodels.NameFilter, error) {
	return readmodels.NameFilter{Ref: in.Ref, Deleted: in.Deleted}, nil
}

// TagQuery asks for tags.
type TagQuery struct {
	NameQuery
	Scope tag.Scope `query:"scope" doc:"What they can be put on"`
}

// tags are the routes of tags.
func (s *server) tags() {
	t := resourceOf(s, tag.Stream, "/v1/tags", "Tags", role.TicketsRead, readmodels.TagsTable,
		func(r readmodels.Tag) int64 { return r.Revision })
	create[commands.CreateTag](t, "Create a tag for contacts or for tickets")
	lists(t, "List tags", func(_ context.Context, in *TagQuery) (readmodels.NameFilter, error) {
		return readmodels.NameFilter{Scope: in.Scope, Ref: in.Ref, Deleted: in.Deleted}, nil
	}, readmodels.FindTags)
	get(t, "Get a tag, as it is or as it was")
	patch[commands.RenameTag](t, "", "Rename a tag")
	del[commands.DeleteTag](t, "", "Delete a tag; its history stays")
}
