package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// ContactQuery asks for contacts.
type ContactQuery struct {
	Listing
	Q       string    `query:"q" maxLength:"200" doc:"Words that the name or the addresses contain"`
	Tag     []string  `query:"tag,explode" doc:"Tags, by id or name, that they all have; with ! before it one that they do not have"`
	Group   string    `query:"group" doc:"A group, by id or name"`
	Company uuid.UUID `query:"company" format:"uuid" doc:"A company"`
	Ref     string    `query:"ref" doc:"The name that an imported desk had for the contact"`
	Deleted bool      `query:"deleted" doc:"Also those taken out of use"`
}

func (s *server) contacts() {
	const list, one = "/v1/contacts", "/v1/contacts/{id}"
	create(s, list, "Contacts", "Register a contact", contact.Stream, readmodels.Contact{}, commands.RegisterContact{})
	huma.Register(s.api, operation(http.MethodGet, list, "Contacts", "Search contacts, the newest first"), func(ctx context.Context, in *ContactQuery) (*Answered[List[readmodels.Contact]], error) {
		filter, err := s.contactFilter(ctx, in)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return listing(ctx, s, in.Listing, list, role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Contact], error) {
			return readmodels.FindContacts(ctx, q, filter, p)
		})
	})
	get(s, one, "Contacts", "A contact, now or as of then", "contact", role.ContactsRead, readmodels.ContactsTable, func(r readmodels.Contact) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, one, "Contacts", "Edit a contact", contact.Stream, readmodels.Contact{}, commands.EditContact{})
	step(s, http.MethodDelete, one, "Contacts", "Take a contact out of use", contact.Stream, readmodels.Contact{}, commands.DeleteContact{})
	change(s, http.MethodPut, one+"/company", "Contacts", "Have a contact belong to a company", contact.Stream, readmodels.Contact{}, commands.AssignCompany{})
	step(s, http.MethodDelete, one+"/company", "Contacts", "Have a contact belong to no company", contact.Stream, readmodels.Contact{}, commands.LeaveCompany{})
	link(s, http.MethodPut, one+"/tags/{other}", "Contacts", "Tag a contact", contact.Stream, readmodels.Contact{}, s.contactTag(), func(t uuid.UUID) commands.Command[contact.Contact, contact.Event] {
		return commands.TagContact{Tag: t}
	})
	link(s, http.MethodDelete, one+"/tags/{other}", "Contacts", "Untag a contact", contact.Stream, readmodels.Contact{}, s.contactTag(), func(t uuid.UUID) commands.Command[contact.Contact, contact.Event] {
		return commands.UntagContact{Tag: t}
	})
	link(s, http.MethodPut, one+"/groups/{other}", "Contacts", "Have a contact join a group", contact.Stream, readmodels.Contact{}, s.group(), func(g uuid.UUID) commands.Command[contact.Contact, contact.Event] {
		return commands.GroupContact{Group: g}
	})
	link(s, http.MethodDelete, one+"/groups/{other}", "Contacts", "Have a contact leave a group", contact.Stream, readmodels.Contact{}, s.group(), func(g uuid.UUID) commands.Command[contact.Contact, contact.Event] {
		return commands.UngroupContact{Group: g}
	})
	huma.Register(s.api, operation(http.MethodGet, one+"/tickets", "Contacts", "The history of a contact's tickets, the newest first"), s.history)
	huma.Register(s.api, operation(http.MethodGet, one+"/timeline", "Contacts", "What happened to a contact, who did it, when and why"), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"The contact"`
	}) (*Answered[List[readmodels.TimelineEntry]], error) {
		departments, err := s.sees(ctx)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return listing(ctx, s, in.Listing, list+"/"+in.ID.String()+"/timeline", role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.TimelineEntry], error) {
			if err := mustHave(ctx, q, readmodels.ContactsTable, in.ID, contact.Contact{}.MustExist()); err != nil {
				return table.Found[readmodels.TimelineEntry]{}, err
			}
			return readmodels.TimelineOf(ctx, q, in.ID, departments, p)
		})
	})
}

// contactTag finds a tag for contacts by id or name.
func (s *server) contactTag() func(context.Context, string) (uuid.UUID, error) {
	return s.named(func(name string) event.Hold { return tag.Named(tag.Contacts, name) }, unknownTag)
}

// ticketTag finds a tag for tickets by id or name.
func (s *server) ticketTag() func(context.Context, string) (uuid.UUID, error) {
	return s.named(func(name string) event.Hold { return tag.Named(tag.Tickets, name) }, unknownTag)
}

// group finds a group by id or name.
func (s *server) group() func(context.Context, string) (uuid.UUID, error) {
	return s.named(group.Named, unknownGroup)
}

// contactFilter finds what the query names.
func (s *server) contactFilter(ctx context.Context, in *ContactQuery) (readmodels.ContactFilter, error) {
	f := readmodels.ContactFilter{Q: in.Q, Company: in.Company, Ref: in.Ref, Deleted: in.Deleted}
	for _, text := range in.Tag {
		name, without := strings.CutPrefix(text, "!")
		id, err := s.contactTag()(ctx, name)
		if err != nil {
			return f, err
		}
		if without {
			f.Without = append(f.Without, id)
		} else {
			f.Tags = append(f.Tags, id)
		}
	}
	if in.Group != "" {
		var err error
		if f.Group, err = s.group()(ctx, in.Group); err != nil {
			return f, err
		}
	}
	return f, nil
}

// mustHave refuses with unknown if a table has no such row.
func mustHave(ctx context.Context, q table.Queryer, in table.Table, id uuid.UUID, unknown error) error {
	there, err := table.Has(ctx, q, in, id)
	if err == nil && !there {
		err = unknown
	}
	return err
}
