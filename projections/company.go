package projections

import (
	"daybook/domain/company"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// Companies maintains companies: one row per company.
var Companies = engine.Projection{Name: "companies", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Company](l, company.Stream.Category, readmodels.CompaniesTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case company.Registered:
			row := readmodels.Company{
				ID: e.ID, Profile: profileOf(ev.Profile), Emails: plain(ev.Emails), Phones: plain(ev.Phones), Ref: ev.Ref.String(),
				RegisteredAt: e.At, ChangedAt: e.At, Events: begun(e),
			}
			row.Search = companySearch(row)
			rows.Insert(row)
		case company.Event:
			rows.Update(e.ID, func(r *readmodels.Company) {
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = max(r.ChangedAt, e.At)
				switch ev := ev.(type) {
				case company.Edited:
					changeProfile(&r.Profile, ev.Changes)
				case company.AddressesChanged:
					r.Emails, r.Phones = plain(ev.Emails), plain(ev.Phones)
				case company.JoinedGroup:
					r.Groups = with(r.Groups, ev.Group)
				case company.LeftGroup:
					r.Groups = without(r.Groups, ev.Group)
				case company.Deleted:
					r.DeletedAt = e.At
				case company.Restored:
					r.DeletedAt = 0
				}
				r.Search = companySearch(*r)
			})
		}
	}
}}

func companySearch(r readmodels.Company) string {
	words := append([]string{r.Name}, r.Emails...)
	return searchable(append(words, r.Phones...))
}
