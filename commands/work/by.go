package work

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/eventstore"
)

// A Decider changes one thing, whose state is S and whose events are E.
type Decider[S any, E event.Event] interface {
	// Decide returns the events that happen, none if there is nothing to change, or a *domain.Error.
	Decide(state S, by By) ([]E, error)
}

// A Command is a decision that a caller may ask for.
type Command[S any, E event.Event] interface {
	Decider[S, E]
	// Permission returns the permission that the caller needs.
	Permission() role.Permission
}

// By says who asks, when and why. Besides the state, a command's decision depends on nothing else.
type By struct {
	Actor       event.Actor
	Principal   event.Principal
	Allowed     role.Permissions
	Sight       role.Sight
	At          time.Time // when it happened
	Reason      string
	Request     uuid.UUID // the same on every retry of one request
	Digest      string    // of the request's body; empty if the same request always has the same body
	Correlation string
	Cause       uuid.UUID // the event that leads to this; nil: none
	Through     string
	History     bool   // imported history, which happened on another desk: permissions and sight are not checked, except for making owners
	Region      string // the country (ISO 3166) of phone numbers without a country code; empty: none

	// IfMatch lists the revisions that the caller accepts. A thing at any other revision is refused as stale. Nil: any.
	IfMatch []eventstore.Revision

	// RestsOn is set to the last event that was read or written for the request. Nil: it is not.
	RestsOn *Event

	// ID is the thing that the command is about, and Names hashes its names. Late says that imported history did not come in the
	// order in which it happened: the state may not be how the thing was then. This package sets them.
	ID    uuid.UUID
	Names personal.Hasher
	Late  bool

	since   eventstore.Position // of an operation: its requests wrote nothing up to it
	granted bool                // what is asked was allowed before: who may do it is not asked again
	others  []other             // the things that the command refers to
}

// An Event is the place of an event in the log, and its id. If a log has it, it has all those before it.
type Event struct {
	Stream   string
	Revision eventstore.Revision
	Position eventstore.Position
	ID       uuid.UUID
}

// other is another thing that a command refers to.
type other struct {
	stream string
	state  any
}

// May reports whether the caller has a permission. History waives all but one: an owner made by it rules this desk.
func (by By) May(p role.Permission) bool {
	return by.History && p != role.OwnersWrite || by.granted || by.Allowed.Have(p)
}

// MustMay refuses a caller who lacks a permission.
func (by By) MustMay(p role.Permission) error {
	if !by.May(p) {
		return domain.Forbidden("permission-missing", "Your API key does not have the permission %s. Use a key whose role has it.", p)
	}
	return nil
}

// sees reports whether the caller sees a thing.
func (by By) sees(kind *event.Noun, state any) bool { return by.History || kind.Seen(state, by.Sight) }

// Aside returns by for what else a plan does, besides what was asked for: the reason stays with that, and so is stored once.
func (by By) Aside(cause uuid.UUID) By {
	by.Reason, by.Cause = "", cause
	return by
}

// bare returns by for bookkeeping about several things, such as claims of names: it stores nothing that the caller wrote.
func (by By) bare() By {
	by.Reason, by.Digest, by.Correlation = "", "", ""
	return by
}

// alone reports whether no other process can carry out the same request: its id was made up for it, rather than derived from a key.
func (by By) alone() bool { return by.Request.Version() == 7 }

// at is when it happened, as it is stored.
func (by By) at() time.Time { return by.At.UTC().Truncate(time.Microsecond) }

func (by By) metadata() event.Metadata {
	return event.Metadata{
		At: by.at(), Actor: by.Actor, Principal: by.Principal, Through: by.Through,
		Reason: personal.New(by.Reason), Digest: personal.New(by.Digest), Request: by.Request, Correlation: by.Correlation, Cause: by.Cause,
	}
}

// A Reference is another thing that a command refers to.
type Reference struct {
	field    string
	category string
	id       uuid.UUID
	must     func(state any) error
	had      bool // see Had
}

// A Referrer is a command that refers to other things. They are loaded and checked before it decides.
type Referrer interface{ Refs() []Reference }

// Needs returns a reference to a thing that must pass must. field is where the caller wrote its id.
func Needs[S any, E event.Event](field string, kind event.Kind[S, E], id uuid.UUID, must func(S) error) Reference {
	return Reference{field, kind.Category, id, func(state any) error { return must(state.(S)) }, false}
}

// Had is Needs for a thing that a command takes something out of or off. An imported history may do so without it: that
// changes nothing.
func Had[S any, E event.Event](field string, kind event.Kind[S, E], id uuid.UUID, must func(S) error) Reference {
	ref := Needs(field, kind, id, must)
	ref.had = true
	return ref
}

// Known returns the state of a thing that the command's Refs name. It returns an error for any other thing, which is a bug
// in the command.
func Known[S any, E event.Event](by By, kind event.Kind[S, E], id uuid.UUID) (state S, err error) {
	stream := kind.Stream(id)
	i := slices.IndexFunc(by.others, func(o other) bool { return o.stream == stream })
	if i < 0 {
		return state, fmt.Errorf("the command reads %s, which its Refs do not name", stream)
	}
	return by.others[i].state.(S), nil
}

// With returns a copy of by that knows the state of a thing. It is for tests of decisions; otherwise this package does so.
func With[S any, E event.Event](by By, kind event.Kind[S, E], id uuid.UUID, state S) By {
	by.others = append(by.others[:len(by.others):len(by.others)], other{kind.Stream(id), state})
	return by
}

// ofField turns a not-found refusal into one of the field that names the thing.
func ofField(field string, err error) error {
	var no *domain.Error
	if !errors.As(err, &no) || no.Refusal != domain.RefusedNotFound {
		return err
	}
	return domain.Invalid(field, no.Code, "%s", no.Message)
}
