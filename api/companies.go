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
	Deleted bool   `query:"deleted" doc:"Also those taken out of use"`
}

func (s *server) companies() {
	const list, one = "/v1/companies", "/v1/companies/{id}"
	create(s, list, "Companies", "Register a company", company.Stream, readmodels.Company{}, commands.RegisterCompany{})
	huma.Register(s.api, operation(http.MethodGet, list, "Companies", "Search companies, by name"), func(ctx context.Context, in *CompanyQuery) (*Answered[List[readmodels.Company]], error) {
		f := readmodels.CompanyFilter{Q: in.Q, Ref: in.Ref, Deleted: in.Deleted}
		if in.Group != "" {
			var err error
			if f.Group, err = s.group()(ctx, in.Group); err != nil {
				return nil, s.refused(ctx, err)
			}
		}
		return listing(ctx, s, in.Listing, list, role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Company], error) {
			return readmodels.FindCompanies(ctx, q, f, p)
		})
	})
	get(s, one, "Companies", "A company, now or as of then", "company", role.ContactsRead, readmodels.CompaniesTable, func(r readmodels.Company) int64 { return r.Revision }, nil)
	change(s, http.MethodPatch, one, "Companies", "Edit a company", company.Stream, readmodels.Company{}, commands.EditCompany{})
	step(s, http.MethodDelete, one, "Companies", "Take a company out of use", company.Stream, readmodels.Company{}, commands.DeleteCompany{})
	link(s, http.MethodPut, one+"/groups/{other}", "Companies", "Have a company join a group", company.Stream, readmodels.Company{}, s.group(), func(g uuid.UUID) commands.Command[company.Company, company.Event] {
		return commands.GroupCompany{Group: g}
	})
	link(s, http.MethodDelete, one+"/groups/{other}", "Companies", "Have a company leave a group", company.Stream, readmodels.Company{}, s.group(), func(g uuid.UUID) commands.Command[company.Company, company.Event] {
		return commands.UngroupCompany{Group: g}
	})
	s.timelineOf(one+"/timeline", "Companies", company.Stream.Category, role.ContactsRead)
	huma.Register(s.api, operation(http.MethodGet, one+"/tickets", "Companies", "The tickets of a company's contacts, the newest first"), func(ctx context.Context, in *struct {
		ID uuid.UUID `path:"id" format:"uuid" doc:"The company"`
		TicketQuery
	}) (*Answered[List[TicketRow]], error) {
		in.Company = in.ID
		return s.listTickets(ctx, list+"/"+in.ID.String()+"/tickets", &in.TicketQuery)
	})
	huma.Register(s.api, operation(http.MethodGet, one+"/contacts", "Companies", "The contacts of a company"), func(ctx context.Context, in *struct {
		Listing
		ID uuid.UUID `path:"id" format:"uuid" doc:"The company"`
	}) (*Answered[List[readmodels.Contact]], error) {
		return listing(ctx, s, in.Listing, list+"/"+in.ID.String()+"/contacts", role.ContactsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Contact], error) {
			if err := mustHave(ctx, q, readmodels.CompaniesTable, in.ID, company.Company{}.MustExist()); err != nil {
				return table.Found[readmodels.Contact]{}, err
			}
			return readmodels.FindContacts(ctx, q, readmodels.ContactFilter{Company: in.ID}, p)
		})
	})
}
