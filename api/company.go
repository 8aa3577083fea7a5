package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain/company"
	"daybook/domain/picture"
	"daybook/domain/role"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// CompanyQuery are the parameters of a list of companies.
type CompanyQuery struct {
	Listing
	Q       string `query:"q" maxLength:"200" doc:"Words to search for in names and addresses; each is the beginning of a word"`
	Group   string `query:"group" doc:"Only companies in this group, by id or name; none for companies without groups"`
	Ref     string `query:"ref" doc:"Only companies with this name in an imported journal"`
	Deleted bool   `query:"deleted" doc:"Include deleted companies"`
	ExpandCompany
}

// ExpandCompany says which things that a company refers to are shown with it.
type ExpandCompany struct {
	Expand []string `query:"expand" enum:"groups" doc:"Things that the company refers to, to include in full"`
}

func (e ExpandCompany) expands() []string { return e.Expand }

// OneCompany is a query for a company.
type OneCompany struct {
	OneThing
	ExpandCompany
}

// A CompanyRow is a company with the things that the query expands.
type CompanyRow struct {
	readmodels.Company
	ExpandedGroups []readmodels.Group `json:"groups,omitzero" required:"false" doc:"Groups of the company, if expanded"`
}

var companyView = view[readmodels.Company, CompanyRow]{func(r readmodels.Company) CompanyRow { return CompanyRow{Company: r} }, []relation[CompanyRow]{
	refers("groups", groupRows, func(r CompanyRow) []uuid.UUID { return r.Company.Groups }, func(r *CompanyRow, all []readmodels.Group) { r.ExpandedGroups = all }),
}}

// companies are the routes of companies.
func (s *server) companies() {
	t := resourceOf(s, company.Stream, "/v1/companies", "Companies", role.ContactsRead, readmodels.CompaniesTable,
		func(r readmodels.Company) int64 { return r.Revision })
	create[commands.RegisterCompany](t, "createCompany", "Register a company")
	listsAs(t, "listCompanies", "Search companies, ordered by name", func(ctx context.Context, q table.Queryer, in *CompanyQuery) (f readmodels.CompanyFilter, err error) {
		f = readmodels.CompanyFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}
		return f, s.refer(ctx, q, reference{"group", "group", in.Group, &f.Group})
	}, readmodels.FindCompanies, companyView, func(in *CompanyQuery) []string { return in.Expand })
	gets[OneCompany](t, "getCompany", "Get a company, now or in the past", companyView)
	patch[commands.EditCompany](t, "", "updateCompany", "Edit a company")
	deletes[commands.DeleteCompany](t, "deleteCompany", "Delete a company and remove its contacts from it. Its history stays. It can be restored")
	post[commands.RestoreCompany](t, "/restore", "restoreCompany", "Restore a deleted company, without the contacts who left it when it was deleted")
	put[commands.SetCompanyField](t, "/fields/{field}", "setCompanyField", "Set a custom field of a company")
	del[commands.ClearCompanyField](t, "/fields/{field}", "clearCompanyField", "Clear a custom field of a company")
	put[commands.GroupCompany](t, "/groups/{group}", "addCompanyGroup", "Add a company to a group")
	del[commands.UngroupCompany](t, "/groups/{group}", "removeCompanyGroup", "Remove a company from a group")
	pictures[commands.SetCompanyPicture, commands.RemoveCompanyPicture](t, "a company", "setCompanyPicture", "getCompanyPicture", "removeCompanyPicture", func(p picture.Picture) commands.SetCompanyPicture {
		return commands.SetCompanyPicture{Picture: p}
	})
	t.timeline("listCompanyTimeline")
	huma.Register(s.api, describe(route{http.MethodGet, t.one() + "/tickets", t.title, "listCompanyTickets", "List the tickets of a company's contacts, newest first", role.TicketsRead}), func(ctx context.Context, in *struct {
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the company"`
		TicketTerms
	}) (*Answered[List[TicketRow]], error) {
		return s.listTickets(ctx, t.path+"/"+in.ID.String()+"/tickets", in.TicketTerms, func(q table.Queryer) (readmodels.TicketFilter, error) {
			return readmodels.TicketFilter{Company: (*table.Ref)(&in.ID)}, t.must(ctx, q, in.ID)
		})
	})
	huma.Register(s.api, describe(route{http.MethodGet, t.one() + "/contacts", t.title, "listCompanyContacts", "List the contacts of a company", role.ContactsRead}), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the company"`
		ExpandContact
	}) (*Answered[List[ContactRow]], error) {
		return listing(ctx, s, in.Listing, t.path+"/"+in.ID.String()+"/contacts", role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[ContactRow], error) {
			if err := t.must(ctx, q, in.ID); err != nil {
				return table.Found[ContactRow]{}, err
			}
			found, err := readmodels.FindContacts(ctx, q, readmodels.ContactFilter{Company: (*table.Ref)(&in.ID)}, p)
			return contactView.page(ctx, q, found, err, in.Expand)
		})
	})
}
