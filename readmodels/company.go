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
	Groups       table.List[uuid.UUID] `db:"groups" json:"groups" doc:"Groups that the company is in"`
	Ref          string                `db:"ref" json:"ref,omitempty" doc:"The name that an imported desk had for it"`
	RegisteredAt table.Instant         `db:"registered_at" json:"registered_at" doc:"When it was registered"`
	ChangedAt    table.Instant         `db:"changed_at" json:"changed_at" doc:"When something of it last changed"`
	DeletedAt    table.Instant         `db:"deleted_at" json:"deleted_at" doc:"When it was taken out of use, or null"`
	Revision     int64                 `db:"revision" json:"-" doc:"The number of its last event"`
	Search       string                `db:"search" json:"-" doc:"Name and addresses in lower case, for searching"`
}

// The tables of contacts.
var (
	CompaniesTable = table.Table{Name: "companies", Comment: "What contacts belong to.", Row: Company{}}
)

// A CompanyFilter says which companies are wanted.
type CompanyFilter struct {
	Q       string
	Group   uuid.UUID
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
	return table.Find(ctx, q, CompaniesTable, w, p, []string{"name", "registered_at"}, func(c Company, sort string) (any, any) {
		if sort == "registered_at" {
			return int64(c.RegisteredAt), c.ID
		}
		return c.Name, c.ID
	})
}
