package catalogue_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/catalogue"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/operation"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/profile"
	"daybook/domain/reservation"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// A sample is an event as it was stored, with the fields that it must decode to. Samples are written once and never
// change: every later version of the program must decode them to the same fields.
type sample struct {
	ID   uuid.UUID       `json:"id"`
	Data json.RawMessage `json:"data"`
	Says map[string]any  `json:"says"`
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
			e, err := catalogue.Decode(name, s.Data, s.ID, &personaltest.Keys{})
			if err != nil {
				t.Fatal(err)
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
	if _, err := catalogue.Decode("ticket-flew", nil, uuid.New(), &personaltest.Keys{}); !errors.Is(err, event.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// FuzzDecode decodes arbitrary data. It must not panic.
func FuzzDecode(f *testing.F) {
	for _, name := range catalogue.Types() {
		f.Add(name, []byte(`{"name":"$1$AAAA","tags":[],"addresses":[{"channel":"email","value":"x"}]}`))
		f.Add(name, []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if e, err := catalogue.Decode(name, data, uuid.Nil, &personaltest.Keys{}); err == nil {
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
			id := uuid.New()
			data, err := event.Encode(e, id, uuid.New(), &personaltest.Keys{})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(sample{id, data, says(t, e)}, "", "\t")
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
	mail := contact.Address{Channel: contact.Email, Value: text("eve@customers.example")}
	return map[string][]event.Event{
		"agent": {
			agent.Created{Name: text("Ann"), Alias: text("A."), Email: text("ann@desk.example"), Role: role.Agent, Ref: "ann"},
			agent.Edited{Name: ptr("Anna"), Alias: ptr("Anna"), Email: ptr("anna@desk.example"), Role: &admin},
			agent.Deleted{}, agent.JoinedDepartment{Department: id()}, agent.LeftDepartment{Department: id()},
			agent.SignedIn{Device: "panel"}, agent.SignedOut{Device: "panel"}, agent.Paused{}, agent.Unpaused{},
			agent.Switched{Department: id(), Service: agent.Chats, On: true}, agent.ClaimLapsed{Reservation: id()},
		},
		"company": {
			company.Registered{Profile: eve, Emails: []personal.Text{text("a@acme.example")}, Phones: []personal.Text{text("+390669820003")}, Ref: "acme"},
			company.Edited{Changes: changes}, company.AddressesChanged{Emails: []personal.Text{text("b@acme.example")}, Phones: []personal.Text{text("+390669820004")}},
			company.JoinedGroup{Group: id()}, company.LeftGroup{Group: id()}, company.Deleted{},
		},
		"contact": {
			contact.Registered{Profile: eve, Addresses: []contact.Address{mail}, Ref: "eve"}, contact.Edited{Changes: changes},
			contact.AddressAdded{Address: mail}, contact.AddressRemoved{Address: mail}, contact.ClaimLapsed{Reservation: id()},
			contact.AssignedCompany{Company: id()}, contact.LeftCompany{Company: id()}, contact.Tagged{Tag: id()}, contact.Untagged{Tag: id()},
			contact.JoinedGroup{Group: id()}, contact.LeftGroup{Group: id()}, contact.Deleted{},
		},
		"department":  {department.Created{Name: "Sales", Ref: "sales"}, department.Renamed{Name: "Orders"}, department.Deleted{}},
		"desk":        {desk.OwnerEntered{Agent: id()}, desk.OwnerStruck{Agent: id()}, desk.LinesPlayed{Source: "journal", Accepted: []string{"a"}, Unchanged: []string{"b"}, Rejected: []string{"c"}, Malformed: []string{"d"}}},
		"group":       {group.Created{Name: "Gold", Look: group.Look{Color: "#000000", Background: "#ffd700"}, Ref: "Gold"}, group.Renamed{Name: "Platinum"}, group.Restyled{Look: group.Look{Color: "#eeeeee"}}, group.Deleted{}, group.ClaimLapsed{Reservation: id()}},
		"operation":   {operation.Begun{Plan: "company-delete", About: id(), Revision: 3}, operation.Progressed{Things: 100}, operation.Ended{}},
		"reservation": {reservation.Claimed{Category: "contact", Holder: id()}, reservation.Released{Holder: id()}},
		"tag":         {tag.Created{Scope: tag.Tickets, Name: "Billing", Ref: "billing"}, tag.Renamed{Name: "Invoices"}, tag.Deleted{}, tag.ClaimLapsed{Reservation: id()}},
		"ticket": {
			ticket.Opened{Contact: id(), Channel: "email", Subject: text("Help"), Body: text("It broke."), Department: id(), Priority: ticket.High, FollowUpOf: id(), Ref: "case-1"},
			ticket.Received{Body: text("Hello?")}, ticket.Replied{Body: text("Hello")}, ticket.Noted{Body: text("n.b.")}, ticket.Assigned{Agent: id()}, ticket.Unassigned{},
			ticket.Transferred{Department: id()}, ticket.Prioritised{Priority: ticket.Urgent}, ticket.Tagged{Tag: id()}, ticket.Untagged{Tag: id()}, ticket.Postponed{}, ticket.Resumed{},
			ticket.Resolved{}, ticket.Reopened{Cause: ticket.ByMessage}, ticket.Closed{}, ticket.MarkedSpam{}, ticket.UnmarkedSpam{}, ticket.Deleted{}, ticket.Restored{}, ticket.SubjectCorrected{Subject: text("Help!")},
		},
	}
}
