package commands

import (
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// An Inquiry is what came in through a channel: who wrote, and what. Its sender is found by address, or registered with
// only what the channel gave.
type Inquiry struct {
	Channel    ticket.Channel  `json:"channel" doc:"What it came in through"`
	From       Sender          `json:"from" doc:"Who wrote; at least one address"`
	Subject    string          `json:"subject,omitempty" doc:"At most 1000 characters"`
	Body       string          `json:"body,omitempty" doc:"The message, at most 100000 characters"`
	Department uuid.UUID       `json:"department,omitzero" required:"false" format:"uuid" doc:"Where it belongs"`
	Priority   ticket.Priority `json:"priority,omitempty" doc:"How urgent it is; left out, normal"`
	InReplyTo  uuid.UUID       `json:"in_reply_to,omitzero" required:"false" format:"uuid" doc:"The ticket that it goes on with; left out, it opens a new one"`
	Ref        string          `json:"-"`
}

// A Sender is what a channel knows of who wrote.
type Sender struct {
	Name     string `json:"name,omitempty" doc:"A name, if the channel gave one"`
	Email    string `json:"email,omitempty" doc:"An e-mail address"`
	Phone    string `json:"phone,omitempty" doc:"A phone number"`
	Visitor  string `json:"visitor,omitempty" doc:"What the chat window remembers a visitor by"`
	Forum    string `json:"forum,omitempty" doc:"A user id of the forum"`
	Facebook string `json:"facebook,omitempty" doc:"A Facebook id"`
	X        string `json:"x,omitempty" doc:"An X handle"`
	WhatsApp string `json:"whatsapp,omitempty" doc:"A WhatsApp number"`
}

// Permission is what the caller needs.
func (Inquiry) Permission() role.Permission { return role.TicketsReceive }

// Carry finds or registers the contact, and opens the ticket that has the id, or adds to the one replied to. However many
// inquiries come from one new address at once, they make one contact.
func (in Inquiry) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	who, err := find(w, in.From, by)
	if err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	if by.Actor == (event.Actor{Kind: event.Contact}) {
		by.Actor.ID = who
	}
	if in.InReplyTo != uuid.Nil {
		return TakeMessage{Body: in.Body}.Carry(w, in.InReplyTo, by)
	}
	return work.Run(w, ticket.Stream, id, OpenTicket{
		Contact: who, Channel: in.Channel, Subject: in.Subject, Body: in.Body, Department: in.Department, Priority: in.Priority, Ref: in.Ref,
	}, by)
}

// find returns the contact who has one of the sender's addresses, the first that anybody has, and registers one if nobody
// does.
func find(w *work.Work, from Sender, by By) (uuid.UUID, error) {
	given, err := from.addresses(by.Region)
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.NewSHA1(by.Request, []byte("contact"))
	for _, a := range given {
		holder, found, err := w.Find(a.Hold())
		if err != nil || found {
			return holder, err
		}
		unmade, err := neverRegistered(w, holder)
		if err != nil {
			return uuid.Nil, err
		}
		if unmade { // claimed for a contact that was never registered: finish that
			id = holder
		}
	}
	register := RegisterContact{Found: true, Channels: given}
	if from.Name != "" {
		name := from.Name
		register.Input = profile.Input{Name: &name}
	}
	if by.Actor == (event.Actor{Kind: event.Contact}) {
		by.Actor.ID = id
	}
	_, err = work.Run(w, contact.Stream, id, register, by)
	return id, err
}

// neverRegistered reports whether an id was claimed for, but nothing was ever made of it.
func neverRegistered(w *work.Work, id uuid.UUID) (bool, error) {
	if id == uuid.Nil {
		return false, nil
	}
	c, err := work.Look(w, contact.Stream, id)
	return err == nil && !c.Registered, err
}

// addresses lists what the channel gave, the surest first.
func (s Sender) addresses(region string) ([]contact.Address, error) {
	var given []contact.Address
	var refused []error
	for _, a := range []struct {
		kind  contact.AddressKind
		value string
	}{
		{contact.Email, s.Email}, {contact.Phone, s.Phone}, {contact.WhatsApp, s.WhatsApp}, {contact.Facebook, s.Facebook},
		{contact.X, s.X}, {contact.Forum, s.Forum}, {contact.Visitor, s.Visitor},
	} {
		if a.value == "" {
			continue
		}
		address, err := contact.NewAddress(a.kind, "from/"+string(a.kind), a.value, region)
		given, refused = append(given, address), append(refused, err)
	}
	if len(given) == 0 {
		return nil, domain.Invalid("from", "address-required", "from needs at least one address, such as an email or a phone.")
	}
	return given, domain.Join(refused...)
}
