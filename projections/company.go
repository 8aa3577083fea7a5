package projections

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/company"
	"daybook/domain/search"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// Companies maintains companies: one row per company.
var Companies = engine.Projection{Name: "companies", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Company](l, company.Stream.Category, readmodels.CompaniesTable)
	engine.Derive(rows, readmodels.CompanyWordsTable, func(a, b *readmodels.Company) bool { return a.Search == b.Search }, func(r readmodels.Company) []readmodels.CompanyWord {
		return each(wordsOf(r.Search), func(word string) readmodels.CompanyWord {
			return readmodels.CompanyWord{Word: word, RegisteredAt: r.RegisteredAt, First: r.First}
		})
	})
	engine.Derive(rows, readmodels.CompanyGroupsTable, func(a, b *readmodels.Company) bool { return slices.Equal(a.Groups, b.Groups) }, func(r readmodels.Company) []readmodels.CompanyGroup {
		return each(r.Groups, func(group uuid.UUID) readmodels.CompanyGroup {
			return readmodels.CompanyGroup{GroupID: group, RegisteredAt: r.RegisteredAt, First: r.First}
		})
	})
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case company.Registered:
			row := readmodels.Company{
				ID: e.ID, Profile: profileOf(ev.Profile), Emails: plain(ev.Emails), Phones: plain(ev.Phones), Ref: ev.Ref.String(),
				RegisteredAt: e.At, ChangedAt: e.At, Events: begun(e),
			}
			row.Sought = companySought(row)
			rows.Insert(row)
		case company.Event:
			rows.Update(e.ID, func(r *readmodels.Company) {
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = max(r.ChangedAt, e.At)
				switch ev := ev.(type) {
				case company.Edited:
					changeProfile(&r.Profile, ev.Changes)
					r.Sought = companySought(*r)
				case company.AddressesChanged:
					r.Emails, r.Phones = plain(ev.Emails), plain(ev.Phones)
					r.Sought = companySought(*r)
				case company.JoinedGroup:
					r.Groups = with(r.Groups, ev.Group)
				case company.LeftGroup:
					r.Groups = without(r.Groups, ev.Group)
				case company.FieldSet:
					r.Fields = withField(r.Fields, ev.Value)
					r.Sought = companySought(*r)
				case company.FieldCleared:
					r.Fields = withoutField(r.Fields, ev.Field)
					r.Sought = companySought(*r)
				case company.PictureSet:
					r.Pictured = pictured(ev.Picture)
				case company.PictureRemoved:
					r.Pictured = readmodels.Pictured{}
				case company.Deleted:
					r.DeletedAt = e.At
				case company.Restored:
					r.DeletedAt = 0
				}
			})
		}
	}
}}

func companySought(r readmodels.Company) readmodels.Sought {
	return sought(r.Name, wordsBy(search.Email, r.Emails), wordsBy(search.Phone, r.Phones), wordsIn(r.Fields))
}
