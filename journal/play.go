package journal

import (
	"strings"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/tag"
)

// play is one line being imported.
type play struct {
	*Player
	work *work.Work
	line line
}

// by returns who did what the line says. requester is the contact of its ticket, if it has one.
func (p *play) by(requester uuid.UUID) (work.By, error) {
	by := work.By{
		Principal: p.Principal, Allowed: p.Allowed, At: p.line.At.Time, Request: p.line.request, Through: event.ThroughImport(p.Source),
		Correlation: p.stream.String(), History: true, Region: p.Region,
	}
	kind, name, called := strings.Cut(p.line.By, ":")
	by.Actor = event.Actor{Kind: event.ActorKind(kind), ID: p.thing(kind, name)}
	switch {
	case p.line.By == "system":
		by.Actor = event.TheSystem
		return by, nil
	case p.line.By == "contact":
		by.Actor.ID = requester
		return by, nil
	case !called || name == "":
	case kind == "agent":
		a, err := work.Look(p.work, agent.Stream, by.Actor.ID)
		if err == nil && !a.Created {
			err = unknown("by", "agent")
		}
		return by, err
	case kind == "contact":
		c, err := work.Look(p.work, contact.Stream, by.Actor.ID)
		if err == nil && !c.Registered {
			err = unknown("by", "contact")
		}
		return by, err
	case kind == "rule" || kind == "key":
		return by, nil
	}
	return by, domain.Invalid("by", "actor-malformed", "by must be system, contact, or agent:REF, contact:REF, rule:REF or key:REF.")
}

// unknown refuses a name that no earlier line has introduced. It does not repeat the name, which may be an address.
func unknown(field, kind string) error {
	return domain.Invalid(field, kind+"-unknown", "%s must name the %s of an earlier line.", field, kind)
}

// named returns the thing that a field names. If create is set, it first creates a tag or a group that does not exist.
func (p *play) named(kind string, name ref, create bool) (uuid.UUID, error) {
	switch category, scope, _ := strings.Cut(kind, "/"); category {
	case tag.Stream.Category:
		scope := tag.Scope(scope)
		return called(p, tag.Stream, string(scope)+"/"+string(name), tag.Named(p.Desk.Names, scope, string(name)), create,
			commands.CreateTag{Scope: scope, Name: string(name), Ref: string(name)})
	case group.Stream.Category:
		return called(p, group.Stream, string(name), group.Named(p.Desk.Names, string(name)), create, commands.CreateGroup{Name: string(name), Ref: string(name)})
	}
	return p.thing(kind, string(name)), nil
}

// called returns the thing with a name: the source's own, or one that this desk already has.
func called[S any, E event.Event](p *play, kind event.Kind[S, E], own string, hold event.Hold, create bool, c work.Command[S, E]) (uuid.UUID, error) {
	id := p.thing(kind.Category, own)
	state, err := work.Look(p.work, kind, id)
	if err != nil || kind.Exists(state) {
		return id, err
	}
	other, found, err := p.work.Find(hold)
	if err != nil || found {
		return other, err
	}
	if create {
		_, err = work.Run(p.work, kind, id, c, p.importer())
	}
	return id, err
}

// importer returns the work.By for things that are created because a line names them: who imports creates them.
func (p *play) importer() work.By {
	return work.By{
		Actor: p.Actor, Principal: p.Principal, Allowed: p.Allowed, At: p.line.At.Time, Request: p.line.request, Through: event.ThroughImport(p.Source),
		Correlation: p.stream.String(), History: true,
	}
}
