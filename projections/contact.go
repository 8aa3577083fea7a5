package projections

import (
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

// Contacts maintains contacts: one row per contact, with the words by which it is found.
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
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case contact.Registered:
			row := readmodels.Contact{
				ID: e.ID, Profile: profileOf(ev.Profile), Ref: ev.Ref.String(), RegisteredAt: e.At, ChangedAt: e.At, Events: begun(e),
			}
			for _, a := range ev.Addresses {
				row.Addresses = with(row.Addresses, shownAddress(a))
			}
			row.Emails, row.Phones, row.Channels = shownByKind(row.Addresses)
			row.Sought = contactSought(row)
			rows.Insert(row)
		case contact.Event:
			rows.Update(e.ID, func(r *readmodels.Contact) {
				r.Moved(e.Position, e.Revision)
				r.ChangedAt = max(r.ChangedAt, e.At)
				changeContact(r, ev, e.At)
				switch ev.(type) {
				case contact.Edited, contact.AddressAdded, contact.AddressRemoved, contact.Restored:
					r.Sought = contactSought(*r)
				}
			})
		}
	}
}}

// ContactTimeline maintains contact_timeline: what happened to each contact, and the tickets that they opened or take part in.
var ContactTimeline = engine.Projection{Name: "contact_timeline", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	entries := engine.NewFacts[readmodels.TimelineEntry](l, readmodels.TimelineTable)
	return func(e *engine.Recorded) {
		var entry readmodels.TimelineEntry
		switch ev := e.Event.(type) {
		case contact.ClaimLapsed:
			return
		case contact.Event:
			entry.ContactID = e.ID
		case ticket.Opened:
			entry.ContactID, entry.TicketID = ev.Contact, table.Ref(e.ID)
		case ticket.Joined:
			entry.ContactID, entry.TicketID = ev.Contact, table.Ref(e.ID)
		default:
			return
		}
		entry.Position, entry.At, entry.RecordedAt, entry.Type = table.Position(e.Position), e.At, e.RecordedAt, e.Event.EventType()
		entry.Actor, entry.Through, entry.Reason = e.Meta.Actor.String(), e.Meta.Through, e.Meta.Reason.String()
		for field, value := range event.Fields(e.Event) {
			if field != "body" && (field != "ticket" || entry.TicketID != (table.Ref{})) { // whether the caller sees a note's ticket is not known here
				entry.Changes = append(entry.Changes, readmodels.Change{Field: field, Value: value})
			}
		}
		entries.Insert(entry)
	}
}}

func changeContact(r *readmodels.Contact, ev contact.Event, at table.Instant) {
	switch ev := ev.(type) {
	case contact.Edited:
		changeProfile(&r.Profile, ev.Changes)
	case contact.AddressAdded:
		r.Addresses = with(r.Addresses, shownAddress(ev.Address))
		r.Emails, r.Phones, r.Channels = shownByKind(r.Addresses)
	case contact.AddressRemoved:
		dropAddress(r, ev.Address)
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
	r.Emails, r.Phones, r.Channels = shownByKind(r.Addresses)
}

// shownByKind returns addresses in the lists in which a contact shows them.
func shownByKind(all []readmodels.Address) (emails, phones table.List[string], channels table.List[readmodels.ChannelAddress]) {
	for _, a := range all {
		switch contact.AddressKind(a.Kind) {
		case contact.Email:
			emails = append(emails, a.Value)
		case contact.Phone:
			phones = append(phones, a.Value)
		default:
			channels = append(channels, readmodels.ChannelAddress{Channel: a.Kind, Value: a.Value})
		}
	}
	return emails, phones, channels
}

func contactSought(r readmodels.Contact) readmodels.Sought {
	handles := func(a readmodels.ChannelAddress) string { return a.Value }
	return sought(r.Name, wordsBy(search.Email, r.Emails), wordsBy(search.Phone, r.Phones), wordsBy(search.Text, each(r.Channels, handles)))
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
