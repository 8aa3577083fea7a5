package journal

import (
	"encoding/json"
	"errors"
	"reflect"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/ticket"
)

var ticketVerbs = map[string]maker{
	"ticket.open":            {func() verb { return new(ticketOpen) }, []string{"OpenTicket", "Inquiry"}},
	"ticket.assign":          command[commands.AssignTicket](ticket.Stream),
	"ticket.unassign":        command[commands.UnassignTicket](ticket.Stream),
	"ticket.transfer":        command[commands.TransferTicket](ticket.Stream),
	"ticket.correct_subject": command[commands.CorrectSubject](ticket.Stream),
	"ticket.prioritise":      command[commands.PrioritiseTicket](ticket.Stream),
	"ticket.receive":         plan[commands.TakeMessage](ticket.Stream),
	"ticket.reply":           command[commands.Reply](ticket.Stream),
	"ticket.note":            command[commands.AddNote](ticket.Stream),
	"ticket.tag":             command[commands.TagTicket](ticket.Stream),
	"ticket.untag":           command[commands.UntagTicket](ticket.Stream),
	"ticket.postpone":        command[commands.PostponeTicket](ticket.Stream),
	"ticket.resume":          command[commands.ResumeTicket](ticket.Stream),
	"ticket.resolve":         command[commands.ResolveTicket](ticket.Stream),
	"ticket.reopen":          command[commands.ReopenTicket](ticket.Stream),
	"ticket.close":           command[commands.CloseTicket](ticket.Stream),
	"ticket.spam":            command[commands.MarkSpam](ticket.Stream),
	"ticket.unspam":          command[commands.UnmarkSpam](ticket.Stream),
	"ticket.delete":          command[commands.DeleteTicket](ticket.Stream),
	"ticket.restore":         command[commands.RestoreTicket](ticket.Stream),
}

// ticketOpen opens a ticket, for a contact that the source names or for the contact who has an address.
type ticketOpen struct {
	ticket ref
	opening
}

type opening struct {
	Channel    ticket.Channel   `json:"channel"`
	From       *commands.Sender `json:"from,omitempty"`
	Contact    ref              `json:"contact,omitempty"`
	Subject    string           `json:"subject"`
	Body       string           `json:"body,omitempty"`
	Department ref              `json:"department,omitempty"`
	Priority   ticket.Priority  `json:"priority,omitempty"`
	MessageID  string           `json:"message_id,omitempty"`
}

var openForm = formOf[opening](ticket.Stream.Category, nil)

func (v *ticketOpen) read(fields map[string]json.RawMessage) error {
	if err := openForm.read(fields, &v.ticket, reflect.ValueOf(&v.opening).Elem(), nil); err != nil {
		return err
	}
	if (v.From == nil) == (v.Contact == "") {
		return errors.New("the line must have either from or contact")
	}
	return nil
}

func (v *ticketOpen) play(p *play) (bool, error) {
	var who, in uuid.UUID
	if v.Department != "" {
		in = p.thing(department.Stream.Category, string(v.Department))
	}
	if v.Contact != "" {
		who = p.thing(contact.Stream.Category, string(v.Contact))
	}
	by, err := p.by(who)
	if err != nil {
		return false, err
	}
	plan := work.Of(ticket.Stream, commands.OpenTicket{
		Contact: who, Channel: v.Channel, Subject: v.Subject, Body: v.Body, Department: in, Priority: v.Priority, MessageID: v.MessageID, Ref: string(v.ticket),
	})
	if v.Contact == "" {
		plan = commands.Inquiry{
			Channel: v.Channel, From: *v.From, Subject: v.Subject, Body: v.Body, Department: in, Priority: v.Priority, MessageID: v.MessageID, Ref: string(v.ticket),
		}
	}
	answer, err := work.Begin(p.work, plan, p.thing(ticket.Stream.Category, string(v.ticket)), by)
	return answer.Changed, err
}
