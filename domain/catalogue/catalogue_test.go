package catalogue_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/catalogue"
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

// A sample is an event as it was stored, with the fields that it must decode to. Samples are written once and never
// change: every later version of the program must decode them to the same fields, and store the same form.
type sample struct {
	Stream string          `json:"stream"`
	ID     uuid.UUID       `json:"id"`
	Data   json.RawMessage `json:"data"`
	Meta   json.RawMessage `json:"metadata"`
	Says   map[string]any  `json:"says"`
}

func (s sample) place(name string) personal.Place {
	return personal.Place{Stream: s.Stream, Type: name, Event: s.ID}
}

var write = flag.Bool("write", false, "write samples of event types that have none")

// TestEverySampleIsStillRead decodes the stored samples of every type of event.
func TestEverySampleIsStillRead(t *testing.T) {
	files, err := filepath.Glob("../*/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	sampled := make(map[string]bool)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		sampled[name] = true
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s sample
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			keys := &personaltest.Keys{}
			e, err := catalogue.Decode(s.place(name), s.Data, keys)
			if err != nil {
				t.Fatal(err)
			}
			if meta, err := event.DecodeMetadata(s.place(name), s.Meta, keys); err != nil || !reflect.DeepEqual(meta, metadata) {
				t.Errorf("its metadata reads as %+v, %v", meta, err)
			}
			if again, err := event.Encode(e, s.place(name), uuid.New(), keys); err != nil || shape(t, again) != shape(t, s.Data) {
				t.Errorf("it would be stored as %s (%v)", again, err)
			}
			if again, err := event.EncodeMetadata(metadata, s.place(name), uuid.New(), keys); err != nil || shape(t, again) != shape(t, s.Meta) {
				t.Errorf("its metadata would be stored as %s (%v)", again, err)
			}
			if e.EventType() != name {
				t.Errorf("it reads as a %s", e.EventType())
			}
			if got := says(t, e); !reflect.DeepEqual(got, s.Says) {
				t.Errorf("it says %v, and said %v", got, s.Says)
			}
		})
	}
	for _, name := range catalogue.Types() {
		if !sampled[name] {
			t.Errorf("%s has no stored sample: add one to examples and run this test with -write", name)
		}
	}
}

// metadata is that of all samples.
var metadata = event.Metadata{
	At:        time.Date(2026, 3, 2, 12, 0, 0, 123456000, time.UTC),
	Actor:     event.Actor{Kind: event.Rule, ID: uuid.MustParse("00000000-0000-4000-8000-000000000001"), Version: 3},
	Principal: event.Principal{Kind: event.ByKey, ID: uuid.MustParse("00000000-0000-4000-8000-000000000002")},
	Through:   event.ThroughImport("journal"), Reason: personal.New("They phoned."), Digest: personal.New("digest"),
	Request:     uuid.MustParse("00000000-0000-4000-8000-000000000003"),
	Cause:       uuid.MustParse("00000000-0000-4000-8000-000000000004"),
	Correlation: "0af7651916cd43dd8448eb211c80319c",
}

// shape returns stored JSON with its sealed texts blanked out: they are other bytes each time.
func shape(t *testing.T, stored []byte) string {
	t.Helper()
	var tight bytes.Buffer
	if err := json.Compact(&tight, stored); err != nil {
		t.Fatal(err)
	}
	return sealed.ReplaceAllString(tight.String(), `"sealed"`)
}

var sealed = regexp.MustCompile(`"\$1\$[^"]*"`)

// TestStoredFormIsFrozen keeps the bytes of every stored sample: a form that was ever written to a log never changes. A new
// type of event adds a line; no line changes.
func TestStoredFormIsFrozen(t *testing.T) {
	files, err := filepath.Glob("../*/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%x %s", sha256.Sum256(text), strings.TrimSuffix(filepath.Base(file), ".json")))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[65:], b[65:]) })
	now := strings.Join(lines, "\n") + "\n"
	const path = "testdata/frozen.txt"
	frozen, err := os.ReadFile(path)
	if err != nil && !*write {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(frozen)) {
		if !strings.Contains(now, line) {
			t.Fatalf("the stored sample of %s has changed or is gone: put it back, and give a new form a new type", strings.TrimSpace(line[64:]))
		}
	}
	switch {
	case now == string(frozen):
	case *write:
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(now), 0o644)); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s lacks the sample of a new type of event: run this test with -write", path)
	}
}

// says returns an event's fields as decoded from JSON.
func says(t *testing.T, e event.Event) map[string]any {
	t.Helper()
	fields := make(map[string]any)
	for name, value := range event.Fields(e) {
		fields[name] = value
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	back := make(map[string]any)
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestUnknownTypeIsNamed(t *testing.T) {
	if _, err := catalogue.Decode(personal.Place{Type: "ticket-flew"}, nil, &personaltest.Keys{}); !errors.Is(err, event.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// FuzzDecode decodes arbitrary data. It must not panic.
func FuzzDecode(f *testing.F) {
	for _, name := range catalogue.Types() {
		f.Add(name, []byte(`{"name":"$1$AAAA","tags":[],"addresses":[{"kind":"email","value":"x"}]}`))
		f.Add(name, []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if e, err := catalogue.Decode(personal.Place{Type: name}, data, &personaltest.Keys{}); err == nil {
			for range event.Fields(e) {
			}
		}
	})
}

// TestWriteSamples writes samples for event types that have none. It never changes an existing one.
func TestWriteSamples(t *testing.T) {
	if !*write {
		t.Skip("only with -write")
	}
	for room, events := range examples() {
		for _, e := range events {
			path := filepath.Join("..", room, "testdata", e.EventType()+".json")
			if _, err := os.Stat(path); err == nil {
				continue
			}
			s := sample{Stream: room + "-" + uuid.NewString(), ID: uuid.New(), Says: says(t, e)}
			at, subject, keys := s.place(e.EventType()), uuid.New(), &personaltest.Keys{}
			var err error
			if s.Data, err = event.Encode(e, at, subject, keys); err != nil {
				t.Fatal(err)
			}
			if s.Meta, err = event.EncodeMetadata(metadata, at, subject, keys); err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(s, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func examples() map[string][]event.Event {
	text := personal.New
	ptr := func(s string) *personal.Text { t := text(s); return &t }
	id := uuid.New
	zone, language, admin := "Europe/Rome", "it", role.Admin
	eve := profile.Profile{
		Name: text("Eve"), Avatar: text("https://acme.example/eve.png"), URL: text("https://acme.example"), Address: text("Via Roma 1"),
		Note: text("prefers mail"), TimeZone: zone, Language: language,
	}
	changes := profile.Changes{
		Name: ptr("Eva"), Avatar: ptr("https://acme.example/eva.png"), URL: ptr("https://eva.example"), Address: ptr("Via Roma 2"),
		Note: ptr("prefers calls"), TimeZone: &zone, Language: &language,
	}
	hashed := func(s string) personal.Hashed { return personal.Hash(personaltest.Names{}, "sample", s) }
	mail := contact.Address{Kind: contact.Email, Hashed: hashed("eve@customers.example")}
	wrong := contact.Address{Kind: contact.Phone, Hashed: hashed("call me"), Unread: true}
	login, message := hashed("anna@desk.example"), hashed("<1@customers.example>")
	set := picture.Picture{Large: id(), Small: id()}.By(picture.Picture{Large: id(), Small: id()})
	removed := picture.Removed{Removed: []uuid.UUID{id(), id()}}
	return map[string][]event.Event{
		"agent": {
			agent.Created{Name: text("Ann"), Alias: text("A."), Email: hashed("ann@desk.example"), Role: role.Agent, Ref: text("ann")},
			agent.Edited{Name: ptr("Anna"), Alias: ptr("Anna"), Email: &login, Role: &admin},
			agent.Deleted{}, agent.JoinedDepartment{Department: id()}, agent.LeftDepartment{Department: id()},
			agent.SignedIn{Device: hashed("panel")}, agent.SignedOut{Device: hashed("panel")}, agent.Paused{}, agent.Unpaused{},
			agent.Switched{Department: id(), Service: agent.Chats, On: true}, agent.ClaimLapsed{Reservation: id()},
			agent.PictureSet{Set: set}, agent.PictureRemoved{Removed: removed},
		},
		"company": {
			company.FieldSet{Value: field.Value{Field: id(), Type: field.Text, Value: text("Retail")}}, company.FieldCleared{Field: id()},
			company.Registered{Profile: eve, Emails: []personal.Text{text("a@acme.example")}, Phones: []personal.Text{text("+390669820003")}, Ref: text("acme")},
			company.Edited{Changes: changes}, company.AddressesChanged{Emails: []personal.Text{text("b@acme.example")}, Phones: []personal.Text{text("+390669820004")}},
			company.JoinedGroup{Group: id()}, company.LeftGroup{Group: id()}, company.Deleted{}, company.Restored{},
			company.PictureSet{Set: set}, company.PictureRemoved{Removed: removed},
		},
		"contact": {
			contact.Registered{Profile: eve, Addresses: []contact.Address{mail}, Ref: text("eve")}, contact.Edited{Changes: changes},
			contact.AddressAdded{Address: wrong}, contact.AddressRemoved{Address: mail}, contact.ClaimLapsed{Reservation: id()},
			contact.AssignedCompany{Company: id()}, contact.LeftCompany{Company: id()}, contact.Tagged{Tag: id()}, contact.Untagged{Tag: id()},
			contact.JoinedGroup{Group: id()}, contact.LeftGroup{Group: id()}, contact.Deleted{},
			contact.Restored{Lost: []contact.Address{mail}}, contact.OfferMade{Offer: contact.Offer{ID: id(), Name: ptr("Eva"), Address: &mail}}, contact.OfferClosed{Offer: id(), Outcome: contact.Fulfilled}, contact.DuplicateFound{Contact: id()}, contact.Visited{Page: personal.New("https://shop.example/lamps"), Referrer: personal.New("https://search.example/"), Language: "it", Began: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}, contact.Engaged{}, contact.Located{Country: "IT", Source: contact.OfPhone, TimeZone: new("Europe/Rome"), Rule: "country-zone/1"},
			contact.FieldSet{Value: field.Value{Field: id(), Type: field.Number, Value: text("41.5")}}, contact.FieldCleared{Field: id()},
			contact.NoteAdded{Note: id(), Ticket: id(), Body: text("likes tea")}, contact.NoteEdited{Note: id(), Body: text("likes coffee")}, contact.NoteRemoved{Note: id()},
			contact.PictureSet{Set: set}, contact.PictureRemoved{Removed: removed},
		},
		"department":  {department.Created{Name: "Sales", Ref: text("sales")}, department.Renamed{Name: "Orders"}, department.Deleted{To: id()}},
		"desk":        {desk.LogRestored{Position: 538, Known: 540}, desk.KeysLost{Subjects: []uuid.UUID{id()}}, desk.OwnerEntered{Agent: id()}, desk.OwnerStruck{Agent: id()}, desk.LinesPlayed{Source: "journal", Accepted: []uuid.UUID{id()}, Unchanged: []uuid.UUID{id()}, Rejected: []uuid.UUID{id()}, Malformed: []uuid.UUID{id()}}},
		"field":       {field.Defined{Scope: field.Contacts, Name: "Shoe size", Type: field.Number, Order: 2, Held: id(), Ref: text("shoe")}, field.Renamed{Name: "Size", Held: id()}, field.Moved{Order: 1}, field.Archived{}, field.Unarchived{}, field.ClaimLapsed{Reservation: id()}},
		"group":       {group.Created{Name: "Gold", Held: id(), Look: group.Look{Color: "#000000", Background: "#ffd700"}, Ref: text("Gold")}, group.Renamed{Name: "Platinum", Held: id()}, group.Restyled{Look: group.Look{Color: "#eeeeee"}}, group.Archived{}, group.Unarchived{}, group.ClaimLapsed{Reservation: id()}},
		"key":         {key.Created{Name: text("panel"), Role: role.Agent, Agent: id()}, key.Revoked{}},
		"operation":   {operation.Begun{Plan: "department-delete", About: id(), With: id(), Revision: 3}, operation.Progressed{Things: 100}, operation.Ended{}},
		"reservation": {reservation.Claimed{Category: "contact", Holder: id()}, reservation.Released{Holder: id()}},
		"tag":         {tag.Created{Scope: tag.Tickets, Name: "Billing", Held: id(), Ref: text("billing")}, tag.Renamed{Name: "Invoices", Held: id()}, tag.Archived{}, tag.Unarchived{}, tag.ClaimLapsed{Reservation: id()}},
		"ticket": {
			ticket.Opened{Contact: id(), Company: id(), Channel: "email", Identity: &mail, MessageID: &message, Subject: text("Help"), Body: text("It broke."), Department: id(), Priority: ticket.High, FollowUpOf: id(), Ref: text("case-1")},
			ticket.Received{
				Contact: id(), Identity: &mail, Channel: "email", MessageID: &message, Body: text("Hello?"), Subject: text("Re: Help"), Department: id(), Priority: ticket.Low,
			}, ticket.Joined{Contact: id()}, ticket.Replied{Body: text("Hello")}, ticket.MessageSent{Body: text("Hello")}, ticket.Noted{Body: text("n.b.")}, ticket.Assigned{Agent: id()}, ticket.Unassigned{},
			ticket.Transferred{Department: id(), Cause: ticket.ByCommand}, ticket.Prioritised{Priority: ticket.Urgent}, ticket.Tagged{Tag: id()}, ticket.Untagged{Tag: id()}, ticket.Postponed{}, ticket.Resumed{},
			ticket.Resolved{}, ticket.Reopened{Cause: ticket.ByMessage}, ticket.Closed{}, ticket.MarkedSpam{}, ticket.UnmarkedSpam{}, ticket.Deleted{}, ticket.Restored{}, ticket.SubjectCorrected{Subject: text("Help!")},
		},
	}
}
