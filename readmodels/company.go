package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// A Company is what contacts belong to.
type Company struct {
	ID uuid.UUID `db:"company_id,key" json:"id" doc:"The company"`
	Profile
	Emails       table.List[string]    `db:"emails" json:"emails" doc:"E-mail addresses, normalised"`
	Phones       table.List[string]    `db:"phones" json:"phones" doc:"Phone numbers in E.164"`
	Groups       table.List[uuid.UUID] `db:"groups" json:"group_ids" doc:"The company's groups"`
	Ref          string                `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	RegisteredAt table.Instant         `db:"registered_at" json:"registered_at" doc:"When it was registered"`
	ChangedAt    table.Instant         `db:"changed_at" json:"changed_at" doc:"When it last changed"`
	DeletedAt    table.Instant         `db:"deleted_at" json:"deleted_at" doc:"When it was deleted, or null"`
	Events
	Search string `db:"search" json:"-" doc:"Name and addresses in lower case, for searching"`
}

// CompaniesTable is the table of companies.
var CompaniesTable = table.Table{Name: "companies", Comment: "The companies that contacts belong to.", Row: Company{}}

// A CompanyFilter selects companies. Empty fields select all.
type CompanyFilter struct {
	Q       string
	Group   *uuid.UUID
	Ref     string
	Deleted bool
}

// FindCompanies lists companies by name.
func FindCompanies(ctx context.Context, q table.Queryer, f CompanyFilter, p table.Page) (table.Found[Company], error) {
	var w table.Where
	w.Contains("search", f.Q)
	w.Lists(`"groups"`, f.Group)
	w.Is("ref", f.Ref)
	unlessDeleted(&w, f.Deleted)
	return table.Find[Company](ctx, q, CompaniesTable, w, p, "name", "registered_at", "position")
}
