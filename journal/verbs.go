package journal

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
)

// play is one line being played.
type play struct {
	*Player
	work *commands.Work
	line line
}

// by is who did what the line says. requester is the contact of its ticket, if it has one.
func (p *play) by(requester uuid.UUID) (commands.By, error) {
	by := commands.By{
		At: p.line.At.Time, Request: p.request(p.line.ID), Through: p.through(), Correlation: p.stream().String(), History: true, Region: p.Region,
	}
	kind, name, named := strings.Cut(p.line.By, ":")
	by.Actor = event.Actor{Kind: event.ActorKind(kind), ID: p.thing(kind, name)}
	switch {
	case p.line.By == "system":
		by.Actor = event.TheSystem
		return by, nil
	case p.line.By == "contact":
		by.Actor.ID = requester
		return by, nil
	case !named || name == "":
	case kind == "agent":
		a, err := commands.Look(p.work, agent.Stream, by.Actor.ID)
		if err == nil && !a.Created {
			err = unknown("by", "agent")
		}
		return by, err
	case kind == "contact":
		c, err := commands.Look(p.work, contact.Stream, by.Actor.ID)
		if err == nil && !c.Registered {
			err = unknown("by", "contact")
		}
		return by, err
	case kind == "rule" || kind == "key":
		return by, nil
	}
	return by, domain.Invalid("by", "actor-malformed", "by must be system, contact, or one of agent, contact, rule and key with a name, such as agent:REF.")
}

// unknown refuses a name that an earlier line should have brought. It does not repeat it: a name can be an address.
func unknown(field, kind string) error {
	return domain.Invalid(field, kind+"-unknown", "%s names one of kind %s that is not in this journal so far.", field, kind)
}

// run plays one command on the thing that the source calls by a name.
func run[S any, E event.Event](p *play, kind event.Kind[S, E], name ref, c commands.Command[S, E]) (bool, error) {
	by, err := p.by(uuid.Nil)
	if err == nil && p.line.By == "contact" {
		err = domain.Invalid("by", "actor-malformed", "by may be contact only where the line names a ticket.")
	}
	if err != nil {
		return false, err
	}
	answer, err := commands.Run(p.work, kind, p.thing(kind.Category, string(name)), c, by)
	return answer.Changed, err
}

// runUnless is run, unless what the command names could not be found.
func runUnless[S any, E event.Event](err error, p *play, kind event.Kind[S, E], name ref, c commands.Command[S, E]) (bool, error) {
	if err != nil {
		return false, err
	}
	return run(p, kind, name, c)
}

// on plays one command on a ticket.
func on(p *play, name ref, c commands.Command[ticket.Ticket, ticket.Event]) (bool, error) {
	id := p.thing("ticket", string(name))
	t, err := commands.Look(p.work, ticket.Stream, id)
	if err != nil {
		return false, err
	}
	by, err := p.by(t.Contact)
	if err != nil {
		return false, err
	}
	answer, err := commands.Run(p.work, ticket.Stream, id, c, by)
	return answer.Changed, err
}

// tag returns the tag that a line names; one that does not exist is made first, as the importer.
func (p *play) tag(scope tag.Scope, name ref, create bool) (uuid.UUID, error) {
	id := p.thing("tag", string(scope)+"/"+string(name))
	t, err := commands.Look(p.work, tag.Stream, id)
	if err != nil || tag.Stream.Exists(t) {
		return id, err
	}
	other, found, err := p.work.Find(tag.Named(scope, strings.TrimSpace(string(name))))
	if err != nil || found {
		return other, err
	}
	if create {
		_, err = commands.Run(p.work, tag.Stream, id, commands.CreateTag{Scope: scope, Name: string(name), Ref: string(name)}, p.importer())
	}
	return id, err
}

// group returns the group that a line names; one that does not exist is made first, as the importer.
func (p *play) group(name ref, create bool) (uuid.UUID, error) {
	id := p.thing("group", string(name))
	g, err := commands.Look(p.work, group.Stream, id)
	if err != nil || group.Stream.Exists(g) {
		return id, err
	}
	other, found, err := p.work.Find(group.Named(strings.TrimSpace(string(name))))
	if err != nil || found {
		return other, err
	}
	if create {
		_, err = commands.Run(p.work, group.Stream, id, commands.CreateGroup{Name: string(name), Ref: string(name)}, p.importer())
	}
	return id, err
}

// importer is who makes what a line names and nobody made.
func (p *play) importer() commands.By {
	return commands.By{
		Actor: event.TheSystem, At: p.line.At.Time, Request: p.request(p.line.ID), Through: p.through(), Correlation: p.stream().String(), History: true,
	}
}

type departmentCreate struct {
	Department ref    `json:"department"`
	Name       string `json:"name"`
}

func (v *departmentCreate) play(p *play) (bool, error) {
	return run(p, department.Stream, v.Department, commands.CreateDepartment{Name: v.Name, Ref: string(v.Department)})
}

type agentCreate struct {
	Agent ref    `json:"agent"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Role  string `json:"role"`
	Alias string `json:"alias,omitempty"`
}

func (v *agentCreate) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.CreateAgent{Name: v.Name, Email: v.Email, Role: role.Role(v.Role), Alias: v.Alias, Ref: string(v.Agent)})
}

type agentJoinDepartment struct {
	Agent      ref `json:"agent"`
	Department ref `json:"department"`
}

func (v *agentJoinDepartment) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.JoinDepartment{Department: p.thing("department", string(v.Department))})
}

type agentLeaveDepartment struct {
	Agent      ref `json:"agent"`
	Department ref `json:"department"`
}

func (v *agentLeaveDepartment) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.LeaveDepartment{Department: p.thing("department", string(v.Department))})
}

type agentSignIn struct {
	Agent  ref    `json:"agent"`
	Device string `json:"device"`
}

func (v *agentSignIn) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.SignIn{Device: v.Device})
}

type agentSignOut struct {
	Agent  ref    `json:"agent"`
	Device string `json:"device"`
}

func (v *agentSignOut) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.SignOut{Device: v.Device})
}

type agentPause struct {
	Agent ref `json:"agent"`
}

func (v *agentPause) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.Pause{})
}

type agentUnpause struct {
	Agent ref `json:"agent"`
}

func (v *agentUnpause) play(p *play) (bool, error) {
	return run(p, agent.Stream, v.Agent, commands.Unpause{})
}

type agentSwitch struct {
	Agent      ref    `json:"agent"`
	Department ref    `json:"department"`
	Service    string `json:"service"`
	On         bool   `json:"on"`
}

func (v *agentSwitch) play(p *play) (bool, error) {
	c := commands.SwitchServices{Department: p.thing("department", string(v.Department))}
	switch agent.Service(v.Service) {
	case agent.Tickets:
		c.Tickets = &v.On
	case agent.Chats:
		c.Chats = &v.On
	case agent.Calls:
		c.Calls = &v.On
	default:
		return false, domain.Invalid("service", "service-unknown", "service must be one of %v.", agent.AllServices)
	}
	return run(p, agent.Stream, v.Agent, c)
}

// profileFields are the fields that contacts and companies share.
type profileFields struct {
	Avatar   *string `json:"avatar,omitempty"`
	URL      *string `json:"url,omitempty"`
	Address  *string `json:"address,omitempty"`
	Note     *string `json:"note,omitempty"`
	TimeZone *string `json:"time_zone,omitempty"`
	Language *string `json:"language,omitempty"`
}

func (f profileFields) input(name *string) profile.Input {
	return profile.Input{Name: name, Avatar: f.Avatar, URL: f.URL, Address: f.Address, Note: f.Note, TimeZone: f.TimeZone, Language: f.Language}
}

type companyRegister struct {
	Company ref      `json:"company"`
	Name    string   `json:"name"`
	Emails  []string `json:"emails,omitempty"`
	Phones  []string `json:"phones,omitempty"`
	profileFields
}

func (v *companyRegister) play(p *play) (bool, error) {
	return run(p, company.Stream, v.Company, commands.RegisterCompany{
		Input: v.input(&v.Name), Emails: v.Emails, Phones: v.Phones, Ref: string(v.Company),
	})
}

type companyEdit struct {
	Company ref                  `json:"company"`
	Set     commands.EditCompany `json:"set"`
}

func (v *companyEdit) play(p *play) (bool, error) { return run(p, company.Stream, v.Company, v.Set) }

type companyJoinGroup struct {
	Company ref `json:"company"`
	Group   ref `json:"group"`
}

func (v *companyJoinGroup) play(p *play) (bool, error) {
	group, err := p.group(v.Group, true)
	return runUnless(err, p, company.Stream, v.Company, commands.GroupCompany{Group: group})
}

type companyLeaveGroup struct {
	Company ref `json:"company"`
	Group   ref `json:"group"`
}

func (v *companyLeaveGroup) play(p *play) (bool, error) {
	group, err := p.group(v.Group, false)
	return runUnless(err, p, company.Stream, v.Company, commands.UngroupCompany{Group: group})
}

type contactRegister struct {
	Contact ref      `json:"contact"`
	Name    string   `json:"name"`
	Emails  []string `json:"emails,omitempty"`
	Phones  []string `json:"phones,omitempty"`
	profileFields
}

func (v *contactRegister) play(p *play) (bool, error) {
	return run(p, contact.Stream, v.Contact, commands.RegisterContact{
		Input: v.input(&v.Name), Emails: v.Emails, Phones: v.Phones, Ref: string(v.Contact),
	})
}

type contactEdit struct {
	Contact ref                  `json:"contact"`
	Set     commands.EditContact `json:"set"`
}

func (v *contactEdit) play(p *play) (bool, error) { return run(p, contact.Stream, v.Contact, v.Set) }

type contactAssignCompany struct {
	Contact ref `json:"contact"`
	Company ref `json:"company"`
}

func (v *contactAssignCompany) play(p *play) (bool, error) {
	return run(p, contact.Stream, v.Contact, commands.AssignCompany{Company: p.thing("company", string(v.Company))})
}

type contactLeaveCompany struct {
	Contact ref `json:"contact"`
	Company ref `json:"company"`
}

func (v *contactLeaveCompany) play(p *play) (bool, error) {
	return run(p, contact.Stream, v.Contact, commands.LeaveCompany{Company: p.thing("company", string(v.Company))})
}

type contactTag struct {
	Contact ref `json:"contact"`
	Tag     ref `json:"tag"`
}

func (v *contactTag) play(p *play) (bool, error) {
	tag, err := p.tag(tag.Contacts, v.Tag, true)
	return runUnless(err, p, contact.Stream, v.Contact, commands.TagContact{Tag: tag})
}

type contactUntag struct {
	Contact ref `json:"contact"`
	Tag     ref `json:"tag"`
}

func (v *contactUntag) play(p *play) (bool, error) {
	tag, err := p.tag(tag.Contacts, v.Tag, false)
	return runUnless(err, p, contact.Stream, v.Contact, commands.UntagContact{Tag: tag})
}

type contactJoinGroup struct {
	Contact ref `json:"contact"`
	Group   ref `json:"group"`
}

func (v *contactJoinGroup) play(p *play) (bool, error) {
	group, err := p.group(v.Group, true)
	return runUnless(err, p, contact.Stream, v.Contact, commands.GroupContact{Group: group})
}

type contactLeaveGroup struct {
	Contact ref `json:"contact"`
	Group   ref `json:"group"`
}

func (v *contactLeaveGroup) play(p *play) (bool, error) {
	group, err := p.group(v.Group, false)
	return runUnless(err, p, contact.Stream, v.Contact, commands.UngroupContact{Group: group})
}

type ticketOpen struct {
	Ticket     ref              `json:"ticket"`
	Channel    string           `json:"channel"`
	From       *commands.Sender `json:"from,omitempty"`
	Contact    ref              `json:"contact,omitempty"`
	Subject    string           `json:"subject"`
	Body       string           `json:"body,omitempty"`
	Department ref              `json:"department,omitempty"`
	Priority   string           `json:"priority,omitempty"`
}

func (v *ticketOpen) check() error {
	if (v.From == nil) == (v.Contact == "") {
		return errors.New("exactly one of from and contact must be there")
	}
	return nil
}

func (v *ticketOpen) play(p *play) (bool, error) {
	id := p.thing("ticket", string(v.Ticket))
	var department uuid.UUID
	if v.Department != "" {
		department = p.thing("department", string(v.Department))
	}
	if v.Contact != "" {
		who := p.thing("contact", string(v.Contact))
		by, err := p.by(who)
		if err != nil {
			return false, err
		}
		answer, err := commands.Run(p.work, ticket.Stream, id, commands.OpenTicket{
			Contact: who, Channel: ticket.Channel(v.Channel), Subject: v.Subject, Body: v.Body,
			Department: department, Priority: ticket.Priority(v.Priority), Ref: string(v.Ticket),
		}, by)
		return answer.Changed, err
	}
	by, err := p.by(uuid.Nil)
	if err != nil {
		return false, err
	}
	answer, err := commands.RunInquiry(p.work, id, commands.Inquiry{
		Channel: ticket.Channel(v.Channel), From: *v.From, Subject: v.Subject, Body: v.Body,
		Department: department, Priority: ticket.Priority(v.Priority), Ref: string(v.Ticket),
	}, by)
	return answer.Changed, err
}

type ticketAssign struct {
	Ticket ref `json:"ticket"`
	Agent  ref `json:"agent"`
}

func (v *ticketAssign) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.AssignTicket{Agent: p.thing("agent", string(v.Agent))})
}

type ticketTransfer struct {
	Ticket     ref `json:"ticket"`
	Department ref `json:"department"`
}

func (v *ticketTransfer) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.TransferTicket{Department: p.thing("department", string(v.Department))})
}

type ticketPrioritise struct {
	Ticket   ref    `json:"ticket"`
	Priority string `json:"priority"`
}

func (v *ticketPrioritise) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.PrioritiseTicket{Priority: ticket.Priority(v.Priority)})
}

type ticketReceive struct {
	Ticket ref    `json:"ticket"`
	Body   string `json:"body"`
}

func (v *ticketReceive) play(p *play) (bool, error) {
	id := p.thing("ticket", string(v.Ticket))
	t, err := commands.Look(p.work, ticket.Stream, id)
	if err != nil {
		return false, err
	}
	by, err := p.by(t.Contact)
	if err != nil {
		return false, err
	}
	answer, err := commands.RunReceive(p.work, id, v.Body, by)
	return answer.Changed, err
}

type ticketReply struct {
	Ticket ref    `json:"ticket"`
	Body   string `json:"body"`
}

func (v *ticketReply) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.Reply{Body: v.Body})
}

type ticketNote struct {
	Ticket ref    `json:"ticket"`
	Body   string `json:"body"`
}

func (v *ticketNote) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.AddNote{Body: v.Body})
}

type ticketTag struct {
	Ticket ref `json:"ticket"`
	Tag    ref `json:"tag"`
}

func (v *ticketTag) play(p *play) (bool, error) {
	id, err := p.tag(tag.Tickets, v.Tag, true)
	if err != nil {
		return false, err
	}
	return on(p, v.Ticket, commands.TagTicket{Tag: id})
}

type ticketUntag struct {
	Ticket ref `json:"ticket"`
	Tag    ref `json:"tag"`
}

func (v *ticketUntag) play(p *play) (bool, error) {
	id, err := p.tag(tag.Tickets, v.Tag, false)
	if err != nil {
		return false, err
	}
	return on(p, v.Ticket, commands.UntagTicket{Tag: id})
}

// ticketStep is a line that says nothing but which ticket.
type ticketStep struct {
	Ticket ref `json:"ticket"`
}

type (
	ticketUnassign struct{ ticketStep }
	ticketPostpone struct{ ticketStep }
	ticketResume   struct{ ticketStep }
	ticketResolve  struct{ ticketStep }
	ticketReopen   struct{ ticketStep }
	ticketClose    struct{ ticketStep }
	ticketSpam     struct{ ticketStep }
	ticketUnspam   struct{ ticketStep }
	ticketDelete   struct{ ticketStep }
	ticketRestore  struct{ ticketStep }
)

func (v *ticketUnassign) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.UnassignTicket{})
}
func (v *ticketPostpone) play(p *play) (bool, error) {
	return on(p, v.Ticket, commands.PostponeTicket{})
}
func (v *ticketResume) play(p *play) (bool, error)  { return on(p, v.Ticket, commands.ResumeTicket{}) }
func (v *ticketResolve) play(p *play) (bool, error) { return on(p, v.Ticket, commands.ResolveTicket{}) }
func (v *ticketReopen) play(p *play) (bool, error)  { return on(p, v.Ticket, commands.ReopenTicket{}) }
func (v *ticketClose) play(p *play) (bool, error)   { return on(p, v.Ticket, commands.CloseTicket{}) }
func (v *ticketSpam) play(p *play) (bool, error)    { return on(p, v.Ticket, commands.MarkSpam{}) }
func (v *ticketUnspam) play(p *play) (bool, error)  { return on(p, v.Ticket, commands.UnmarkSpam{}) }
func (v *ticketDelete) play(p *play) (bool, error)  { return on(p, v.Ticket, commands.DeleteTicket{}) }
func (v *ticketRestore) play(p *play) (bool, error) { return on(p, v.Ticket, commands.RestoreTicket{}) }
