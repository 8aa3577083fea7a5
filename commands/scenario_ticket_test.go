package commands_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal/personaltest"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/internal/scenario"
)

var (
	cy     = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	ann    = uuid.MustParse("00000000-0000-4000-8000-000000000002")
	bob    = uuid.MustParse("00000000-0000-4000-8000-000000000003")
	dan    = uuid.MustParse("00000000-0000-4000-8000-000000000009")
	sales  = uuid.MustParse("00000000-0000-4000-8000-000000000004")
	urgent = uuid.MustParse("00000000-0000-4000-8000-000000000005")

	byAnn  = commands.By{Actor: event.Actor{Kind: event.Agent, ID: ann}, Allowed: role.Owner.Permissions()}
	opened = ticket.Opened{Contact: cy, Channel: "email", Subject: scenario.Text("Help"), Priority: ticket.Normal}
)

// reach holds events that bring a ticket to each status.
var reach = map[ticket.Status][]ticket.Event{
	ticket.StatusNew:       {opened},
	ticket.StatusOpen:      {opened, ticket.Replied{}, ticket.Received{}},
	ticket.StatusAnswered:  {opened, ticket.Replied{}},
	ticket.StatusPostponed: {opened, ticket.Replied{}, ticket.Postponed{}},
	ticket.StatusResolved:  {opened, ticket.Resolved{}},
	ticket.StatusClosed:    {opened, ticket.Closed{}},
	ticket.StatusSpam:      {opened, ticket.MarkedSpam{}},
	ticket.StatusDeleted:   {opened, ticket.Deleted{}},
}

const (
	rejected  = "rejected"
	unchanged = "unchanged"
)

// TestLifecycle is the table of the ticket's lifecycle: the result of each command in each status.
func TestLifecycle(t *testing.T) {
	table := []struct {
		name    string
		command work.Command[ticket.Ticket, ticket.Event]
		// new, open, answered, postponed, resolved, closed, spam, deleted
		comesTo string
	}{
		{"reply", commands.Reply{Body: "Hello"}, "answered answered answered answered answered rejected rejected rejected"},
		{"reply of a program", commands.Reply{Body: "Hello"}, "new open answered postponed resolved rejected rejected rejected"},
		{"receive", commands.ReceiveMessage{Body: "Hello?"}, "new open open open open rejected spam rejected"},
		{"postpone", commands.PostponeTicket{}, "postponed postponed postponed unchanged rejected rejected rejected rejected"},
		{"resume", commands.ResumeTicket{}, "unchanged unchanged unchanged open unchanged rejected rejected rejected"},
		{"resolve", commands.ResolveTicket{}, "resolved resolved resolved resolved unchanged rejected rejected rejected"},
		{"reopen", commands.ReopenTicket{}, "unchanged unchanged unchanged unchanged open open rejected rejected"},
		{"close", commands.CloseTicket{}, "closed closed closed closed closed unchanged rejected rejected"},
		{"spam", commands.MarkSpam{}, "spam spam spam spam spam rejected unchanged rejected"},
		{"unspam", commands.UnmarkSpam{}, "unchanged unchanged unchanged unchanged unchanged unchanged new rejected"},
		{"delete", commands.DeleteTicket{}, "deleted deleted deleted deleted deleted deleted deleted unchanged"},
		{"restore", commands.RestoreTicket{}, "unchanged unchanged unchanged unchanged unchanged unchanged unchanged new"},
		{"assign", commands.AssignTicket{Agent: bob}, "new open answered postponed resolved rejected rejected rejected"},
		{"unassign", commands.UnassignTicket{}, "unchanged unchanged unchanged unchanged unchanged rejected rejected rejected"},
		{"transfer", commands.TransferTicket{Department: sales}, "new open answered postponed resolved rejected rejected rejected"},
		{"correct the subject", commands.CorrectSubject{Subject: "Help!"}, "new open answered postponed resolved rejected rejected rejected"},
		{"prioritise", commands.PrioritiseTicket{Priority: ticket.High}, "new open answered postponed resolved rejected rejected rejected"},
		{"prioritise same", commands.PrioritiseTicket{Priority: ticket.Normal}, "unchanged unchanged unchanged unchanged unchanged rejected rejected rejected"},
		{"note", commands.AddNote{Body: "n.b."}, "new open answered postponed resolved closed spam rejected"},
		{"tag", commands.TagTicket{Tag: urgent}, "new open answered postponed resolved closed spam rejected"},
		{"untag", commands.UntagTicket{Tag: urgent}, "unchanged unchanged unchanged unchanged unchanged unchanged unchanged rejected"},
	}
	for _, row := range table {
		for i, want := range strings.Fields(row.comesTo) {
			from := ticket.Statuses[i]
			t.Run(row.name+"/"+string(from), func(t *testing.T) {
				by := byAnn
				if row.name == "reply of a program" {
					by.Actor = event.Actor{Kind: event.Key, ID: ann}
				}
				given := scenario.On(t, ticket.Stream).By(by).Given(reach[from]...)
				switch want {
				case rejected:
					given.When(row.command).ThenRefused("ticket-" + string(from))
				case unchanged:
					given.When(row.command).ThenNothing()
				default:
					before := ticket.Stream.Fold(ticket.Ticket{}, reach[from]...)
					events, err := row.command.Decide(before, by)
					if err != nil || len(events) == 0 {
						t.Fatalf("%d events, %v", len(events), err)
					}
					if after := given.When(row.command).Then(events...); string(after.Status) != want {
						t.Fatalf("the ticket is %s, not %s", after.Status, want)
					}
				}
			})
		}
	}
}

func TestTicketThatWasNewIsNewAgain(t *testing.T) {
	on := scenario.On(t, ticket.Stream)
	if s := on.Given(opened, ticket.Postponed{}).When(commands.ResumeTicket{}).Then(ticket.Resumed{}); s.Status != ticket.StatusNew {
		t.Errorf("resumed: %s", s.Status)
	}
	if s := on.Given(opened, ticket.Postponed{}).When(commands.ReceiveMessage{Body: "?"}).Then(ticket.Received{Contact: cy, Channel: "email", Body: scenario.Text("?")}, ticket.Resumed{}); s.Status != ticket.StatusNew {
		t.Errorf("written to: %s", s.Status)
	}
	if s := on.Given(opened, ticket.Postponed{}, ticket.Deleted{}, ticket.Restored{}).When(commands.ResumeTicket{}).Then(ticket.Resumed{}); s.Status != ticket.StatusNew {
		t.Errorf("postponed, deleted, restored, resumed: %s", s.Status)
	}
}

// TestSpamAfterAll: a ticket that is unmarked is what it was, or what a message that came meanwhile would have made of it. Case 6.20.
func TestSpamAfterAll(t *testing.T) {
	for from, wrote := range map[ticket.Status]struct {
		leads []ticket.Event
		to    ticket.Status
	}{
		ticket.StatusNew:       {nil, ticket.StatusNew},
		ticket.StatusOpen:      {nil, ticket.StatusOpen},
		ticket.StatusAnswered:  {nil, ticket.StatusOpen},
		ticket.StatusPostponed: {[]ticket.Event{ticket.Resumed{}}, ticket.StatusOpen},
		ticket.StatusResolved:  {[]ticket.Event{ticket.Reopened{Cause: ticket.ByMessage}}, ticket.StatusOpen},
	} {
		spam := scenario.On(t, ticket.Stream).Given(reach[from]...).Given(ticket.MarkedSpam{})
		if s := spam.When(commands.UnmarkSpam{}).Then(ticket.UnmarkedSpam{}); s.Status != from {
			t.Errorf("%s: it is %s", from, s.Status)
		}
		spam = spam.Given(ticket.Received{Contact: cy}, ticket.Received{Contact: cy})
		s := spam.When(commands.UnmarkSpam{}).Then(append([]ticket.Event{ticket.UnmarkedSpam{}}, wrote.leads...)...)
		if s.Status != wrote.to {
			t.Errorf("%s, and the contact wrote: it is %s", from, s.Status)
		}
		spam = spam.Given(ticket.UnmarkedSpam{}).Given(wrote.leads...).Given(ticket.MarkedSpam{})
		if s := spam.When(commands.UnmarkSpam{}).Then(ticket.UnmarkedSpam{}); s.Status != wrote.to {
			t.Errorf("%s, and spam again: it is %s", from, s.Status)
		}
	}
	newAgain := scenario.On(t, ticket.Stream).Given(opened, ticket.Postponed{}, ticket.MarkedSpam{}, ticket.Received{Contact: cy})
	if s := newAgain.When(commands.UnmarkSpam{}).Then(ticket.UnmarkedSpam{}, ticket.Resumed{}); s.Status != ticket.StatusNew {
		t.Errorf("new, postponed, spam, and the contact wrote: it is %s", s.Status)
	}
}

func TestMessageReopensWhatWasResolved(t *testing.T) {
	scenario.On(t, ticket.Stream).Given(opened, ticket.Resolved{}).
		When(commands.ReceiveMessage{Body: "Again"}).
		Then(ticket.Received{Contact: cy, Channel: "email", Body: scenario.Text("Again")}, ticket.Reopened{Cause: ticket.ByMessage})
}

func TestReplyToResolvedIsNoReopening(t *testing.T) {
	scenario.On(t, ticket.Stream).By(byAnn).Given(opened, ticket.Resolved{}).
		When(commands.Reply{Body: "One more thing"}).
		Then(ticket.Replied{Body: scenario.Text("One more thing")})
}

func TestOnlyAgentsAnswer(t *testing.T) {
	for _, actor := range []event.Actor{event.TheSystem, {Kind: event.Key, ID: ann}, {Kind: event.Rule, ID: ann, Version: 1}} {
		sent := scenario.On(t, ticket.Stream).By(commands.By{Actor: actor}).Given(opened).When(commands.Reply{Body: "We are on it"}).
			Then(ticket.MessageSent{Body: scenario.Text("We are on it")})
		if sent.Status != ticket.StatusNew {
			t.Errorf("after what %s wrote it is %s", actor, sent.Status)
		}
	}
}

func TestOpenTicket(t *testing.T) {
	by := work.With(commands.By{Allowed: role.Owner.Permissions()}, contact.Stream, cy, contact.Contact{Registered: true, Company: acme})
	on := scenario.On(t, ticket.Stream).By(by)
	of := opened
	of.Company = acme
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", Subject: " Help "}).Then(of)
	message := ticket.NewMessageID(personaltest.Names{}, "<1@customers.example>")
	of.MessageID = &message
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", Subject: " Help ", MessageID: " <1@customers.example> "}).Then(of)
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", MessageID: strings.Repeat("x", ticket.MaxMessageID+1)}).ThenRefused("text-too-long")
	on.Given(opened).When(commands.OpenTicket{Contact: cy, Channel: "email"}).ThenRefused("ticket-exists")
	on.When(commands.OpenTicket{Contact: cy, Channel: "pigeon"}).ThenRefused("channel-unknown")
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", Priority: "asap"}).ThenRefused("priority-unknown")
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", Subject: strings.Repeat("x", ticket.MaxSubject+1)}).ThenRefused("text-too-long")
	on.When(commands.OpenTicket{Contact: cy, Channel: "email", Body: "a\x00b"}).ThenRefused("text-encoding")
	on.When(commands.OpenTicket{Channel: "pigeon", Priority: "asap"}).ThenRefused("invalid")
}

func TestWordsMustBeThere(t *testing.T) {
	on := scenario.On(t, ticket.Stream).Given(opened)
	for name, command := range map[string]work.Command[ticket.Ticket, ticket.Event]{
		"reply": commands.Reply{Body: " \n"}, "message": commands.ReceiveMessage{}, "note": commands.AddNote{},
	} {
		t.Run(name, func(t *testing.T) { on.When(command).ThenRefused("body-required") })
	}
	on.When(commands.Reply{Body: strings.Repeat("x", ticket.MaxBody+1)}).ThenRefused("text-too-long")
	on.When(commands.Reply{Body: "\xff"}).ThenRefused("text-encoding")
}

func TestAssignTicket(t *testing.T) {
	inSales := opened
	inSales.Department = sales
	serves := work.With(commands.By{Allowed: role.Agent.Permissions()}, agent.Stream, ann, agent.Agent{Departments: map[uuid.UUID]agent.Services{sales: {}}})
	on := scenario.On(t, ticket.Stream)
	on.By(serves).Given(inSales).When(commands.AssignTicket{Agent: ann}).Then(ticket.Assigned{Agent: ann})
	elsewhere := work.With(commands.By{Allowed: role.Agent.Permissions()}, agent.Stream, ann, agent.Agent{})
	on.By(elsewhere).Given(inSales).When(commands.AssignTicket{Agent: ann}).ThenRefused("agent-not-in-department")
	if _, err := (commands.AssignTicket{Agent: ann}).Decide(ticket.Stream.Fold(ticket.Ticket{}, inSales), commands.By{}); err == nil || !strings.Contains(err.Error(), "Refs") {
		t.Errorf("an agent that Refs did not name: %v", err)
	}
	on.By(commands.By{History: true}).Given(inSales).When(commands.AssignTicket{Agent: ann}).Then(ticket.Assigned{Agent: ann})
	on.Given(opened, ticket.Assigned{Agent: ann}).When(commands.AssignTicket{Agent: ann}).ThenNothing()
	on.Given(opened, ticket.Assigned{Agent: ann}).When(commands.AssignTicket{Agent: bob}).Then(ticket.Assigned{Agent: bob})
	on.Given(opened, ticket.Assigned{Agent: ann}).When(commands.UnassignTicket{}).Then(ticket.Unassigned{})
}

func TestCorrectSubject(t *testing.T) {
	on := scenario.On(t, ticket.Stream).Given(opened)
	if s := on.When(commands.CorrectSubject{Subject: " Help! "}).Then(ticket.SubjectCorrected{Subject: scenario.Text("Help!")}); s.Subject.String() != "Help!" {
		t.Errorf("the subject is %s", s.Subject)
	}
	on.When(commands.CorrectSubject{Subject: opened.Subject.String()}).ThenNothing()
	on.When(commands.CorrectSubject{Subject: strings.Repeat("x", ticket.MaxSubject+1)}).ThenRefused("text-too-long")
	on.Given(ticket.Closed{}).When(commands.CorrectSubject{Subject: "Help!"}).ThenRefused("ticket-closed")
	on.Given(ticket.MarkedSpam{}).When(commands.CorrectSubject{Subject: "Help!"}).ThenRefused("ticket-spam")
	on.Given(ticket.Deleted{}).When(commands.CorrectSubject{Subject: "Help!"}).ThenRefused("ticket-deleted")
}

func TestTransferTicket(t *testing.T) {
	on := scenario.On(t, ticket.Stream)
	on.Given(opened).When(commands.TransferTicket{Department: sales}).Then(ticket.Transferred{Department: sales, Cause: ticket.ByCommand})
	on.Given(opened, ticket.Transferred{Department: sales}).When(commands.TransferTicket{Department: sales}).ThenNothing()
}

func TestTagTicket(t *testing.T) {
	on := scenario.On(t, ticket.Stream)
	on.Given(opened, ticket.Tagged{Tag: urgent}).When(commands.TagTicket{Tag: urgent}).ThenNothing()
	on.Given(opened, ticket.Tagged{Tag: urgent}).When(commands.UntagTicket{Tag: urgent}).Then(ticket.Untagged{Tag: urgent})
}

func TestPrioritiseTicket(t *testing.T) {
	scenario.On(t, ticket.Stream).Given(opened).When(commands.PrioritiseTicket{Priority: "asap"}).ThenRefused("priority-unknown")
}

// TestNothingWithoutATicket runs every command on a ticket that was never opened.
func TestNothingWithoutATicket(t *testing.T) {
	for _, command := range []work.Command[ticket.Ticket, ticket.Event]{
		commands.Reply{Body: "x"}, commands.ReceiveMessage{Body: "x"}, commands.AddNote{Body: "x"}, commands.AssignTicket{Agent: ann},
		commands.UnassignTicket{}, commands.TransferTicket{Department: sales}, commands.PrioritiseTicket{Priority: ticket.High},
		commands.TagTicket{Tag: urgent}, commands.UntagTicket{Tag: urgent}, commands.PostponeTicket{}, commands.ResumeTicket{},
		commands.ResolveTicket{}, commands.ReopenTicket{}, commands.CloseTicket{}, commands.MarkSpam{}, commands.UnmarkSpam{},
		commands.DeleteTicket{}, commands.RestoreTicket{},
	} {
		scenario.On(t, ticket.Stream).When(command).ThenRefused("ticket-unknown")
	}
}

func TestMessageOfAnotherContact(t *testing.T) {
	from := address(contact.Email, "dan@customers.example")
	message := ticket.NewMessageID(personaltest.Names{}, "<2@customers.example>")
	received := ticket.Received{
		Contact: dan, Identity: &from, Channel: "email", MessageID: &message, Body: scenario.Text("Me too"), Subject: scenario.Text("Re: Help"), Department: sales, Priority: ticket.High,
	}
	writes := commands.ReceiveMessage{
		Body: "Me too", From: dan, Identity: &from, Channel: "email", MessageID: "<2@customers.example>", Subject: "Re: Help", Department: sales, Priority: ticket.High,
	}
	on := scenario.On(t, ticket.Stream).Given(opened)
	on.When(writes).Then(received, ticket.Joined{Contact: dan})
	on.Given(ticket.Joined{Contact: dan}).When(writes).Then(received)
	on.Given(ticket.Resolved{}).When(writes).Then(received, ticket.Joined{Contact: dan}, ticket.Reopened{Cause: ticket.ByMessage})
	for code, change := range map[string]func(*commands.ReceiveMessage){
		"channel-unknown":  func(c *commands.ReceiveMessage) { c.Channel = "pigeon" },
		"priority-unknown": func(c *commands.ReceiveMessage) { c.Priority = "asap" },
		"body-required":    func(c *commands.ReceiveMessage) { c.Body = " " },
		"text-too-long":    func(c *commands.ReceiveMessage) { c.Subject = strings.Repeat("x", ticket.MaxSubject+1) },
	} {
		wrong := writes
		change(&wrong)
		on.When(wrong).ThenRefused(code)
	}
}
