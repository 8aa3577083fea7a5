package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/search"
	"daybook/readmodels/table"
)

// A Company is what contacts belong to.
type Company struct {
	ID uuid.UUID `db:"company_id,key" json:"id" doc:"The company"`
	Profile
	Emails       table.List[string]     `db:"emails" json:"emails" doc:"E-mail addresses, normalised"`
	Phones       table.List[string]     `db:"phones" json:"phones" doc:"Phone numbers in E.164"`
	Groups       table.List[uuid.UUID]  `db:"groups" json:"group_ids" doc:"The company's groups"`
	Fields       table.List[FieldValue] `db:"fields" json:"fields" doc:"What the company has in custom fields"`
	Ref          string                 `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	RegisteredAt table.Instant          `db:"registered_at" json:"registered_at" doc:"When it was registered"`
	ChangedAt    table.Instant          `db:"changed_at" json:"changed_at" doc:"When it last changed"`
	DeletedAt    table.Instant          `db:"deleted_at" json:"deleted_at" doc:"When it was deleted, or null"`
	Pictured
	Events
	Sought
}

// A CompanyWord is a word by which a company is found.
type CompanyWord struct {
	Word         string         `db:"word,key" doc:"The word, without case and accents"`
	RegisteredAt table.Instant  `db:"registered_at,key" doc:"When the company was registered"`
	First        table.Position `db:"first_position,key" doc:"The position of the company's first event in the log"`
}

// A CompanyGroup is a company's membership of a group.
type CompanyGroup struct {
	GroupID      uuid.UUID      `db:"group_id,key" doc:"The group"`
	RegisteredAt table.Instant  `db:"registered_at,key" doc:"When the company was registered"`
	First        table.Position `db:"first_position,key" doc:"The position of the company's first event in the log"`
}

// The tables of companies.
var (
	CompaniesTable = table.Table{Name: "companies", Comment: "The companies that contacts belong to.", Row: Company{}, At: "registered_at",
		Indexes: []string{"registered_at, first_position", "name_key, first_position", "position, first_position", "ref"}}
	CompanyWordsTable  = table.Table{Name: "company_words", Comment: "The words by which companies are found.", Row: CompanyWord{}}
	CompanyGroupsTable = table.Table{Name: "company_groups", Comment: "The companies of each group.", Row: CompanyGroup{}}
)

// A CompanyFilter selects companies. Empty fields select all.
type CompanyFilter struct {
	Q       string
	Group   *table.Ref
	Ref     string
	Deleted bool
}

// FindCompanies lists companies by name.
func FindCompanies(ctx context.Context, q table.Queryer, f CompanyFilter, p table.Page) (table.Found[Company], error) {
	ask := table.Ask(CompaniesTable)
	ask.Words("search", &CompanyWordsTable, search.Caller(f.Q))
	grouped(ask, CompanyGroupsTable, f.Group)
	ask.Is("ref", f.Ref)
	unlessDeleted(ask, f.Deleted)
	return table.Find[Company](ctx, q, ask, p, "name", "registered_at", "position")
}

// grouped requires things to be in a group, or in none; nil: whatever they are in.
func grouped(ask *table.Question, links table.Table, group *table.Ref) {
	if group == nil || *group == (table.Ref{}) {
		ask.Lists("groups", group)
		return
	}
	ask.Linked(links, []uuid.UUID{uuid.UUID(*group)})
}
