package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// ContactQuery are the parameters of a list of contacts.
type ContactQuery struct {
	Listing
	Q       string   `query:"q" maxLength:"200" doc:"Words to search for in names and addresses"`
	Tag     []string `query:"tag,explode" doc:"Only contacts with this tag, by id or name; repeat for several tags"`
	TagNot  []string `query:"tag_not,explode" doc:"Only contacts without this tag, by id or name; repeat for several tags"`
	Group   string   `query:"group" doc:"Only contacts in this group, by id or name"`
	Company ThingID  `query:"company" doc:"Only contacts of this company, by id"`
	Ref     string   `query:"ref" doc:"Only contacts with this name in an imported journal"`
	Deleted bool     `query:"deleted" doc:"Include deleted contacts"`
}

// contacts are the routes of contacts.
func (s *server) contacts() {
	t := resourceOf(s, contact.Stream, "/v1/contacts", "Contacts", role.ContactsRead, readmodels.ContactsTable,
		func(r readmodels.Contact) int64 { return r.Revision })
	create[commands.RegisterContact](t, "Register a contact")
	lists(t, "Search contacts, newest first", s.contactFilter, readmodels.FindContacts)
	get(t, "Get a contact, now or in the past")
	patch[commands.EditContact](t, "", "Edit a contact")
	del[commands.DeleteContact](t, "", "Delete a contact, whose addresses are then free. They can be restored")
	carries[commands.RestoreContact](t, "/restore", "Restore a deleted contact, without the addresses that other contacts have by now")
	put[commands.AssignCompany](t, "/company", "Assign a contact to a company")
	del[commands.LeaveCompany](t, "/company", "Remove a contact from their company")
	put[commands.TagContact](t, "/tags/{other}", "Tag a contact")
	del[commands.UntagContact](t, "/tags/{other}", "Untag a contact")
	put[commands.GroupContact](t, "/groups/{other}", "Add a contact to a group")
	del[commands.UngroupContact](t, "/groups/{other}", "Remove a contact from a group")
	huma.Register(s.api, describe(http.MethodGet, t.one()+"/tickets", t.title, "List the tickets of a contact, newest first"), s.history)
	huma.Register(s.api, describe(http.MethodGet, t.one()+"/timeline", t.title, "List what happened to a contact, who did it, when and why"), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the contact"`
	}) (*Answered[List[readmodels.TimelineEntry]], error) {
		return listing(ctx, s, in.Listing, t.path+"/"+in.ID.String()+"/timeline", role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.TimelineEntry], error) {
			if err := t.must(ctx, q, in.ID); err != nil {
				return table.Found[readmodels.TimelineEntry]{}, err
			}
			return readmodels.TimelineOf(ctx, q, in.ID, who(ctx).Sight, p)
		})
	})
}

// contactFilter resolves the names in a query to ids.
func (s *server) contactFilter(ctx context.Context, q table.Queryer, in *ContactQuery) (readmodels.ContactFilter, error) {
	f := readmodels.ContactFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}
	all := []naming{{"group", "group", in.Group, &f.Group}, {"company", "company", string(in.Company), &f.Company}}
	tags, without := make([]*uuid.UUID, len(in.Tag)), make([]*uuid.UUID, len(in.TagNot))
	for i, name := range in.Tag {
		all = append(all, naming{"tag", "tag/contacts", name, &tags[i]})
	}
	for i, name := range in.TagNot {
		all = append(all, naming{"tag_not", "tag/contacts", name, &without[i]})
	}
	err := s.resolveAll(ctx, q, all...)
	f.Tags, f.Without = tags, without
	return f, err
}
