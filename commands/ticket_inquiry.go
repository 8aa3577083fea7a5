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

// An Inquiry is a message that came in through a channel. Its sender is found by address, or registered with what the
// channel knows of them.
type Inquiry struct {
	Channel    ticket.Channel  `json:"channel" doc:"Channel through which the message came in"`
	From       Sender          `json:"from" doc:"Sender, with at least one address"`
	Subject    string          `json:"subject,omitempty" doc:"Subject, at most 1000 characters"`
	Body       string          `json:"body,omitempty" doc:"Message, at most 100000 characters"`
	Department uuid.UUID       `json:"department,omitzero" required:"false" format:"uuid" doc:"Id of the department for a new ticket"`
	Priority   ticket.Priority `json:"priority,omitempty" doc:"Priority of a new ticket; default normal"`
	InReplyTo  uuid.UUID       `json:"in_reply_to,omitzero" required:"false" format:"uuid" doc:"Id of the ticket that the message is added to; left out, it opens a new ticket"`
	Ref        string          `json:"-"`
}

// A Sender is what a channel knows of the person who wrote.
type Sender struct {
	Name     string `json:"name,omitempty" doc:"Name, if the channel knows it"`
	Email    string `json:"email,omitempty" doc:"E-mail address"`
	Phone    string `json:"phone,omitempty" doc:"Phone number"`
	Visitor  string `json:"visitor,omitempty" doc:"Visitor id that the chat window remembers"`
	Forum    string `json:"forum,omitempty" doc:"User id in the forum"`
	Facebook string `json:"facebook,omitempty" doc:"Facebook id"`
	X        string `json:"x,omitempty" doc:"X handle"`
	WhatsApp string `json:"whatsapp,omitempty" doc:"WhatsApp number"`
}

// Permission returns the permission that the caller needs.
func (Inquiry) Permission() role.Permission { return role.TicketsReceive }

// Carry finds or registers the contact. Then it opens the ticket with the id, or adds the message to the ticket that it
// replies to. Any number of inquiries from one new address at once register only one contact.
func (in Inquiry) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	who, err := findOrRegister(w, in.From, by)
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

// findOrRegister returns the contact who has the first of the sender's addresses that any contact has. If no contact has one, it
// registers a new contact.
func findOrRegister(w *work.Work, from Sender, by By) (uuid.UUID, error) {
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
		if unmade { // claimed for a contact who was never registered: register that one
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

// neverRegistered reports whether an id has claimed an address but was never registered as a contact.
func neverRegistered(w *work.Work, id uuid.UUID) (bool, error) {
	if id == uuid.Nil {
		return false, nil
	}
	c, err := work.Look(w, contact.Stream, id)
	return err == nil && !c.Registered, err
}

// addresses returns the sender's addresses, validated, the most reliable first.
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
		return nil, domain.Invalid("from", "address-required", "from must have at least one address, such as email or phone.")
	}
	return given, domain.Join(refused...)
}
