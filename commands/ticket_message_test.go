package commands_test

import (
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal/personaltest"
	"daybook/domain/profile"
	"daybook/domain/ticket"
	"daybook/internal/testlog"
)

// writes sends an inquiry by e-mail.
func writes(t *testing.T, d *work.Desk, request, from string, inReplyTo uuid.UUID) (work.Answer[ticket.Ticket], error) {
	t.Helper()
	return work.Carry(t.Context(), d, commands.Inquiry{
		Channel: "email", From: commands.Sender{Email: from + "@customers.example"}, Subject: "Help", Body: "Help", InReplyTo: inReplyTo,
	}, id("ticket of "+request), asks(request))
}

// TestMessageToFollowUpOfAnother: a stranger's message opened the follow-up of a closed ticket. What its contact then writes
// is theirs, and joins them to the follow-up.
func TestMessageToFollowUpOfAnother(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	of := must[ticket.Ticket](t)
	first := of(writes(t, d, "first", "nora", uuid.Nil))
	nora := first.State.Contact
	of(work.Do(t.Context(), d, ticket.Stream, first.ID, commands.CloseTicket{}, asks("close")))
	followUp := of(writes(t, d, "stranger", "dan", first.ID))
	if followUp.State.Contact == nora || followUp.ID != ticket.FollowUp(first.ID) {
		t.Fatalf("the follow-up is %s of %s", followUp.ID, followUp.State.Contact)
	}
	again := of(work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.TakeMessage{Body: "It is me"}), first.ID, asks("again")))
	received := again.Written[0]
	if e := received.Event.(ticket.Received); again.ID != followUp.ID || e.Contact != nora || received.Metadata.Actor != (event.Actor{Kind: event.Contact, ID: nora}) {
		t.Errorf("%s received %+v by %s", again.ID, e, received.Metadata.Actor)
	}
	if e, joins := again.Written[1].Event.(ticket.Joined); !joins || e.Contact != nora || again.Written[1].Metadata.Cause != received.ID {
		t.Errorf("then %+v", again.Written[1])
	}
}

// TestRepeatAboutForgotten repeats requests about people who were forgotten, after a crash that lost their outcomes.
func TestRepeatAboutForgotten(t *testing.T) {
	t.Parallel()
	store, keys := testlog.Memory(t), &personaltest.Keys{}
	desk := func() *work.Desk { return &work.Desk{Store: store, Keys: keys, Names: personaltest.Names{}} }
	of := must[ticket.Ticket](t)
	first := of(writes(t, desk(), "first", "nora", uuid.Nil))
	keys.Forget(first.State.Contact)
	for range 2 {
		a := of(work.Do(t.Context(), desk(), ticket.Stream, first.ID, commands.ResolveTicket{}, asks("resolve")))
		if a.State.Status != ticket.StatusResolved {
			t.Error(a.State.Status)
		}
	}
	for i := range 2 {
		a := of(writes(t, desk(), "stranger", "dan", first.ID))
		if a.Replayed != (i == 1) || a.State.Status != ticket.StatusOpen {
			t.Errorf("time %d: %+v", i, a)
		}
	}
}

// TestInquiryAfterItsContactWasDeleted: an inquiry died after it had registered the contact, who was deleted before it was
// sent again. It is taken, with another contact.
func TestInquiryAfterItsContactWasDeleted(t *testing.T) {
	t.Parallel()
	store := testlog.Memory(t)
	if _, err := writes(t, testlog.Desk(newMortal(store, 2, false)), "first", "nora", uuid.Nil); err == nil {
		t.Fatal("it did not die")
	}
	d := testlog.Desk(store)
	made := contacts(t, d)
	if len(made) != 1 || len(tickets(t, d)) != 0 {
		t.Fatalf("%d contacts, %d tickets", len(made), len(tickets(t, d)))
	}
	var gone uuid.UUID
	for gone = range made {
		must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, gone, commands.DeleteContact{}, asks("delete")))
	}
	for range 2 {
		a := must[ticket.Ticket](t)(writes(t, d, "first", "nora", uuid.Nil))
		if who := contacts(t, d)[a.State.Contact]; a.State.Contact == gone || !who.Has(address(contact.Email, "nora@customers.example")) {
			t.Errorf("the ticket is of %s: %+v", a.State.Contact, who)
		}
	}
	if len(contacts(t, d)) != 1 || len(tickets(t, d)) != 1 {
		t.Errorf("%d contacts, %d tickets", len(contacts(t, d)), len(tickets(t, d)))
	}
}

// TestWhoWroteFirst: the channel's own address comes before others, e-mail before phone and WhatsApp.
func TestWhoWroteFirst(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	name := "N"
	for who, c := range map[string]commands.RegisterContact{"mail": {Emails: []string{"a@customers.example"}}, "phone": {Phones: []string{"+390669820001"}}} {
		c.Input = profile.Input{Name: &name}
		must[contact.Contact](t)(work.Do(t.Context(), d, contact.Stream, id(who), c, asks(who)))
	}
	for channel, want := range map[ticket.Channel]string{"form": "mail", "email": "mail", "chat": "mail", "whatsapp": "phone"} {
		a := must[ticket.Ticket](t)(work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{
			Channel: channel, From: commands.Sender{Email: "a@customers.example", WhatsApp: "390669820001"}, Subject: "Help",
		}), id(string(channel)), asks(string(channel))))
		if a.State.Contact != id(want) {
			t.Errorf("by %s: not %s", channel, want)
		}
	}
	call := must[ticket.Ticket](t)(work.Carry(t.Context(), d, work.Plan[ticket.Ticket](commands.Inquiry{
		Channel: "call", From: commands.Sender{Email: "a@customers.example", Phone: "+390669820001", WhatsApp: "\u200b"}, Subject: "Help",
	}), id("call"), asks("call")))
	if call.State.Contact != id("phone") {
		t.Error("a call is not of who has the number")
	}
}

// TestDeletedContactLeavesCompany deletes a contact, then the company: the contact is restored without it.
func TestDeletedContactLeavesCompany(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	of, acmes := must[contact.Contact](t), must[company.Company](t)
	name := "N"
	acmes(work.Do(t.Context(), d, company.Stream, acme, commands.RegisterCompany{Input: profile.Input{Name: &name}}, asks("company")))
	of(work.Do(t.Context(), d, contact.Stream, cy, commands.RegisterContact{Input: profile.Input{Name: &name}}, asks("contact")))
	of(work.Do(t.Context(), d, contact.Stream, cy, commands.AssignCompany{Company: acme}, asks("assign")))
	of(work.Do(t.Context(), d, contact.Stream, cy, commands.DeleteContact{}, asks("delete")))
	acmes(work.Carry(t.Context(), d, deletesCompany, acme, asks("delete company")))
	leave := func(request string) {
		t.Helper()
		left := commands.DeleteCompany{}.Left(acme)[0]
		if err := d.Play(t.Context(), func(w *work.Work) (func(), error) { return nil, left.Each(w, cy, asks(request)) }); err != nil {
			t.Fatal(err)
		}
	}
	leave("leave")
	restored := of(work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.RestoreContact{}), cy, asks("restore")))
	if restored.State.Company != uuid.Nil {
		t.Error("the contact is restored into a company that is gone")
	}
	// The company is restored, and has the contact again, before the deletion has ended (case 4.8).
	acmes(work.Do(t.Context(), d, company.Stream, acme, commands.RestoreCompany{}, asks("restore company")))
	of(work.Do(t.Context(), d, contact.Stream, cy, commands.AssignCompany{Company: acme}, asks("assign again")))
	leave("leave again")
	if got := stateOf(t, d.Store, contact.Stream, cy); got.Company != acme {
		t.Error("a restored company lost a contact")
	}
}
