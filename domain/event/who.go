package event

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
)

// An Actor is who did something, in the desk's world.
type Actor struct {
	Kind    ActorKind
	ID      uuid.UUID // nil for the system
	Version int       // of a rule; 0: not known
}

// ActorKind is the kind of an actor.
type ActorKind string

// The kinds of actors. A visitor is somebody on the website who is not a contact yet. A key is a program that acts for
// itself, not for an agent.
const (
	System  ActorKind = "system"
	Agent   ActorKind = "agent"
	Contact ActorKind = "contact"
	Visitor ActorKind = "visitor"
	Rule    ActorKind = "rule"
	Key     ActorKind = "key"
)

// TheSystem is Daybook acting on its own.
var TheSystem = Actor{Kind: System}

// String returns the actor as it is stored: "system", "KIND:ID", or "rule:ID@VERSION".
func (a Actor) String() string {
	switch a.Kind {
	case System, "":
		return string(System)
	case Rule:
		return fmt.Sprintf("%s:%s@%d", a.Kind, a.ID, a.Version)
	}
	return string(a.Kind) + ":" + a.ID.String()
}

// MarshalText returns String's form.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses MarshalText's form.
func (a *Actor) UnmarshalText(text []byte) error {
	if string(text) == string(System) {
		*a = TheSystem
		return nil
	}
	name, version := string(text), 0
	if before, after, ruled := strings.Cut(name, "@"); ruled && strings.HasPrefix(name, string(Rule)) {
		var err error
		if version, err = strconv.Atoi(after); err != nil || version < 0 {
			return fmt.Errorf("%q is not an actor: a rule is written rule:ID@VERSION", text)
		}
		name = before
	}
	kind, id, err := named(name, Agent, Contact, Visitor, Rule, Key)
	if err != nil {
		return fmt.Errorf("%q is not an actor: %w", text, err)
	}
	*a = Actor{kind, id, version}
	return nil
}

// AgentID returns the agent who acted, or uuid.Nil.
func (a Actor) AgentID() uuid.UUID {
	if a.Kind != Agent {
		return uuid.Nil
	}
	return a.ID
}

// A Principal is who was signed in and sent a request.
type Principal struct {
	Kind PrincipalKind
	ID   uuid.UUID // nil for the command line and the system
}

// PrincipalKind is the kind of a principal.
type PrincipalKind string

// The kinds of principals.
const (
	ByKey         PrincipalKind = "key"          // an API key
	BySession     PrincipalKind = "session"      // an agent who is signed in
	ByCommandLine PrincipalKind = "command-line" // whoever can run the program on its data
	BySystem      PrincipalKind = "system"       // nobody: Daybook does it by itself
)

// TheCommandLine is whoever runs the program on its data.
var TheCommandLine = Principal{Kind: ByCommandLine}

// String returns the principal as it is stored: "command-line", "system" or "KIND:ID".
func (p Principal) String() string {
	switch p.Kind {
	case ByCommandLine, BySystem, "":
		return string(p.Kind)
	}
	return string(p.Kind) + ":" + p.ID.String()
}

// MarshalText returns String's form.
func (p Principal) MarshalText() ([]byte, error) {
	if p.Kind == "" {
		return nil, fmt.Errorf("an event has no principal")
	}
	return []byte(p.String()), nil
}

// UnmarshalText parses MarshalText's form.
func (p *Principal) UnmarshalText(text []byte) error {
	if kind := PrincipalKind(text); kind == ByCommandLine || kind == BySystem {
		*p = Principal{Kind: kind}
		return nil
	}
	kind, id, err := named(string(text), ByKey, BySession)
	if err != nil {
		return fmt.Errorf("%q is not a principal: %w", text, err)
	}
	*p = Principal{kind, id}
	return nil
}

// named parses KIND:ID.
func named[K ~string](text string, kinds ...K) (K, uuid.UUID, error) {
	kind, rest, _ := strings.Cut(text, ":")
	if !slices.Contains(kinds, K(kind)) {
		return "", uuid.Nil, fmt.Errorf("it must be KIND:ID with a kind of %v", kinds)
	}
	id, err := domain.ParseID(rest)
	return K(kind), id, err
}

// The doors by which events come: what Metadata.Through says. Imports, channels and rules are named: see ThroughImport
// and ThroughChannel; a rule is rule:ID@VERSION.
const (
	ThroughAPI         = "api"
	ThroughPage        = "page"
	ThroughTimer       = "timer"
	ThroughCommandLine = "command-line"
)

// ThroughImport is the door of journals of one source.
func ThroughImport(source string) string { return "import:" + source }

// ThroughChannel is the door of the messages of one channel.
func ThroughChannel(name string) string { return "channel:" + name }

var doorName = regexp.MustCompile(`^[a-z0-9._-]{1,40}$`)

// NamesDoor reports whether a text can name a source or a channel: 1 to 40 of a-z, 0-9, dot, dash and underscore.
func NamesDoor(name string) bool { return doorName.MatchString(name) }
