package projections

import (
	"strings"

	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Contacts keeps contacts: one row a contact, with what a search looks at.
var Contacts = Projection{Name: "contacts", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch ev := e.Event.(type) {
	case contact.Registered:
		row := readmodels.Contact{
			ID: e.ID, Profile: profileOf(ev.Profile), Ref: ev.Ref, RegisteredAt: e.At, ChangedAt: e.At, Revision: int64(e.Revision),
		}
		for _, a := range ev.Addresses {
			addAddress(&row, a)
		}
		row.Search = contactSearch(row)
		t.Contacts.Insert(row)
	case contact.Event:
		t.Contacts.Update(e.ID, func(r *readmodels.Contact) {
			r.Revision, r.ChangedAt = int64(e.Revision), e.At
			changeContact(r, ev, e.At)
			r.Search = contactSearch(*r)
		})
	}
}}

func changeContact(r *readmodels.Contact, ev contact.Event, at table.Instant) {
	switch ev := ev.(type) {
	case contact.Edited:
		changeProfile(&r.Profile, ev.Changes)
	case contact.AddressAdded:
		addAddress(r, ev.Address)
	case contact.AddressRemoved:
		removeAddress(r, ev.Address)
	case contact.AssignedCompany:
		r.Company = table.Ref(ev.Company)
	case contact.LeftCompany:
		r.Company = table.Ref{}
	case contact.Tagged:
		r.Tags = with(r.Tags, ev.Tag)
	case contact.Untagged:
		r.Tags = without(r.Tags, ev.Tag)
	case contact.JoinedGroup:
		r.Groups = with(r.Groups, ev.Group)
	case contact.LeftGroup:
		r.Groups = without(r.Groups, ev.Group)
	case contact.Deleted:
		r.DeletedAt = at
	}
}

func addAddress(r *readmodels.Contact, a contact.Address) {
	switch a.Channel {
	case contact.Email:
		r.Emails = with(r.Emails, a.Value.String())
	case contact.Phone:
		r.Phones = with(r.Phones, a.Value.String())
	default:
		r.Channels = with(r.Channels, readmodels.ChannelAddress{Channel: string(a.Channel), Value: a.Value.String()})
	}
}

func removeAddress(r *readmodels.Contact, a contact.Address) {
	switch a.Channel {
	case contact.Email:
		r.Emails = without(r.Emails, a.Value.String())
	case contact.Phone:
		r.Phones = without(r.Phones, a.Value.String())
	default:
		r.Channels = without(r.Channels, readmodels.ChannelAddress{Channel: string(a.Channel), Value: a.Value.String()})
	}
}

func contactSearch(r readmodels.Contact) string {
	words := append([]string{r.Name}, r.Emails...)
	words = append(words, r.Phones...)
	for _, a := range r.Channels {
		words = append(words, a.Value)
	}
	return searchable(words)
}

// Companies keeps companies: one row a company.
var Companies = Projection{Name: "companies", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch ev := e.Event.(type) {
	case company.Registered:
		row := readmodels.Company{
			ID: e.ID, Profile: profileOf(ev.Profile), Emails: plain(ev.Emails), Phones: plain(ev.Phones), Ref: ev.Ref,
			RegisteredAt: e.At, ChangedAt: e.At, Revision: int64(e.Revision),
		}
		row.Search = companySearch(row)
		t.Companies.Insert(row)
	case company.Event:
		t.Companies.Update(e.ID, func(r *readmodels.Company) {
			r.Revision, r.ChangedAt = int64(e.Revision), e.At
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
			}
			r.Search = companySearch(*r)
		})
	}
}}

func companySearch(r readmodels.Company) string {
	words := append([]string{r.Name}, r.Emails...)
	return searchable(append(words, r.Phones...))
}

func searchable(words []string) string { return strings.ToLower(strings.Join(words, "\n")) }

func profileOf(p profile.Profile) readmodels.Profile {
	return readmodels.Profile{
		Name: p.Name.String(), Avatar: p.Avatar.String(), URL: p.URL.String(), Address: p.Address.String(), Note: p.Note.String(),
		TimeZone: p.TimeZone, Language: p.Language,
	}
}

func changeProfile(r *readmodels.Profile, c profile.Changes) {
	setText(&r.Name, c.Name)
	setText(&r.Avatar, c.Avatar)
	setText(&r.URL, c.URL)
	setText(&r.Address, c.Address)
	setText(&r.Note, c.Note)
	if c.TimeZone != nil {
		r.TimeZone = *c.TimeZone
	}
	if c.Language != nil {
		r.Language = *c.Language
	}
}

func setText(field *string, value *personal.Text) {
	if value != nil {
		*field = value.String()
	}
}

func plain(texts []personal.Text) table.List[string] {
	list := make(table.List[string], len(texts))
	for i, t := range texts {
		list[i] = t.String()
	}
	return list
}
