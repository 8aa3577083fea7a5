package projections_test

import (
	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/group"
	"daybook/domain/key"
	"daybook/domain/operation"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/picture"
	"daybook/domain/profile"
	"daybook/domain/reservation"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// stories has one story for each type of event: the events before it. The event itself is its stored sample, which happens to the
// entity of its kind in things. What the event changes is in testdata/TYPE.txt; tell_test.go says how it is told.
//
// An event that changes nothing in the state, or nothing in the tables, says why.
var stories = map[string]story{
	"agent-created":     given(),
	"agent-edited":      given(created),
	"agent-deleted":     given(created, happened(agent.JoinedDepartment{Department: sales}, agent.SignedIn{Device: hashed("panel")})),
	"agent-signed-in":   given(created, happened(agent.JoinedDepartment{Department: sales}, agent.SignedIn{Device: hashed("android")}, agent.SignedOut{Device: hashed("android")})),
	"agent-signed-out":  given(created, happened(agent.JoinedDepartment{Department: sales}, agent.SignedIn{Device: hashed("panel")})),
	"agent-paused":      given(created, happened(agent.SignedIn{Device: hashed("panel")})),
	"agent-unpaused":    given(created, happened(agent.SignedIn{Device: hashed("panel")}, agent.Paused{})),
	"agent-picture-set": given(created),
	"agent-picture-removed": after(func(e agent.PictureRemoved) past {
		return and(created, happened(agent.PictureSet{Set: picture.Picture{}.By(picture.Picture{Large: e.Removed.Removed[0], Small: e.Removed.Removed[1]})}))
	}),
	"agent-claim-lapsed":      given(created).changesNoState(lapsed).changesNoRow(lapsed),
	"agent-joined-department": given(created, happened(agent.SignedIn{Device: hashed("panel")})),
	"agent-left-department": after(func(e agent.LeftDepartment) past {
		return and(created, happened(agent.JoinedDepartment{Department: sales}, agent.JoinedDepartment(e), agent.SignedIn{Device: hashed("panel")}))
	}),
	"agent-switched": after(func(e agent.Switched) past {
		off := agent.Switched{Department: e.Department, Service: e.Service, On: !e.On}
		return and(created, happened(agent.JoinedDepartment{Department: e.Department}, off, agent.SignedIn{Device: hashed("panel")}))
	}),

	"company-registered":        given(),
	"company-edited":            given(founded),
	"company-addresses-changed": given(founded),
	"company-joined-group":      given(founded),
	"company-left-group":        after(func(e company.LeftGroup) past { return and(founded, happened(company.JoinedGroup(e))) }),
	"company-picture-set":       given(founded),
	"company-picture-removed": after(func(e company.PictureRemoved) past {
		return and(founded, happened(company.PictureSet{Set: picture.Picture{}.By(picture.Picture{Large: e.Removed.Removed[0], Small: e.Removed.Removed[1]})}))
	}),
	"company-deleted":  given(founded),
	"company-restored": given(founded, happened(company.Deleted{})),

	"contact-registered":       given(),
	"contact-edited":           given(registered),
	"contact-address-added":    given(registered),
	"contact-address-removed":  after(func(e contact.AddressRemoved) past { return and(registered, happened(contact.AddressAdded(e))) }),
	"contact-assigned-company": given(registered),
	"contact-left-company":     after(func(e contact.LeftCompany) past { return and(registered, happened(contact.AssignedCompany(e))) }),
	"contact-tagged":           given(registered),
	"contact-untagged":         after(func(e contact.Untagged) past { return and(registered, happened(contact.Tagged(e))) }),
	"contact-joined-group":     given(registered),
	"contact-left-group":       after(func(e contact.LeftGroup) past { return and(registered, happened(contact.JoinedGroup(e))) }),
	"contact-picture-set":      given(registered),
	"contact-picture-removed": after(func(e contact.PictureRemoved) past {
		return and(registered, happened(contact.PictureSet{Set: picture.Picture{}.By(picture.Picture{Large: e.Removed.Removed[0], Small: e.Removed.Removed[1]})}))
	}),
	"contact-deleted": given(registered),
	"contact-restored": after(func(e contact.Restored) past {
		return and(registered, happened(contact.AddressAdded{Address: e.Lost[0]}, contact.Deleted{}))
	}),
	"contact-offer-made": given(registered),
	"contact-offer-closed": after(func(e contact.OfferClosed) past {
		name := text("Eva")
		return and(registered, happened(contact.OfferMade{Offer: contact.Offer{ID: e.Offer, Name: &name}}))
	}),
	"contact-duplicate-found": given(registered),
	"contact-located":         given(registered),
	"contact-visited":         given(registered),
	"contact-engaged":         given(happened(contact.Registered{Visiting: true})),
	"contact-note-added":      given(registered),
	"contact-note-edited": after(func(e contact.NoteEdited) past {
		return and(registered, happened(contact.NoteAdded{Note: e.Note, Body: text("likes tea")}))
	}).changesNoState("no rule asks for what a note says"),
	"contact-note-removed": after(func(e contact.NoteRemoved) past {
		return and(registered, happened(contact.NoteAdded{Note: e.Note, Body: text("likes tea")}))
	}),
	"contact-claim-lapsed": given(registered).changesNoState(lapsed).changesNoRow(lapsed),

	"department-created": given(),
	"department-renamed": given(happened(department.Created{Name: "Sales"})),
	"department-deleted": given(happened(department.Created{Name: "Sales"})),

	"group-created":      given(),
	"group-renamed":      given(happened(group.Created{Name: "Gold"})),
	"group-restyled":     given(happened(group.Created{Name: "Gold", Look: group.Look{Color: "#000000", Background: "#ffd700"}})),
	"group-archived":     given(happened(group.Created{Name: "Gold"})),
	"group-unarchived":   given(happened(group.Created{Name: "Gold"}, group.Archived{})),
	"group-claim-lapsed": given(happened(group.Created{Name: "Gold"})).changesNoState(lapsed).changesNoRow(lapsed),

	"field-defined":      given(),
	"field-renamed":      given(happened(field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number})),
	"field-moved":        given(happened(field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number})),
	"field-archived":     given(happened(field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number})),
	"field-unarchived":   given(happened(field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number}, field.Archived{})),
	"field-claim-lapsed": given(happened(field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number})).changesNoState(lapsed).changesNoRow(lapsed),

	"contact-field-set": after(func(e contact.FieldSet) past {
		return and(registered, happened(contact.FieldSet{Value: field.Value{Field: e.Field, Type: e.Type, Value: text("40")}}))
	}),
	"contact-field-cleared": after(func(e contact.FieldCleared) past {
		return and(registered, happened(contact.FieldSet{Value: field.Value{Field: e.Field, Type: field.Text, Value: text("Retail")}}))
	}),
	"company-field-set": given(happened(company.Registered{Profile: profile.Profile{Name: text("Acme")}})),
	"company-field-cleared": after(func(e company.FieldCleared) past {
		return happened(company.Registered{Profile: profile.Profile{Name: text("Acme")}}, company.FieldSet{Value: field.Value{Field: e.Field, Type: field.Text, Value: text("Retail")}})
	}),

	"tag-created":      given(),
	"tag-renamed":      given(happened(tag.Created{Scope: tag.Tickets, Name: "Billing"})),
	"tag-archived":     given(happened(tag.Created{Scope: tag.Tickets, Name: "Billing"})),
	"tag-unarchived":   given(happened(tag.Created{Scope: tag.Tickets, Name: "Billing"}, tag.Archived{})),
	"tag-claim-lapsed": given(happened(tag.Created{Scope: tag.Tickets, Name: "Billing"})).changesNoState(lapsed).changesNoRow(lapsed),

	"ticket-opened":            given(),
	"ticket-message-received":  given(opened, happened(ticket.Replied{Body: text("Hello")})),
	"ticket-joined":            given(opened),
	"ticket-replied":           given(opened),
	"ticket-message-sent":      given(opened).changesNoState("only agents answer").changesNoRow("the thread shows it"),
	"ticket-noted":             given(opened).changesNoState("no rule asks for notes"),
	"ticket-assigned":          given(opened),
	"ticket-unassigned":        given(opened, happened(ticket.Assigned{Agent: ben})),
	"ticket-transferred":       given(opened),
	"ticket-prioritised":       given(opened),
	"ticket-subject-corrected": given(opened),
	"ticket-tagged":            given(opened),
	"ticket-untagged":          after(func(e ticket.Untagged) past { return and(opened, happened(ticket.Tagged(e))) }),
	"ticket-postponed":         given(opened),
	"ticket-resumed":           given(opened, happened(ticket.Replied{Body: text("Hello")}, ticket.Postponed{})),
	"ticket-resolved":          given(opened),
	"ticket-reopened":          given(opened, happened(ticket.Resolved{})),
	"ticket-closed":            given(opened, happened(ticket.Resolved{})),
	"ticket-marked-spam":       given(opened),
	"ticket-unmarked-spam":     given(opened, happened(ticket.Resolved{}, ticket.MarkedSpam{})),
	"ticket-deleted":           given(opened),
	"ticket-restored":          given(opened, happened(ticket.Replied{Body: text("Hello")}, ticket.Deleted{})),

	"key-created": given().changesNoRow(keys),
	"key-revoked": given(happened(key.Created{Name: text("panel"), Role: role.Agent, Agent: ann})).changesNoRow(keys),

	"operation-begun":      given(),
	"operation-progressed": given(happened(operation.Begun{Plan: "company-delete", About: acme, Revision: 1})),
	"operation-ended":      given(happened(operation.Begun{Plan: "company-delete", About: acme, Revision: 1}, operation.Progressed{Things: 3})),

	// Daybook's own events.
	"log-restored": given().changesNoRow(keys),
	"keys-lost":    given().changesNoRow(keys),
	"name-claimed": given().changesNoRow(reserved),
	"name-released": after(func(e reservation.Released) past {
		return happened(reservation.Claimed{Category: "contact", Holder: e.Holder})
	}).changesNoRow(reserved),
	"owner-entered": given().changesNoRow(roll),
	"owner-struck":  after(func(e desk.OwnerStruck) past { return happened(desk.OwnerEntered(e)) }).changesNoRow(roll),
	"journal-lines-played": given().
		changesNoState("the player of a journal reads which lines were played from the events themselves").
		changesNoRow("what lines did stands in the events of the things that they changed"),
}

// Why some events change nothing.
const (
	lapsed   = "it says only that a name that was claimed was never used"
	reserved = "who has a name stands in the row of the thing that has it"
	keys     = "which keys there are is asked of the vault; the audit trail is read from the log"
	roll     = "who is an owner stands in the agent's row"
)

// The entities of the stories. Texts show them by these names.
var (
	ann   = numbered(0xa1) // acts in all stories
	ben   = numbered(0xa2)
	acme  = numbered(0xc1)
	eve   = numbered(0xe1)
	sales = numbered(0xd1)
	help  = numbered(0xf1)

	things = map[string]uuid.UUID{ // by category: the entity that an event happens to
		agent.Stream.Category: ann, company.Stream.Category: acme, contact.Stream.Category: eve, department.Stream.Category: sales,
		group.Stream.Category: numbered(0xb1), tag.Stream.Category: numbered(0xb2), ticket.Stream.Category: help,
		operation.Stream.Category: numbered(0xb3), reservation.Stream.Category: numbered(0xb4),
		key.Stream.Category: numbered(0xb6), desk.OwnersStream.Category: desk.OwnersID, desk.LogStream.Category: desk.LogID, desk.ImportStream.Category: numbered(0xb5),
	}
	names = map[uuid.UUID]string{
		ann: "ann", ben: "ben", acme: "acme", eve: "eve", sales: "sales", help: "help", things["group"]: "gold", things["tag"]: "billing",
		things["operation"]: "plan", things["reservation"]: "name", things["owners"]: "roll", things["key"]: "panel", things["import"]: "journal",
	}
)

// The beginnings of many stories.
var (
	created    = happened(agent.Created{Name: text("Ann"), Alias: text("A."), Email: hashed("ann@desk.example"), Role: role.Agent})
	founded    = happened(company.Registered{Profile: profile.Profile{Name: text("Acme")}, Emails: texts("info@acme.example"), Phones: texts("+390669820001")})
	registered = happened(contact.Registered{Profile: profile.Profile{Name: text("Eve")}, Addresses: []contact.Address{{Kind: contact.Phone, Hashed: hashed("+390669820002")}}})
	opened     = happened(ticket.Opened{Contact: eve, Channel: "email", Subject: text("Help"), Body: text("It broke."), Department: sales, Priority: ticket.Normal})
)

// A past is the events before the one that a story is about, of any streams, in order.
type past []happening

// A happening is an event and the entity that it happened to.
type happening struct {
	thing uuid.UUID
	event event.Event
}

// given begins a story with what happened before.
func given(before ...past) story {
	return story{before: func(event.Event) past { return and(before...) }}
}

// after begins a story with the past that the event's own values require.
func after[E event.Event](before func(E) past) story {
	return story{before: func(e event.Event) past { return before(e.(E)) }}
}

// happened is a past of events, each of the entity of its kind.
func happened(events ...event.Event) past {
	var p past
	for _, e := range events {
		p = append(p, happening{things[kindOf(e.EventType()).Category], e})
	}
	return p
}

// and joins pasts.
func and(pasts ...past) past {
	var all past
	for _, p := range pasts {
		all = append(all, p...)
	}
	return all
}

func text(plain string) personal.Text { return personal.New(plain) }

func hashed(plain string) personal.Hashed {
	return personal.Hash(personaltest.Names{}, "sample", plain)
}

func texts(plain ...string) []personal.Text {
	var all []personal.Text
	for _, p := range plain {
		all = append(all, text(p))
	}
	return all
}

func numbered(n byte) uuid.UUID { return uuid.UUID{15: n} }
