package commands

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/contact"
	"daybook/domain/department"
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
	Department uuid.UUID       `json:"department_id,omitzero" required:"false" format:"uuid" doc:"Id of the department for a new ticket, which the API key must serve"`
	Priority   ticket.Priority `json:"priority,omitempty" doc:"Priority of a new ticket; default normal"`
	InReplyTo  uuid.UUID       `json:"in_reply_to,omitzero" required:"false" format:"uuid" doc:"Id of the ticket that the message is added to; left out, it opens a new ticket"`
	MessageID  string          `json:"message_id,omitempty" doc:"Id that the channel gave the message, at most 1000 characters"`
	Ref        string          `json:"-"`
}

// A Sender is what a channel knows of the person who wrote.
type Sender struct {
	Customer string `json:"customer,omitempty" doc:"The business's own id of the person, at most 200 characters. It needs the permission contacts.identify"`
	Name     string `json:"name,omitempty" doc:"Name, if the channel knows it"`
	Country  string `json:"country,omitempty" doc:"Country by its two letters (ISO 3166), if the person said it"`
	Language string `json:"language,omitempty" doc:"BCP 47 language tag, if the channel knows it"`
	Email    string `json:"email,omitempty" doc:"E-mail address. One with quotes is kept as it came, and recognises nobody"`
	Phone    string `json:"phone,omitempty" doc:"Phone number. One that cannot be read is kept as it came, and recognises nobody"`
	Visitor  string `json:"visitor,omitempty" doc:"Visitor id that the chat window remembers"`
	Forum    string `json:"forum,omitempty" doc:"User id in the forum"`
	Facebook string `json:"facebook,omitempty" doc:"Facebook id"`
	X        string `json:"x,omitempty" doc:"X handle"`
	WhatsApp string `json:"whatsapp,omitempty" doc:"WhatsApp number, which is a phone number"`
}

// Permission returns the permission that the caller needs.
func (Inquiry) Permission() role.Permission { return role.ChannelsWrite }

// Carry finds or registers the contact, and records what the inquiry says of them. Then it opens the ticket with the id, or
// adds the message to the ticket that it replies to. Any number of inquiries from one new address at once register only one
// contact.
func (in Inquiry) Carry(w *work.Work, id uuid.UUID, by By) (work.Answer[ticket.Ticket], error) {
	none := work.Answer[ticket.Ticket]{}
	if in.From.Customer != "" {
		if err := by.MustMay(role.Identify); err != nil {
			return none, err
		}
	}
	in.From.Name = profile.OneLine(in.From.Name)
	given, err := in.From.addresses(in.Channel, by)
	if err = domain.Join(err, in.From.clean()); err != nil {
		return none, err
	}
	if err := ticket.KnownChannel(in.Channel); err != nil { // before it names the door
		return none, err
	}
	by = carriedBy(in.Channel, by)
	identity := &given[0].Address
	if identity.Kind == contact.Customer && len(given) > 1 { // which says who wrote, and not from where
		identity = &given[1].Address
	}
	if by.Actor.Kind == event.Agent { // who opened it for the sender, as an imported history says
		identity = nil
	}
	m := ReceiveMessage{
		Body: in.Body, Channel: in.Channel, MessageID: in.MessageID, Subject: in.Subject, Department: in.Department, Priority: in.Priority, Identity: identity,
	}
	if err := work.Ahead(w, in.concerns(id, given, by)...); err != nil {
		return none, err
	}
	to := target{id: id}
	if in.InReplyTo != uuid.Nil {
		if to, err = targetOf(w, in.InReplyTo, by); err != nil {
			return none, err
		}
	}
	cause := work.EventID(by.Request, ticket.Stream.Stream(to.id), 0)
	if m.From, err = in.From.recognise(w, given, work.Came(w, ticket.Stream, to.id, by), by.Aside(cause)); err != nil {
		return none, err
	}
	if by.Actor == contactToBe {
		by.Actor.ID = m.From
	}
	if in.InReplyTo != uuid.Nil {
		return m.carry(w, to, by)
	}
	department, inherited, err := housed(w, in.Department)
	if err != nil {
		return none, err
	}
	return work.Run(w, ticket.Stream, id, OpenTicket{
		Contact: m.From, Channel: in.Channel, Identity: m.Identity, MessageID: in.MessageID, Subject: in.Subject, Body: in.Body,
		Department: department, Inherited: inherited, Priority: in.Priority, Ref: in.Ref,
	}, by)
}

// concerns lists what is looked at in any case: the ticket, who has the addresses, and the contact whom it may register.
func (in Inquiry) concerns(id uuid.UUID, given []Given, by By) []work.Thing {
	things := []work.Thing{work.On(ticket.Stream, cmp.Or(in.InReplyTo, id)), work.On(contact.Stream, firstContact(by)), work.On(department.Stream, in.Department)}
	for _, a := range given {
		if !a.Unread {
			things = append(things, work.Named(a.Hold()))
		}
	}
	return things
}

// recognise returns the contact who has the first of the addresses that any contact has, and records what the inquiry says
// of them, unless it did before. If no contact has one of the addresses, it registers a new one. A contact whom the business calls
// otherwise than the sender is somebody else: a visitor id that they have moves, since several people may use one browser.
func (s Sender) recognise(w *work.Work, all []Given, again bool, by By) (uuid.UUID, error) {
	who, unmade, yielder := uuid.Nil, uuid.Nil, uuid.Nil // yielder has the visitor id, which moves
	var others []uuid.UUID
	var free []Given
	var visitor contact.Address
	for _, a := range all {
		holder, found, another := uuid.Nil, false, false
		if !a.Unread {
			var err error
			if holder, found, err = w.Find(a.Hold()); err != nil {
				return uuid.Nil, err
			}
			if another, err = s.isAnother(w, all[0], holder, found); err != nil {
				return uuid.Nil, err
			}
		}
		switch {
		case another && a.Kind == contact.Visitor:
			if !work.Came(w, contact.Stream, holder, by) { // else they have it again since
				yielder, visitor = holder, a.Address
			}
		case !found:
			free = append(free, a)
			if claimed, err := neverRegistered(w, holder); err != nil {
				return uuid.Nil, err
			} else if claimed { // for a contact who was never registered: register that one
				unmade = holder
			}
		case who == uuid.Nil && !another:
			who = holder
		case holder != who && !slices.Contains(others, holder):
			others = append(others, holder)
		}
	}
	if who != uuid.Nil && again {
		return who, nil
	}
	id := who
	if who == uuid.Nil {
		var err error
		if id, err = newContact(w, unmade, by); err != nil {
			return uuid.Nil, err
		}
		if c, err := work.Look(w, contact.Stream, id); err != nil || c.Registered { // by this request, and the addresses went elsewhere since
			return id, err
		}
	}
	if by.Actor == contactToBe {
		by.Actor.ID = id
	}
	if yielder != uuid.Nil {
		yields := giveUp{Address: visitor}
		if slices.Contains(others, yielder) { // one step says both
			yields.alike = []uuid.UUID{id}
		}
		if _, err := work.Yield(w, contact.Stream, yielder, yields, by); err != nil {
			return uuid.Nil, err
		}
		free = append(free, Given{visitor, true})
	}
	told := slices.DeleteFunc(slices.Clone(others), func(other uuid.UUID) bool { return other == yielder })
	if who != uuid.Nil {
		return who, s.teach(w, who, free, others, told, by)
	}
	register := RegisterContact{Found: true, Others: others, Country: s.Country}
	for _, a := range free {
		register.Channels = append(register.Channels, a.Address)
	}
	if s.Name != "" {
		name := s.Name
		register.Name = &name
	}
	if s.Language != "" {
		register.Language = &s.Language
	}
	if _, err := work.Run(w, contact.Stream, id, register, by); err != nil {
		return id, err
	}
	return id, likened(w, told, id, by)
}

// isAnother reports whether the holder of an address is somebody else than the sender, since the business has another id for them. first
// is the sender's first address, which is a customer id if they have one.
func (Sender) isAnother(w *work.Work, first Given, holder uuid.UUID, found bool) (bool, error) {
	if first.Kind != contact.Customer || !found {
		return false, nil
	}
	c, err := work.Look(w, contact.Stream, holder)
	return err == nil && c.IsAnother(first.Address), err
}

// giveUp is the step on a contact whose address is somebody else's from now on.
type giveUp struct {
	contact.Address
	alike []uuid.UUID // who may be the same person all the same
}

// Decide changes nothing for a contact who does not have the address.
func (c giveUp) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if !co.Has(c.Address) {
		return nil, nil
	}
	return append([]contact.Event{contact.AddressRemoved{Address: c.Address}}, duplicates(co, c.alike)...), nil
}

// newContact returns the id of the contact that a request registers: the one who claimed an address, if they were never registered, or
// the one derived from the request. If the request died after it registered that one, who was deleted since, it is the next.
func newContact(w *work.Work, claimant uuid.UUID, by By) (uuid.UUID, error) {
	if claimed, err := neverRegistered(w, claimant); err != nil || claimed {
		return claimant, err
	}
	for id := firstContact(by); ; id = uuid.NewSHA1(id, []byte(contact.Stream.Category)) {
		c, err := work.Look(w, contact.Stream, id)
		if err != nil || !c.Deleted {
			return id, err
		}
	}
}

// firstContact returns the id of the contact that a request registers, if it registers one.
func firstContact(by By) uuid.UUID { return uuid.NewSHA1(by.Request, []byte(contact.Stream.Category)) }

// teach records what an inquiry says of a contact who is known, and who may be the same person: others, of whom told are told too.
func (s Sender) teach(w *work.Work, who uuid.UUID, free []Given, others, told []uuid.UUID, by By) error {
	if _, err := work.Run(w, contact.Stream, who, Learn{Wrote: true, Name: s.Name, Country: s.Country, Language: s.Language, Addresses: free, Others: others}, by); err != nil {
		return err
	}
	return likened(w, told, who, by)
}

// likened records for contacts that one more contact may be the same person.
func likened(w *work.Work, contacts []uuid.UUID, who uuid.UUID, by By) error {
	for _, other := range contacts {
		if _, err := work.Run(w, contact.Stream, other, Learn{Others: []uuid.UUID{who}}, by); err != nil {
			return err
		}
	}
	return nil
}

// neverRegistered reports whether an id has claimed an address but was never registered as a contact.
func neverRegistered(w *work.Work, id uuid.UUID) (bool, error) {
	if id == uuid.Nil {
		return false, nil
	}
	c, err := work.Look(w, contact.Stream, id)
	return err == nil && !c.Registered, err
}

// own is the field of a sender from which a channel's messages come. In a form and an API request, all are typed.
var own = map[ticket.Channel]string{
	"email": "email", "call": "phone", "whatsapp": "whatsapp", "facebook": "facebook", "x": "x", "forum": "forum", "chat": "visitor",
}

// clean validates country and language, and normalises them.
func (s *Sender) clean() (err error) {
	var languageErr error
	s.Country, err = countryOf("from/country", s.Country)
	if s.Language != "" {
		s.Language, languageErr = profile.LanguageTag("from/language", s.Language)
	}
	return domain.Join(err, languageErr)
}

// addresses returns the sender's addresses, validated: the customer id first, then the channel's own, then the most reliable ones.
func (s Sender) addresses(channel ticket.Channel, by By) ([]Given, error) {
	var all []Given
	var refused []error
	for _, a := range []struct {
		field string
		kind  contact.AddressKind
		value string
	}{
		{"customer", contact.Customer, s.Customer}, {"email", contact.Email, s.Email}, {"phone", contact.Phone, s.Phone}, {"whatsapp", contact.Phone, s.WhatsApp}, {"facebook", contact.Facebook, s.Facebook},
		{"x", contact.X, s.X}, {"forum", contact.Forum, s.Forum}, {"visitor", contact.Visitor, s.Visitor},
	} {
		if a.value == "" || a.kind == contact.Phone && profile.OneLine(a.value) == "" { // nothing that can be seen is no number
			continue
		}
		read, err := readAddress("from/"+a.field, a.kind, a.value, by)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		given := Given{read, own[channel] == a.field || a.kind == contact.Customer}
		if i := slices.IndexFunc(all, func(g Given) bool { return g.Is(read) }); i >= 0 { // a phone number and a WhatsApp number
			given.Own = given.Own || all[i].Own
			all = slices.Delete(all, i, i+1)
		}
		switch {
		case given.Own && len(all) > 0 && all[0].Kind == contact.Customer:
			all = slices.Insert(all, 1, given)
		case given.Own:
			all = slices.Insert(all, 0, given)
		default:
			all = append(all, given)
		}
	}
	if err := domain.Join(refused...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, domain.Invalid("from", "address-required", "from must have at least one address, such as email or phone.")
	}
	return all, nil
}

// readAddress reads an address of an inquiry. A number that cannot be read, and an e-mail address with quotes, is kept as it came: no
// message is lost for it.
func readAddress(field string, kind contact.AddressKind, value string, by By) (contact.Address, error) {
	if kind != contact.Phone && (kind != contact.Email || !address.IsQuoted(value)) {
		return contact.NewAddress(by.Names, kind, field, value, by.Region)
	}
	number := value
	if field == "from/whatsapp" { // which has no + before the country code
		if read, err := address.WhatsApp(field, value, by.Region); err == nil {
			number = read
		}
	}
	read, err := contact.NewAddress(by.Names, kind, field, number, by.Region)
	if err == nil {
		return read, nil
	}
	value, err = profile.Name(field, profile.OneLine(value))
	return contact.UnreadAddress(by.Names, kind, value), err
}
