package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/domain/search"
	"daybook/readmodels/table"
)

// A Contact is a person who writes to the desk.
type Contact struct {
	ID uuid.UUID `db:"contact_id,key" json:"id" doc:"The contact"`
	Profile
	ZoneDerived   bool                       `db:"time_zone_derived" json:"time_zone_derived" doc:"Whether the time zone follows from the country, since nobody gave it"`
	Country       string                     `db:"country" json:"country" doc:"The country by its two letters (ISO 3166), or empty"`
	CountrySource string                     `db:"country_source" json:"country_source" doc:"From where the country is known: agent, form, phone or visit; or empty"`
	Type          string                     `db:"type" json:"type" doc:"How well the contact is known: guest, lead or customer"`
	TypeRule      string                     `db:"type_rule" json:"type_rule" doc:"The version of the rule by which the type follows"`
	Emails        table.List[string]         `db:"emails" json:"emails" doc:"E-mail addresses, normalised"`
	Phones        table.List[string]         `db:"phones" json:"phones" doc:"Phone numbers in E.164, and such as could not be read, as they came"`
	Customer      string                     `db:"customer" json:"customer" doc:"The business's own id of the contact, or empty"`
	Channels      table.List[ChannelAddress] `db:"channels" json:"channels" doc:"Addresses on other channels"`
	Addresses     table.List[Address]        `db:"addresses" json:"-" doc:"All addresses with their hashes"`
	Lost          table.List[ChannelAddress] `db:"lost" json:"lost" doc:"Addresses that other contacts had taken when the contact was last restored"`
	Offers        table.List[Offer]          `db:"offers" json:"offers" doc:"Values that the contact sent and that differ from what is known of them"`
	Duplicates    table.List[uuid.UUID]      `db:"duplicates" json:"duplicate_ids" doc:"Contacts who may be the same person, since this one sent an address of theirs, or they one of this one"`
	Company       table.Ref                  `db:"company_id" json:"company_id" doc:"The contact's company, or null"`
	Tags          table.List[uuid.UUID]      `db:"tags" json:"tag_ids" doc:"The contact's tags"`
	Groups        table.List[uuid.UUID]      `db:"groups" json:"group_ids" doc:"The contact's groups"`
	Ref           string                     `db:"ref" json:"ref,omitempty" doc:"The contact's reference in the journal that they were imported from"`
	Fields        table.List[FieldValue]     `db:"fields" json:"fields" doc:"What the contact has in custom fields"`
	OnlyVisited   bool                       `db:"only_visited" json:"only_visited" doc:"Whether the contact did nothing but visit the website"`
	FirstSeen     table.Instant              `db:"first_seen" json:"first_seen" doc:"When the contact was first seen: registered, or on the website"`
	LastSeen      table.Instant              `db:"last_seen" json:"last_seen" doc:"When the contact was last seen: registered, or on the website"`
	Visits        int64                      `db:"visits" json:"visits" doc:"How many visits are recorded: one in half an hour, or of a guest who did nothing else one a day"`
	RegisteredAt  table.Instant              `db:"registered_at" json:"registered_at" doc:"When the contact was registered"`
	ChangedAt     table.Instant              `db:"changed_at" json:"changed_at" doc:"When the contact last changed"`
	DeletedAt     table.Instant              `db:"deleted_at" json:"deleted_at" doc:"When the contact was deleted, or null"`
	Pictured
	Events
	Sought
}

// An Address is an address of a contact. Equal addresses have equal hashes.
type Address struct {
	Kind  string    `json:"kind"`
	Value string    `json:"value"`
	Hash  uuid.UUID `json:"hash"`
}

// An Offer is a value that a contact sent and that differs from what is known of them.
type Offer struct {
	ID    uuid.UUID     `json:"id" doc:"The offer"`
	Field string        `json:"field" doc:"What it is for: name, or a kind of address"`
	Value string        `json:"value" doc:"The value"`
	At    table.Instant `json:"at" doc:"When the contact sent it"`
}

// A ChannelAddress is an address of a kind that is neither e-mail nor phone.
type ChannelAddress struct {
	Channel string `json:"channel" doc:"Kind of the address: visitor, forum, facebook or x; of a lost one, email or phone too"`
	Value   string `json:"value" doc:"The address"`
}

// A Profile holds the fields that contacts and companies share.
type Profile struct {
	Name     string `db:"name" json:"name" doc:"The name"`
	Avatar   string `db:"avatar" json:"avatar" doc:"The URL of a picture, or empty"`
	URL      string `db:"url" json:"url" doc:"The URL of a web page, or empty"`
	Address  string `db:"address" json:"address" doc:"A postal address, or empty"`
	Note     string `db:"note" json:"note" doc:"Free text"`
	TimeZone string `db:"time_zone" json:"time_zone" doc:"A time zone by its IANA name, or empty"`
	Language string `db:"language" json:"language" doc:"A language by its BCP 47 tag, or empty"`
}

// A ContactWord is a word by which a contact is found.
type ContactWord struct {
	Word         string         `db:"word,key" doc:"The word, without case and accents"`
	RegisteredAt table.Instant  `db:"registered_at,key" doc:"When the contact was registered"`
	First        table.Position `db:"first_position,key" doc:"The position of the contact's first event in the log"`
}

// A ContactTag is a tag of a contact.
type ContactTag struct {
	TagID        uuid.UUID      `db:"tag_id,key" doc:"The tag"`
	RegisteredAt table.Instant  `db:"registered_at,key" doc:"When the contact was registered"`
	First        table.Position `db:"first_position,key" doc:"The position of the contact's first event in the log"`
}

// A ContactGroup is a contact's membership of a group.
type ContactGroup struct {
	GroupID      uuid.UUID      `db:"group_id,key" doc:"The group"`
	RegisteredAt table.Instant  `db:"registered_at,key" doc:"When the contact was registered"`
	First        table.Position `db:"first_position,key" doc:"The position of the contact's first event in the log"`
}

// The tables of contacts.
var (
	ContactsTable = table.Table{Name: "contacts", Comment: "The people who write to the desk.", Row: Contact{}, At: "registered_at",
		Indexes: []string{
			"registered_at, first_position, contact_id, deleted_at, company_id", "name_key, first_position, contact_id, deleted_at, company_id, registered_at",
			"changed_at, first_position, registered_at", "position, first_position, registered_at",
			"company_id, registered_at, first_position", "company_id, contact_id", "ref", "type, registered_at, first_position", "last_seen, first_position, registered_at", "country, registered_at, first_position",
		}}
	ContactWordsTable  = table.Table{Name: "contact_words", Comment: "The words by which contacts are found.", Row: ContactWord{}}
	ContactTagsTable   = table.Table{Name: "contact_tags", Comment: "The contacts of each tag.", Row: ContactTag{}}
	ContactGroupsTable = table.Table{Name: "contact_groups", Comment: "The contacts of each group.", Row: ContactGroup{}}
)

// A ContactFilter selects contacts. Empty fields select all.
type ContactFilter struct {
	Q                         string
	ID                        *uuid.UUID
	Email                     string // normalised
	Phone                     string // normalised
	Tags                      Tagged
	Group                     *table.Ref
	Company                   *table.Ref
	Types                     []string // guest, lead, customer
	Country                   []string
	Registered, Changed, Seen Period
	Ref                       string
	Deleted                   bool // deleted ones too
}

// A Period is from one instant until before another. A zero bound means no bound.
type Period struct{ From, To table.Instant }

// FindContacts lists contacts, newest first.
func FindContacts(ctx context.Context, q table.Queryer, f ContactFilter, p table.Page) (table.Found[Contact], error) {
	ask := table.Ask(ContactsTable)
	ask.Key(f.ID)
	ask.Words("search", &ContactWordsTable, search.Caller(f.Q))
	ask.Word("emails", ContactWordsTable, search.Email, f.Email)
	ask.Word("phones", ContactWordsTable, search.Phone, f.Phone)
	f.Tags.in(ask, ContactTagsTable)
	grouped(ask, ContactGroupsTable, f.Group)
	ask.Refers("company_id", f.Company)
	table.AnyOf(ask, "type", f.Types)
	table.AnyOf(ask, "country", f.Country)
	ask.During("registered_at", f.Registered.From, f.Registered.To)
	ask.During("changed_at", f.Changed.From, f.Changed.To)
	ask.During("last_seen", f.Seen.From, f.Seen.To)
	ask.Is("ref", f.Ref)
	unlessDeleted(ask, f.Deleted)
	return table.Find[Contact](ctx, q, ask, p, "-registered_at", "changed_at", "last_seen", "name", "position")
}

// A TimelineEntry is one event of a contact, or the opening of one of the contact's tickets.
type TimelineEntry struct {
	Position   table.Position     `db:"position,key" json:"position" doc:"The event's position in the log"`
	Seq        int64              `db:"seq,key" json:"-" doc:"Always 0: an event has one entry"`
	ContactID  uuid.UUID          `db:"contact_id" json:"contact_id" doc:"The contact"`
	TicketID   table.Ref          `db:"ticket_id" json:"ticket_id" doc:"The ticket concerned, or null"`
	At         table.Instant      `db:"at" json:"at" doc:"When it happened"`
	RecordedAt table.Instant      `db:"recorded_at" json:"recorded_at" doc:"When it was recorded in the log"`
	Type       string             `db:"type" json:"type" doc:"The type of the event"`
	Actor      string             `db:"actor" json:"actor" doc:"Who did it"`
	Through    string             `db:"through" json:"through" doc:"The interface that it came through"`
	Reason     string             `db:"reason" json:"reason" doc:"The reason that the actor gave"`
	Changes    table.List[Change] `db:"changes" json:"changes" doc:"The fields that changed, with their new values"`
}

// A Change is a field's new value.
type Change struct {
	Field  string `json:"field" doc:"The field's name"`
	Before any    `json:"before,omitempty" doc:"Its value before, if it had one"`
	Value  any    `json:"value" doc:"Its new value"`
}

// TimelineTable is the table of the contacts' timelines.
var TimelineTable = table.Table{Name: "contact_timeline", Comment: "What happened to each contact: who did it, when and why.", Row: TimelineEntry{}, At: "at",
	Indexes: []string{"contact_id, at, position"}}

// TimelineOf lists a contact's timeline, newest first, without the tickets outside sight.
func TimelineOf(ctx context.Context, q table.Queryer, contact uuid.UUID, sight role.Sight, p table.Page) (table.Found[TimelineEntry], error) {
	ask := table.Ask(TimelineTable)
	ask.Of("contact_id", contact, nil)
	if departments, all := sight.Departments(); !all {
		ask.AmongIDsOf("ticket_id", TicketsTable, "department_id", departments)
	}
	return table.Find[TimelineEntry](ctx, q, ask, p, "-at")
}
