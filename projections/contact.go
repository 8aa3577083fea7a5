package projections

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/search"
	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// Contacts maintains contacts: one row per contact, with the words by which it is found; and contact_timeline: what happened to each, and
// the tickets that they opened or take part in.
var Contacts = engine.Projection{Name: "contacts", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Contact](l, contact.Stream.Category, readmodels.ContactsTable)
	engine.Derive(rows, readmodels.ContactWordsTable, func(a, b *readmodels.Contact) bool { return a.Search == b.Search }, func(r readmodels.Contact) []readmodels.ContactWord {
		return each(wordsOf(r.Search), func(word string) readmodels.ContactWord {
			return readmodels.ContactWord{Word: word, RegisteredAt: r.RegisteredAt, First: r.First}
		})
	})
	engine.Derive(rows, readmodels.ContactTagsTable, func(a, b *readmodels.Contact) bool { return slices.Equal(a.Tags, b.Tags) }, func(r readmodels.Contact) []readmodels.ContactTag {
		return each(r.Tags, func(tag uuid.UUID) readmodels.ContactTag {
			return readmodels.ContactTag{TagID: tag, RegisteredAt: r.RegisteredAt, First: r.First}
		})
	})
	engine.Derive(rows, readmodels.ContactGroupsTable, func(a, b *readmodels.Contact) bool { return slices.Equal(a.Groups, b.Groups) }, func(r readmodels.Contact) []readmodels.ContactGroup {
		return each(r.Groups, func(group uuid.UUID) readmodels.ContactGroup {
			return readmodels.ContactGroup{GroupID: group, RegisteredAt: r.RegisteredAt, First: r.First}
		})
	})
	entries := engine.NewFacts[readmodels.TimelineEntry](l, readmodels.TimelineTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case contact.ClaimLapsed:
			rows.Update(e.ID, func(r *readmodels.Contact) {
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = max(r.ChangedAt, e.At)
			})
		case ticket.Opened:
			entries.Insert(timelineEntry(e, ev.Contact, table.Ref(e.ID), nil, nil))
		case ticket.Joined:
			entries.Insert(timelineEntry(e, ev.Contact, table.Ref(e.ID), nil, nil))
		case contact.Registered:
			row := readmodels.Contact{
				ID: e.ID, Profile: profileOf(ev.Profile), Ref: ev.Ref.String(), OnlyVisited: ev.Visiting, FirstSeen: e.At, LastSeen: e.At, RegisteredAt: e.At, ChangedAt: e.At, Events: begun(e),
			}
			for _, a := range ev.Addresses {
				row.Addresses = with(row.Addresses, shownAddress(a))
			}
			showByKind(&row)
			row.Sought = contactSought(row)
			row.Type, row.TypeRule = string(typeOf(row)), contact.TypeRule
			rows.Insert(row)
			entries.Insert(timelineEntry(e, e.ID, table.Ref{}, nil, &row))
		case contact.Event:
			rows.Update(e.ID, func(r *readmodels.Contact) {
				before := *r
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = max(r.ChangedAt, e.At)
				r.OnlyVisited = r.OnlyVisited && contact.Visiting(ev)
				changeContact(r, ev, e.At)
				switch ev.(type) {
				case contact.Edited, contact.AddressAdded, contact.AddressRemoved, contact.Restored, contact.FieldSet, contact.FieldCleared:
					r.Sought = contactSought(*r)
					r.Type = string(typeOf(*r))
				}
				entries.Insert(timelineEntry(e, e.ID, table.Ref{}, &before, r))
			})
		}
	}
}}

// timelineEntry returns what a contact's timeline says of an event. before and after are the contact's row, if the event changes it: of a
// registration there is none before.
func timelineEntry(e *engine.Recorded, of uuid.UUID, ticket table.Ref, before, after *readmodels.Contact) readmodels.TimelineEntry {
	entry := readmodels.TimelineEntry{
		Position: table.Position(e.Position), ContactID: of, TicketID: ticket, At: e.At, RecordedAt: e.RecordedAt, Type: e.Event.EventType(),
		Actor: e.Meta.Actor.String(), Through: e.Meta.Through, Reason: e.Meta.Reason.String(),
	}
	set, isSet := e.Event.(contact.FieldSet)
	for field, value := range event.Fields(e.Event) {
		switch {
		case field == "body",
			field == "ticket" && ticket == (table.Ref{}), // whether the caller sees a note's ticket is not known here
			isSet && field == "type":                     // which is the custom field's, and not the contact's
			continue
		}
		was := valueBefore(before, field)
		if isSet && before != nil && field == "value" {
			was = valueIn(before.Fields, set.Field)
		}
		change := readmodels.Change{Field: field, Value: value}
		if was != nil && was != fmt.Sprint(value) { // who left a company was in that one
			change.Before = was
		}
		entry.Changes = append(entry.Changes, change)
	}
	if cleared, is := e.Event.(contact.FieldCleared); is && before != nil {
		entry.Changes = append(entry.Changes, readmodels.Change{Field: "value", Before: valueIn(before.Fields, cleared.Field), Value: ""})
	}
	switch {
	case before == nil && after != nil:
		entry.Changes = append(entry.Changes, readmodels.Change{Field: "type", Value: after.Type})
	case after != nil && before.Type != after.Type:
		entry.Changes = append(entry.Changes, readmodels.Change{Field: "type", Before: before.Type, Value: after.Type})
	}
	return entry
}

// valueBefore returns the value of a field that has one value, or nil.
func valueBefore(r *readmodels.Contact, field string) any {
	if r == nil {
		return nil
	}
	var value string
	switch at, ofProfile := shownIn[field]; {
	case ofProfile:
		value = reflect.ValueOf(r.Profile).Field(at).String()
	case field == "country":
		value = r.Country
	case field == "company" && r.Company != (table.Ref{}):
		value = uuid.UUID(r.Company).String()
	}
	if value == "" {
		return nil
	}
	return value
}

// shownIn is the row's field of a profile for each name.
var shownIn = func() map[string]int {
	at := make(map[string]int)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[readmodels.Profile]()) {
		at[f.Tag.Get("json")] = f.Index[0]
	}
	return at
}()

// typeOf returns the type of a contact, by their name and addresses.
func typeOf(r readmodels.Contact) contact.Type {
	return contact.TypeOf(r.Name, func(yield func(contact.AddressKind, string) bool) {
		for _, a := range r.Addresses {
			if !yield(contact.AddressKind(a.Kind), a.Value) {
				return
			}
		}
	})
}

func changeContact(r *readmodels.Contact, ev contact.Event, at table.Instant) {
	switch ev := ev.(type) {
	case contact.Edited:
		changeProfile(&r.Profile, ev.Changes)
		r.ZoneDerived = r.ZoneDerived && ev.TimeZone == nil
	case contact.Visited:
		r.FirstSeen, r.LastSeen, r.Visits = min(r.FirstSeen, at), max(r.LastSeen, at), r.Visits+1
		if r.Language == "" {
			r.Language = ev.Language
		}
	case contact.Located:
		if r.Country, r.CountrySource = ev.Country, string(ev.Source); ev.Country == "" {
			r.CountrySource = ""
		}
		if ev.TimeZone != nil {
			r.TimeZone, r.ZoneDerived = *ev.TimeZone, true
		}
	case contact.AddressAdded:
		r.Addresses = with(r.Addresses, shownAddress(ev.Address))
		showByKind(r)
	case contact.AddressRemoved:
		dropAddress(r, ev.Address)
	case contact.FieldSet:
		r.Fields = withField(r.Fields, ev.Value)
	case contact.FieldCleared:
		r.Fields = withoutField(r.Fields, ev.Field)
	case contact.OfferMade:
		r.Offers = with(r.Offers, shownOffer(ev.Offer, at))
	case contact.OfferClosed:
		r.Offers = slices.DeleteFunc(slices.Clone(r.Offers), func(o readmodels.Offer) bool { return o.ID == ev.Offer })
	case contact.DuplicateFound:
		r.Duplicates = with(r.Duplicates, ev.Contact)
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
	case contact.PictureSet:
		r.Pictured = pictured(ev.Picture)
	case contact.PictureRemoved:
		r.Pictured = readmodels.Pictured{}
	case contact.Deleted:
		r.DeletedAt = at
	case contact.Restored:
		r.DeletedAt, r.Lost = 0, nil
		for _, a := range ev.Lost {
			dropAddress(r, a)
			r.Lost = append(r.Lost, readmodels.ChannelAddress{Channel: string(a.Kind), Value: a.Value.String()})
		}
	}
}

func shownAddress(a contact.Address) readmodels.Address {
	return readmodels.Address{Kind: string(a.Kind), Value: a.Value.String(), Hash: a.Hash}
}

func shownOffer(o contact.Offer, at table.Instant) readmodels.Offer {
	if o.Address != nil {
		return readmodels.Offer{ID: o.ID, Field: string(o.Address.Kind), Value: o.Address.Value.String(), At: at}
	}
	shown := readmodels.Offer{ID: o.ID, Field: "name", At: at}
	setText(&shown.Value, o.Name)
	return shown
}

func dropAddress(r *readmodels.Contact, a contact.Address) {
	r.Addresses = slices.DeleteFunc(slices.Clone(r.Addresses), func(held readmodels.Address) bool { return held.Kind == string(a.Kind) && held.Hash == a.Hash })
	showByKind(r)
}

// showByKind puts a contact's addresses where the row shows them.
func showByKind(r *readmodels.Contact) {
	r.Customer, r.Emails, r.Phones, r.Channels = "", nil, nil, nil
	for _, a := range r.Addresses {
		switch contact.AddressKind(a.Kind) {
		case contact.Customer:
			r.Customer = a.Value
		case contact.Email:
			r.Emails = append(r.Emails, a.Value)
		case contact.Phone:
			r.Phones = append(r.Phones, a.Value)
		default:
			r.Channels = append(r.Channels, readmodels.ChannelAddress{Channel: a.Kind, Value: a.Value})
		}
	}
}

func contactSought(r readmodels.Contact) readmodels.Sought {
	handles := func(a readmodels.ChannelAddress) string { return a.Value }
	return sought(r.Name, wordsBy(search.Email, r.Emails), wordsBy(search.Phone, r.Phones), search.Text(r.Customer), wordsIn(r.Fields), wordsBy(search.Text, each(r.Channels, handles)))
}

// profileOf returns the row's form of a profile.
func profileOf(p profile.Profile) (r readmodels.Profile) {
	shown, held := reflect.ValueOf(&r).Elem(), reflect.ValueOf(p)
	for i, to := range shownAs {
		shown.Field(to).SetString(shownText(held.Field(i)))
	}
	return r
}

// changeProfile sets the changed fields of a profile.
func changeProfile(r *readmodels.Profile, c profile.Changes) {
	shown, changes := reflect.ValueOf(r).Elem(), reflect.ValueOf(c)
	for i, to := range shownAs {
		if change := changes.Field(i); !change.IsNil() {
			shown.Field(to).SetString(shownText(change.Elem()))
		}
	}
}

// shownAs is the row's field for each field of a profile: the one of the same name.
var shownAs = func() (to []int) {
	row := reflect.TypeFor[readmodels.Profile]()
	for _, f := range reflect.VisibleFields(reflect.TypeFor[profile.Profile]()) {
		shown, found := row.FieldByName(f.Name)
		if !found {
			panic("no field of readmodels.Profile shows " + f.Name)
		}
		to = append(to, shown.Index[0])
	}
	return to
}()

func shownText(v reflect.Value) string {
	if text, personal := v.Interface().(personal.Text); personal {
		return text.String()
	}
	return v.String()
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
