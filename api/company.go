package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/company"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// CompanyQuery asks for companies.
type CompanyQuery struct {
	Listing
	Q       string `query:"q" maxLength:"200" doc:"Words that the name or the addresses contain"`
	Group   string `query:"group" doc:"A group, by id or name"`
	Ref     string `query:"ref" doc:"The name that an imported desk had for it"`
	Deleted bool   `query:"deleted" doc:"Also those that are deleted"`
}

// companies are the routes of companies.
func (s *server) companies() {
	t := resourceOf(s, company.Stream, "/v1/companies", "Companies", role.ContactsRead, readmodels.CompaniesTable,
		func(r readmodels.Company) int64 { return r.Revision })
	create[commands.RegisterCompany](t, "Register a company")
	lists(t, "Search companies, by name", func(ctx context.Context, in *CompanyQuery) (f readmodels.CompanyFilter, err error) {
		f = readmodels.CompanyFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}
		if in.Group != "" {
			f.Group, err = s.find(ctx, "group", in.Group)
		}
		return f, err
	}, readmodels.FindCompanies)
	get(t, "Get a company, as it is or as it was")
	patch[commands.EditCompany](t, "", "Edit a company")
	deletes[commands.DeleteCompany](t, "Delete a company: its contacts leave it, its history stays")
	put[commands.GroupCompany](t, "/groups/{other}", "Add a company to a group")
	del[commands.UngroupCompany](t, "/groups/{other}", "Remove a company from a group")
	t.timeline()
	huma.Register(s.api, describe(http.MethodGet, t.one()+"/tickets", t.title, "List the tickets of a company's contacts, the newest first"), func(ctx context.Context, in *struct {
		ID uuid.UUID `path:"id" format:"uuid" doc:"The company"`
		TicketQuery
	}) (*Answered[List[TicketRow]], error) {
		in.Company = in.ID
		return s.listTickets(ctx, t.path+"/"+in.ID.String()+"/tickets", &in.TicketQuery)
	})
	huma.Register(s.api, describe(http.MethodGet, t.one()+"/contacts", t.title, "List the contacts of a company"), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"The company"`
	}) (*Answered[List[readmodels.Contact]], error) {
		return listing(ctx, s, in.Listing, t.path+"/"+in.ID.String()+"/contacts", role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Contact], error) {
			if err := mustHave(ctx, q, readmodels.CompaniesTable, in.ID, company.Stream.Unknown); err != nil {
				return table.Found[readmodels.Contact]{}, err
			}
			return readmodels.FindContacts(ctx, q, readmodels.ContactFilter{Company: in.ID}, p)
		})
	})
}
