package commands_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/picture"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/internal/scenario"
	"daybook/internal/testlog"
)

var (
	acme = uuid.MustParse("00000000-0000-4000-8000-000000000006")
	vip  = uuid.MustParse("00000000-0000-4000-8000-000000000007")
	gold = uuid.MustParse("00000000-0000-4000-8000-000000000008")
)

func text(s string) *string { return &s }

func named(name string) profile.Profile { return profile.Profile{Name: scenario.Text(name)} }

func address(kind contact.AddressKind, value string) contact.Address {
	a, err := contact.NewAddress(personaltest.Names{}, kind, "value", value, "")
	if err != nil {
		panic(err)
	}
	return a
}

var eve = contact.Registered{Profile: named("Eve"), Addresses: []contact.Address{address(contact.Email, "eve@customers.example")}}

func TestRegisterContact(t *testing.T) {
	on := scenario.On(t, contact.Stream)
	on.When(commands.RegisterContact{
		Input:  profile.Input{Name: text(" Eve ")},
		Emails: []string{"Eve@customers.example ", "eve@CUSTOMERS.example"},
		Phones: []string{"+39 06 6982 0002"},
	}).Then(contact.Registered{Profile: named("Eve"), Addresses: []contact.Address{
		address(contact.Email, "eve@customers.example"), address(contact.Phone, "+390669820002"),
	}}, vatican)
	on.Given(eve).When(commands.RegisterContact{Input: profile.Input{Name: text("Eva")}}).ThenRefused("contact-exists")
	on.When(commands.RegisterContact{}).ThenRefused("name-required")
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Emails: []string{"not an address"}}).ThenRefused("email-malformed")
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Emails: []string{"Eve <eve@customers.example>"}}).ThenRefused("email-malformed")
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Phones: []string{"06 6982 0002"}}).ThenRefused("phone-malformed")
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Emails: make([]string, 300)}).ThenRefused("too-many")
	on.When(commands.RegisterContact{Found: true, Channels: []contact.Address{address(contact.Visitor, "v1")}}).
		Then(contact.Registered{Addresses: []contact.Address{address(contact.Visitor, "v1")}})
	on.By(commands.By{Allowed: role.Agent.Permissions(), Region: "IT"}).When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Phones: []string{"06 6982 0002"}}).
		Then(contact.Registered{Profile: named("Eve"), Addresses: []contact.Address{address(contact.Phone, "+390669820002")}}, vatican)
	zone := "Europe/Paris"
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Phones: []string{"+39 06 6982 0002"}, Country: " fr"}).Then(
		contact.Registered{Profile: named("Eve"), Addresses: []contact.Address{address(contact.Phone, "+390669820002")}},
		contact.Located{Country: "FR", Source: contact.SaidByAgent, TimeZone: &zone, Rule: "country-zone/1"})
	on.When(commands.RegisterContact{Input: profile.Input{Name: text("Eve")}, Country: "XX"}).ThenRefused("country-unknown")
}

// vatican is where the phone number 06 6982 is.
var vatican = contact.Located{Country: "VA", Source: contact.OfPhone, TimeZone: text("Europe/Vatican"), Rule: "country-zone/1"}

func TestEditContact(t *testing.T) {
	on := scenario.On(t, contact.Stream).Given(eve)
	on.When(commands.EditContact{Input: profile.Input{
		Name: text("Eve B."), Avatar: text("https://acme.example/eve.png"), URL: text("https://acme.example"), Address: text("Via Roma 1"),
		Note: text("prefers mail"), TimeZone: text("Europe/Rome"), Language: text("IT"),
	}}).Then(contact.Edited{Changes: profile.Changes{
		Name: personalText("Eve B."), Avatar: personalText("https://acme.example/eve.png"), URL: personalText("https://acme.example"),
		Address: personalText("Via Roma 1"), Note: personalText("prefers mail"), TimeZone: text("Europe/Rome"), Language: text("it"),
	}})
	on.When(commands.EditContact{Input: profile.Input{Name: text("Eve")}}).ThenNothing()
	on.When(commands.EditContact{}).ThenNothing()
	on.When(commands.EditContact{Emails: &[]string{"e@customers.example"}}).Then(
		contact.AddressRemoved{Address: address(contact.Email, "eve@customers.example")},
		contact.AddressAdded{Address: address(contact.Email, "e@customers.example")})
	on.When(commands.EditContact{Emails: &[]string{"EVE@customers.example"}}).ThenNothing()
	for code, input := range map[string]profile.Input{
		"name-required":     {Name: text("  ")},
		"text-too-long":     {Name: text(strings.Repeat("x", profile.MaxName+1))},
		"time-zone-unknown": {TimeZone: text("Rome")},
		"language-unknown":  {Language: text("klingon!")},
		"url-malformed":     {URL: text("javascript:alert(1)")},
		"text-encoding":     {Note: text("\xff")},
		"invalid":           {TimeZone: text("Local"), URL: text("ftp://x")},
	} {
		t.Run(code, func(t *testing.T) { on.When(commands.EditContact{Input: input}).ThenRefused(code) })
	}
	for _, says := range []string{"en-x-maria-rossi", "x-maria", "en-u-co-phonebk", "en-a-maria"} { // in clear, for ever
		on.When(commands.EditContact{Input: profile.Input{Language: text(says)}}).ThenRefused("language-unknown")
	}
}

func personalText(s string) *personal.Text {
	text := personal.New(s)
	return &text
}

func TestContactAndCompany(t *testing.T) {
	on := scenario.On(t, contact.Stream).Given(eve)
	on.When(commands.AssignCompany{Company: acme}).Then(contact.AssignedCompany{Company: acme})
	member := on.Given(contact.AssignedCompany{Company: acme})
	member.When(commands.AssignCompany{Company: acme}).ThenNothing()
	member.When(commands.LeaveCompany{Company: acme}).Then(contact.LeftCompany{Company: acme})
	member.When(commands.LeaveCompany{}).Then(contact.LeftCompany{Company: acme})
	member.When(commands.LeaveCompany{Company: gold}).ThenNothing()
	on.When(commands.LeaveCompany{}).ThenNothing()
}

func TestContactTagsAndGroups(t *testing.T) {
	on := scenario.On(t, contact.Stream).Given(eve)
	on.When(commands.TagContact{Tag: vip}).Then(contact.Tagged{Tag: vip})
	on.When(commands.UntagContact{Tag: vip}).ThenNothing()
	on.Given(contact.Tagged{Tag: vip}).When(commands.TagContact{Tag: vip}).ThenNothing()
	on.Given(contact.Tagged{Tag: vip}).When(commands.UntagContact{Tag: vip}).Then(contact.Untagged{Tag: vip})
	on.When(commands.GroupContact{Group: gold}).Then(contact.JoinedGroup{Group: gold})
	on.When(commands.UngroupContact{Group: gold}).ThenNothing()
	on.Given(contact.JoinedGroup{Group: gold}).When(commands.GroupContact{Group: gold}).ThenNothing()
	on.Given(contact.JoinedGroup{Group: gold}).When(commands.UngroupContact{Group: gold}).Then(contact.LeftGroup{Group: gold})
}

func TestContactNotes(t *testing.T) {
	note, help := uuid.MustParse("00000000-0000-4000-8000-0000000000a1"), uuid.MustParse("00000000-0000-4000-8000-0000000000a2")
	on := scenario.On(t, contact.Stream).Given(eve)
	named := on.By(commands.By{ID: help, Allowed: role.Agent.Permissions()}).When(commands.AddContactNote{WhichNote: commands.WhichNote{Name: note}, Body: "likes tea"})
	named.Then(contact.NoteAdded{Note: uuid.NewSHA1(help, note[:]), Body: scenario.Text("likes tea")})
	on.When(commands.AddContactNote{WhichNote: commands.WhichNote{Note: note}, Ticket: help, Body: "likes tea"}).Then(contact.NoteAdded{Note: note, Ticket: help, Body: scenario.Text("likes tea")})
	on.When(commands.AddContactNote{WhichNote: commands.WhichNote{Note: note}}).ThenRefused("body-required")
	on.When(commands.EditContactNote{WhichNote: commands.WhichNote{Note: note}, Body: "likes coffee"}).ThenRefused("note-unknown")
	on.When(commands.RemoveContactNote{WhichNote: commands.WhichNote{Note: note}}).ThenRefused("note-unknown")
	noted := on.Given(contact.NoteAdded{Note: note, Body: scenario.Text("likes tea")})
	noted.When(commands.AddContactNote{WhichNote: commands.WhichNote{Note: note}, Body: "likes tea"}).ThenRefused("note-exists")
	noted.When(commands.EditContactNote{WhichNote: commands.WhichNote{Note: note}, Body: "likes coffee"}).Then(contact.NoteEdited{Note: note, Body: scenario.Text("likes coffee")})
	noted.When(commands.EditContactNote{WhichNote: commands.WhichNote{Note: note}}).ThenRefused("body-required")
	noted.When(commands.RemoveContactNote{WhichNote: commands.WhichNote{Note: note}}).Then(contact.NoteRemoved{Note: note})
	noted.Given(contact.NoteRemoved{Note: note}).When(commands.EditContactNote{WhichNote: commands.WhichNote{Note: note}, Body: "likes coffee"}).ThenRefused("note-unknown")
}

func TestPictures(t *testing.T) {
	id := func(n byte) uuid.UUID { return uuid.UUID{15: n} }
	old, now := picture.Picture{Large: id(1), Small: id(2)}, picture.Picture{Large: id(3), Small: id(4)}
	first, second := picture.Set{Picture: old}, picture.Set{Picture: now, Replaced: []uuid.UUID{id(1), id(2)}}
	removed := picture.Removed{Removed: []uuid.UUID{id(1), id(2)}}

	on := scenario.On(t, contact.Stream).Given(eve)
	on.When(commands.SetContactPicture{Picture: old}).Then(contact.PictureSet{Set: first})
	on.When(commands.RemoveContactPicture{}).ThenNothing()
	on.Given(contact.PictureSet{Set: first}).When(commands.SetContactPicture{Picture: now}).Then(contact.PictureSet{Set: second})
	shown := on.Given(contact.PictureSet{Set: first})
	shown.When(commands.RemoveContactPicture{}).Then(contact.PictureRemoved{Removed: removed})
	shown.Given(contact.PictureRemoved{Removed: removed}).When(commands.SetContactPicture{Picture: now}).Then(contact.PictureSet{Set: picture.Set{Picture: now}})

	of := scenario.On(t, company.Stream).Given(company.Registered{Profile: named("Acme")})
	of.When(commands.SetCompanyPicture{Picture: old}).Then(company.PictureSet{Set: first})
	of.Given(company.PictureSet{Set: first}).When(commands.RemoveCompanyPicture{}).Then(company.PictureRemoved{Removed: removed})
	of.Given(company.Deleted{}).When(commands.SetCompanyPicture{Picture: old}).ThenRefused("company-deleted")
	of.Given(company.Deleted{}).When(commands.RemoveCompanyPicture{}).ThenRefused("company-deleted")

	works := scenario.On(t, agent.Stream).Given(agent.Created{Name: scenario.Text("Ann"), Role: role.Agent})
	works.When(commands.SetAgentPicture{Picture: old}).Then(agent.PictureSet{Set: first})
	works.Given(agent.PictureSet{Set: first}).When(commands.RemoveAgentPicture{}).Then(agent.PictureRemoved{Removed: removed})
	works.Given(agent.Deleted{}).When(commands.SetAgentPicture{Picture: old}).ThenRefused("agent-deleted")
	works.Given(agent.Deleted{}).When(commands.RemoveAgentPicture{}).ThenRefused("agent-deleted")
}

func TestDeletedContactIsGone(t *testing.T) {
	on := scenario.On(t, contact.Stream).Given(eve)
	after := on.When(commands.DeleteContact{}).Then(contact.Deleted{})
	if held := contact.Stream.Noun().Holds(after); len(held) > 0 {
		t.Errorf("a deleted contact still holds %d addresses", len(held))
	}
	gone := on.Given(contact.Deleted{}, contact.ClaimLapsed{})
	gone.When(commands.DeleteContact{}).ThenNothing()
	for _, command := range []work.Command[contact.Contact, contact.Event]{
		commands.EditContact{}, commands.AssignCompany{Company: acme}, commands.LeaveCompany{}, commands.TagContact{Tag: vip},
		commands.UntagContact{Tag: vip}, commands.GroupContact{Group: gold}, commands.UngroupContact{Group: gold},
		commands.AddContactNote{Body: "likes tea"}, commands.EditContactNote{Body: "likes tea"}, commands.RemoveContactNote{}, commands.SetContactPicture{}, commands.RemoveContactPicture{},
	} {
		gone.When(command).ThenRefused("contact-deleted")
		scenario.On(t, contact.Stream).When(command).ThenRefused("contact-unknown")
	}
	scenario.On(t, contact.Stream).When(commands.DeleteContact{}).ThenRefused("contact-unknown")
}

func TestCompany(t *testing.T) {
	registered := company.Registered{Profile: named("Acme"), Emails: []personal.Text{}, Phones: []personal.Text{}}
	on := scenario.On(t, company.Stream)
	on.When(commands.RegisterCompany{Input: profile.Input{Name: text("Acme")}}).Then(registered)
	on.When(commands.RegisterCompany{Input: profile.Input{Name: text("Acme")}, Emails: []string{"A@acme.example", "a@acme.example"}, Phones: []string{"+39 06 6982 0003"}}).
		Then(company.Registered{Profile: named("Acme"), Emails: []personal.Text{scenario.Text("a@acme.example")}, Phones: []personal.Text{scenario.Text("+390669820003")}})
	on.When(commands.RegisterCompany{}).ThenRefused("name-required")
	on.When(commands.RegisterCompany{Input: profile.Input{Name: text("Acme")}, Phones: make([]string, 51)}).ThenRefused("too-many")
	on.Given(registered).When(commands.RegisterCompany{Input: profile.Input{Name: text("Acme")}}).ThenRefused("company-exists")

	is := on.Given(registered)
	is.When(commands.EditCompany{Input: profile.Input{Name: text("Acme S.p.A.")}}).Then(company.Edited{Changes: profile.Changes{Name: personalText("Acme S.p.A.")}})
	is.When(commands.EditCompany{Input: profile.Input{Name: text("Acme")}, Emails: &[]string{}}).ThenNothing()
	is.When(commands.EditCompany{Emails: &[]string{"a@acme.example"}}).Then(company.AddressesChanged{Emails: []personal.Text{scenario.Text("a@acme.example")}, Phones: []personal.Text{}})
	is.When(commands.EditCompany{Phones: &[]string{"1"}}).ThenRefused("phone-malformed")
	is.When(commands.GroupCompany{Group: gold}).Then(company.JoinedGroup{Group: gold})
	is.When(commands.UngroupCompany{Group: gold}).ThenNothing()
	is.Given(company.JoinedGroup{Group: gold}).When(commands.UngroupCompany{Group: gold}).Then(company.LeftGroup{Group: gold})
	is.Given(company.JoinedGroup{Group: gold}).When(commands.GroupCompany{Group: gold}).ThenNothing()
	is.When(commands.DeleteCompany{}).Then(company.Deleted{})
	gone := is.Given(company.Deleted{})
	gone.When(commands.DeleteCompany{}).ThenNothing()
	gone.When(commands.RestoreCompany{}).Then(company.Restored{})
	is.When(commands.RestoreCompany{}).ThenNothing()
	on.When(commands.RestoreCompany{}).ThenRefused("company-unknown")
	gone.When(commands.EditCompany{}).ThenRefused("company-deleted")
	on.When(commands.DeleteCompany{}).ThenRefused("company-unknown")
	on.When(commands.GroupCompany{Group: gold}).ThenRefused("company-unknown")
	on.When(commands.UngroupCompany{Group: gold}).ThenRefused("company-unknown")
}

func TestOffers(t *testing.T) {
	name := contact.OfferMade{Offer: contact.OfferName(personaltest.Names{}, uuid.Nil, "Eva")}
	phone := contact.OfferMade{Offer: contact.OfferAddress(personaltest.Names{}, uuid.Nil, address(contact.Phone, "+390669820002"))}
	on := scenario.On(t, contact.Stream).Given(eve, name, phone)
	closed := func(o contact.OfferMade, as contact.Outcome) contact.OfferClosed {
		return contact.OfferClosed{Offer: o.ID, Outcome: as}
	}
	on.When(commands.AcceptOffer{Offer: name.ID}).Then(closed(name, contact.Accepted), contact.Edited{Changes: profile.Changes{Name: personalText("Eva")}})
	on.When(commands.AcceptOffer{Offer: phone.ID}).Then(closed(phone, contact.Accepted), contact.AddressAdded{Address: *phone.Address})
	on.When(commands.DismissOffer{Offer: phone.ID}).Then(closed(phone, contact.Dismissed))
	on.When(commands.DismissOffer{Offer: vip}).ThenRefused("offer-unknown")
	on.Given(closed(name, contact.Dismissed)).When(commands.AcceptOffer{Offer: name.ID}).ThenRefused("offer-closed")
	on.Given(contact.Deleted{}).When(commands.AcceptOffer{Offer: name.ID}).ThenRefused("contact-deleted")
}

// TestIdentify is what Identify refuses, and that nothing happens twice.
func TestIdentify(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	of := must[contact.Contact](t)
	identify := func(who, customer, visitor, request string) (work.Answer[contact.Contact], error) {
		return work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.Identify{Customer: customer, Visitor: visitor}), id(who), asks(request))
	}
	for _, who := range []string{"eve", "ben"} {
		of(work.Do(t.Context(), d, contact.Stream, id(who), commands.RegisterContact{Found: true, Channels: []contact.Address{address(contact.Visitor, who)}}, asks(who)))
	}
	if a := of(identify("eve", "1", "", "first")); len(a.Written) != 1 || a.Written[0].Event != (contact.AddressAdded{Address: address(contact.Customer, "1")}) {
		t.Errorf("%+v", a.Written)
	}
	if a := of(identify("eve", "1", "", "again")); a.Changed {
		t.Errorf("%+v", a.Written)
	}
	for _, no := range []struct{ who, customer, visitor, code string }{
		{"eve", "2", "", "customer-id-other"}, {"eve", "2", "nobody", "customer-id-other"}, {"ben", "1", "", "would-merge"}, {"eve", "1", "ben", "would-merge"},
		{"nobody", "3", "", "contact-unknown"}, {"eve", "\x00", "", "text-encoding"}, {"eve", "", "v", "name-required"},
	} {
		_, err := identify(no.who, no.customer, no.visitor, fmt.Sprint(no))
		refused(t, err, no.code)
	}
	moved := of(identify("eve", "2", "eve", "moved"))
	if moved.ID == id("eve") || !moved.State.Has(address(contact.Visitor, "eve")) || contacts(t, d)[id("eve")].Has(address(contact.Visitor, "eve")) {
		t.Errorf("%+v", moved)
	}
	if again := of(identify("eve", "2", "eve", "moved")); again.ID != moved.ID {
		t.Errorf("again: %+v", again)
	}
}

// TestVisit visits at several times: of a guest who does nothing else a visit a day is recorded, of others one in half an hour.
func TestVisit(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	n := 0
	visit := func(minutes int) string {
		by := asks(fmt.Sprint("visit ", n))
		n++
		by.At = noon.Add(time.Duration(minutes) * time.Minute)
		a := must[contact.Contact](t)(work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.Visit{Visitor: "v-1", Country: "IT"}), id("unused"), by))
		happened := ""
		for _, w := range a.Written {
			happened += " " + strings.TrimPrefix(w.Event.EventType(), "contact-")
		}
		return happened
	}
	const day = 24 * 60
	for _, step := range []struct {
		minutes int
		want    string
	}{{0, " registered visited located"}, {40, ""}, {-day, ""}, {11*60 + 59, ""}, {12 * 60, " visited"}, {day, ""}, {2 * day, " visited"}} {
		if got := visit(step.minutes); got != step.want {
			t.Errorf("after %d minutes:%s, want%s", step.minutes, got, step.want)
		}
	}
	must[ticket.Ticket](t)(work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{Channel: "chat", From: commands.Sender{Visitor: "v-1"}, Subject: "Help"}), id("ticket"), asks("chat")))
	for _, step := range []struct {
		minutes int
		want    string
	}{{2*day + 29, ""}, {2*day + 30, " visited"}, {2*day + 45, ""}, {2*day + 61, " visited"}} {
		if got := visit(step.minutes); got != step.want {
			t.Errorf("after %d minutes, engaged:%s, want%s", step.minutes, got, step.want)
		}
	}
	all := contacts(t, d)
	if len(all) != 1 {
		t.Errorf("%d contacts", len(all))
	}
	for _, c := range all {
		if c.Mere || c.Country != "IT" {
			t.Errorf("%+v", c)
		}
	}
}

func TestLearn(t *testing.T) {
	given := func(kind contact.AddressKind, value string, own bool) commands.Given {
		return commands.Given{Address: address(kind, value), Own: own}
	}
	guest := scenario.On(t, contact.Stream).Given(contact.Registered{Addresses: []contact.Address{address(contact.Visitor, "v-1")}})
	guest.When(commands.Learn{Name: " Eve ", Addresses: []commands.Given{given(contact.Email, "eve@customers.example", false), given(contact.Visitor, "v-1", true)}}).Then(
		contact.Edited{Changes: profile.Changes{Name: personalText("Eve")}},
		contact.AddressAdded{Address: address(contact.Email, "eve@customers.example")})
	guest.When(commands.Learn{}).ThenNothing()
	guest.When(commands.Learn{Name: "\x00"}).ThenRefused("text-encoding")

	named := func(name string) contact.OfferMade {
		return contact.OfferMade{Offer: contact.OfferName(personaltest.Names{}, uuid.Nil, name)}
	}
	at := func(a contact.Address) contact.OfferMade {
		return contact.OfferMade{Offer: contact.OfferAddress(personaltest.Names{}, uuid.Nil, a)}
	}
	met := func(o contact.OfferMade) contact.OfferClosed {
		return contact.OfferClosed{Offer: o.ID, Outcome: contact.Fulfilled}
	}
	eva := address(contact.Email, "eva@customers.example")
	known := scenario.On(t, contact.Stream).Given(eve)
	known.When(commands.Learn{Name: "EVE"}).ThenNothing()
	known.When(commands.Learn{Name: "Eva", Addresses: []commands.Given{given(contact.Email, "eva@customers.example", false), given(contact.Phone, "+390669820002", false)}}).Then(
		named("Eva"), at(eva), contact.AddressAdded{Address: address(contact.Phone, "+390669820002")}, vatican)
	known.When(commands.Learn{Addresses: []commands.Given{given(contact.Email, "eva@customers.example", true)}}).
		Then(contact.AddressAdded{Address: eva})
	known.Given(named("Eva")).When(commands.Learn{Name: "EVA"}).ThenNothing()

	// What is offered and then becomes the contact's own is offered no more, by whatever way; nor is it ever again.
	known.Given(at(eva)).When(commands.Learn{Addresses: []commands.Given{given(contact.Email, "eva@customers.example", true)}}).
		Then(contact.AddressAdded{Address: eva}, met(at(eva)))
	evas, emails := "EVA", []string{"Eva@customers.example"}
	edited := known.Given(named("Eva"), at(eva)).When(commands.EditContact{Input: profile.Input{Name: &evas}, Emails: &emails}).Then(
		contact.Edited{Changes: profile.Changes{Name: personalText("EVA")}}, contact.AddressRemoved{Address: eve.Addresses[0]},
		contact.AddressAdded{Address: eva}, met(named("Eva")), met(at(eva)))
	if len(edited.Offers) != 0 || len(edited.Offered) != 2 {
		t.Errorf("offers %v of %v", edited.Offers, edited.Offered)
	}
	known.Given(named("Eva"), met(named("Eva"))).When(commands.Learn{Name: "Eva"}).ThenNothing()
	unread := contact.UnreadAddress(personaltest.Names{}, contact.Phone, "call me")
	known.When(commands.Learn{Addresses: []commands.Given{{Address: unread}}}).Then(contact.AddressAdded{Address: unread})
	wrong := known.Given(contact.AddressAdded{Address: unread})
	wrong.When(commands.Learn{Addresses: []commands.Given{{Address: unread}}}).ThenNothing()
	wrong.When(commands.Learn{Addresses: []commands.Given{given(contact.Phone, "+390669820002", false)}}).Then(contact.AddressAdded{Address: address(contact.Phone, "+390669820002")}, vatican)
	for i := range contact.MaxOffers {
		known = known.Given(named(fmt.Sprint(i)))
	}
	known.When(commands.Learn{Name: "Eva"}).ThenNothing()
	known.Given(met(named("7"))).When(commands.Learn{Name: "Eva"}).Then(named("Eva"))

	known.When(commands.Learn{Others: []uuid.UUID{cy}}).Then(contact.DuplicateFound{Contact: cy})
	known.Given(contact.DuplicateFound{Contact: cy}).When(commands.Learn{Others: []uuid.UUID{cy}}).ThenNothing()
}
