package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/contact"
	"daybook/domain/picture"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/text"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// ContactQuery are the parameters of a list of contacts.
type ContactQuery struct {
	Listing
	Q        string `query:"q" maxLength:"200" doc:"Words to search for in names and addresses; each is the beginning of a word. Case, accents and the spelling of phone numbers do not matter"`
	Email    string `query:"email" maxLength:"254" doc:"Only contacts with exactly this e-mail address"`
	Phone    string `query:"phone" maxLength:"100" doc:"Only contacts with exactly this phone number, however it is written"`
	Identity string `query:"identity" maxLength:"1000" doc:"Only the contact with this identity, as KIND:VALUE, such as customer:4711 or visitor:abc. The kinds are customer, email, phone, facebook, x, forum and visitor"`
	Tags
	Group          string         `query:"group" doc:"Only contacts in this group, by id or name; none for contacts without groups"`
	Company        string         `query:"company" doc:"Only contacts of this company, by id; none for contacts without a company"`
	Type           []contact.Type `query:"type" doc:"Only contacts of one of these types, separated by commas"`
	Country        []string       `query:"country" doc:"Only contacts in one of these countries, by their two letters (ISO 3166), separated by commas"`
	Ref            string         `query:"ref" doc:"Only contacts with this name in an imported journal"`
	RegisteredFrom string         `query:"registered_from" doc:"Only contacts registered at this instant (RFC 3339) or later"`
	RegisteredTo   string         `query:"registered_to" doc:"Only contacts registered before this instant (RFC 3339)"`
	ChangedFrom    string         `query:"changed_from" doc:"Only contacts that last changed at this instant (RFC 3339) or later"`
	ChangedTo      string         `query:"changed_to" doc:"Only contacts that last changed before this instant (RFC 3339)"`
	SeenFrom       string         `query:"seen_from" doc:"Only contacts that were last seen at this instant (RFC 3339) or later"`
	SeenTo         string         `query:"seen_to" doc:"Only contacts that were last seen before this instant (RFC 3339)"`
	Deleted        bool           `query:"deleted" doc:"Include deleted contacts"`
	ExpandContact
}

// ExpandContact says which things that a contact refers to are shown with it.
type ExpandContact struct {
	Expand []string `query:"expand" enum:"company,tags,groups" doc:"Things that the contact refers to, to include in full, separated by commas"`
}

func (e ExpandContact) expands() []string { return e.Expand }

// OneContact is a query for a contact.
type OneContact struct {
	OneThing
	ExpandContact
}

// A ContactRow is a contact with the things that the query expands. Their fields are not called as those of the contact in Go.
type ContactRow struct {
	readmodels.Contact
	ExpandedCompany *readmodels.Company `json:"company,omitempty" doc:"Company of the contact, if expanded and if there is one"`
	ExpandedTags    []readmodels.Tag    `json:"tags,omitzero" required:"false" doc:"Tags of the contact, if expanded"`
	ExpandedGroups  []readmodels.Group  `json:"groups,omitzero" required:"false" doc:"Groups of the contact, if expanded"`
}

var contactView = view[readmodels.Contact, ContactRow]{func(r readmodels.Contact) ContactRow { return ContactRow{Contact: r} }, []relation[ContactRow]{
	refers("company", companyRows, func(r ContactRow) []uuid.UUID { return []uuid.UUID{uuid.UUID(r.Contact.Company)} }, func(r *ContactRow, all []readmodels.Company) { r.ExpandedCompany = first(all) }),
	refers("tags", tagRows, func(r ContactRow) []uuid.UUID { return r.Contact.Tags }, func(r *ContactRow, all []readmodels.Tag) { r.ExpandedTags = all }),
	refers("groups", groupRows, func(r ContactRow) []uuid.UUID { return r.Contact.Groups }, func(r *ContactRow, all []readmodels.Group) { r.ExpandedGroups = all }),
}}

// contacts are the routes of contacts.
func (s *server) contacts() {
	t := resourceOf(s, contact.Stream, "/v1/contacts", "Contacts", role.ContactsRead, readmodels.ContactsTable,
		func(r readmodels.Contact) int64 { return r.Revision })
	create[commands.RegisterContact](t, "createContact", "Register a contact")
	listsAs(t, "listContacts", "Search contacts, newest first", s.contactFilter, readmodels.FindContacts, contactView, func(in *ContactQuery) []string { return in.Expand })
	gets[OneContact](t, "getContact", "Get a contact, now or in the past", contactView)
	patch[commands.EditContact](t, "", "updateContact", "Edit a contact")
	del[commands.DeleteContact](t, "", "deleteContact", "Delete a contact, whose addresses are then free. They can be restored")
	carries[commands.RestoreContact](t, "/restore", "restoreContact", "Restore a deleted contact, without the addresses that other contacts have by now")
	put[commands.AssignCompany](t, "/company", "setContactCompany", "Assign a contact to a company")
	del[commands.LeaveCompany](t, "/company", "removeContactCompany", "Remove a contact from their company")
	put[commands.TagContact](t, "/tags/{tag}", "addContactTag", "Tag a contact")
	del[commands.UntagContact](t, "/tags/{tag}", "removeContactTag", "Untag a contact")
	put[commands.GroupContact](t, "/groups/{group}", "addContactGroup", "Add a contact to a group")
	del[commands.UngroupContact](t, "/groups/{group}", "removeContactGroup", "Remove a contact from a group")
	put[commands.SetContactField](t, "/fields/{field}", "setContactField", "Set a custom field of a contact")
	del[commands.ClearContactField](t, "/fields/{field}", "clearContactField", "Clear a custom field of a contact")
	carries[commands.Identify](t, "/identify", "identifyContact", "Record the business's own id of a contact, who is a customer from then on")
	post[commands.AcceptOffer](t, "/offers/{offer_id}/accept", "acceptContactOffer", "Make a value that the contact sent their own")
	post[commands.DismissOffer](t, "/offers/{offer_id}/dismiss", "dismissContactOffer", "Dismiss a value that the contact sent. It is not offered again")
	s.lookUp(t)
	creates(t, "/v1/visits", "recordVisit", "Record a visit to the website. Who is seen for the first time is registered as a guest", "The contact who visited again",
		func(v commands.Visit) work.Plan[contact.Contact] { return v })
	huma.Register(s.api, describe(route{http.MethodGet, t.one() + "/duplicates", t.title, "listContactDuplicates", "List the contacts who may be the same person as this one, since one sent an address of the other", role.ContactsRead}), func(ctx context.Context, in *struct {
		Reading
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the contact"`
	}) (*Answered[List[readmodels.Contact]], error) {
		return read(ctx, s, in.Reading, role.ContactsRead, func(q table.Queryer) (all List[readmodels.Contact], err error) {
			row, _, err := t.row(ctx, q, in.ID)
			if err != nil {
				return all, err
			}
			found, err := rowsOf(ctx, source{queryer: q}, contactRows, row.Duplicates)
			all.Data = []readmodels.Contact{}
			for _, id := range row.Duplicates {
				if c, there := found[id]; there {
					all.Data = append(all.Data, c)
				}
			}
			return all, err
		})
	})
	contactNotes(t)
	pictures[commands.SetContactPicture, commands.RemoveContactPicture](t, "a contact", "setContactPicture", "getContactPicture", "removeContactPicture", func(p picture.Picture) commands.SetContactPicture {
		return commands.SetContactPicture{Picture: p}
	})
	huma.Register(s.api, describe(route{http.MethodGet, t.one() + "/tickets", t.title, "listContactTickets", "List the tickets of a contact, newest first", role.TicketsRead}), s.history)
	huma.Register(s.api, describe(route{http.MethodGet, t.one() + "/timeline", t.title, "listContactTimeline", "List what happened to a contact, who did it, when and why", role.ContactsRead}), func(ctx context.Context, in *struct {
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

// contactFilter resolves the names in a query to ids, and addresses to what they are kept as.
func (s *server) contactFilter(ctx context.Context, q table.Queryer, in *ContactQuery) (f readmodels.ContactFilter, err error) {
	f = readmodels.ContactFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}
	for _, kind := range in.Type {
		f.Types = append(f.Types, string(kind))
	}
	for _, country := range in.Country {
		f.Country = append(f.Country, strings.ToUpper(country))
	}
	var errs [5]error
	errs[4] = bounds(bound{"registered_from", in.RegisteredFrom, &f.Registered.From}, bound{"registered_to", in.RegisteredTo, &f.Registered.To},
		bound{"changed_from", in.ChangedFrom, &f.Changed.From}, bound{"changed_to", in.ChangedTo, &f.Changed.To},
		bound{"seen_from", in.SeenFrom, &f.Seen.From}, bound{"seen_to", in.SeenTo, &f.Seen.To})
	f.ID, errs[3] = s.identified(ctx, in.Identity)
	if in.Email != "" {
		f.Email, errs[0] = address.Email("email", in.Email)
	}
	if in.Phone != "" {
		if f.Phone, err = address.Phone("phone", in.Phone, s.Region); err != nil {
			f.Phone = text.Keep(in.Phone) // numbers that cannot be read are kept as they came
		}
	}
	f.Tags, errs[1] = s.tagged(ctx, q, tag.Contacts, in.Tags)
	errs[2] = s.refer(ctx, q, reference{"group", "group", in.Group, &f.Group}, reference{"company", "company", in.Company, &f.Company})
	return f, domain.Join(errs[:]...)
}
