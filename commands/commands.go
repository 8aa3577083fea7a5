// Package commands is what may be asked of the desk. One command, one file: its fields, what it decides, the permission
// it needs.
//
// A command decides purely: from the state of one thing, and from who asks, it makes events or a refusal. Desk carries it
// out, once for all of them.
package commands

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
)

// A Command changes one thing, whose state is S and whose events are E.
type Command[S any, E event.Event] interface {
	// Permission is what the caller's role needs.
	Permission() role.Permission
	// Decide returns what happens, nothing if all is so already, or a *domain.Error.
	Decide(state S, by By) ([]E, error)
}

// By says who asks, when and why. What a command decides depends on nothing else.
type By struct {
	Actor       event.Actor
	Role        role.Role
	At          time.Time // when it happened
	Reason      string
	Request     uuid.UUID // the same on every retry of one request
	Digest      string    // of the request's body; empty where a request has but one
	Correlation string
	Causation   string
	Through     string
	History     bool   // it happened already, on another desk: who may do what is not asked
	Region      string // the country of phone numbers without a country code; empty: none

	// Within are the departments whose tickets the caller sees; he also sees those of none. Nil: all.
	Within []uuid.UUID

	// IfMatch are the revisions that the caller has seen; a thing that is elsewhere refuses. Nil: any.
	IfMatch []eventstore.Revision

	// ID is the thing that the command is about. Desk sets it.
	ID uuid.UUID

	known map[string]any // the states of the things that the command named, by stream
}

// May reports whether the caller has a permission.
func (by By) May(p role.Permission) bool { return by.History || by.Role.May(p) }

// MustMay refuses a caller who lacks a permission.
func (by By) MustMay(p role.Permission) error {
	if !by.May(p) {
		return domain.Forbidden("permission-missing", "This needs the permission %s, which the role %q does not have.", p, by.Role)
	}
	return nil
}

// Because returns by, with an event that led to what is asked.
func (by By) Because(cause uuid.UUID) By {
	by.Causation = cause.String()
	return by
}

// A Reference is another thing that a command leans on.
type Reference struct {
	stream string
	check  func(*Work) (state any, err error)
}

// A Referrer is a command that leans on other things. They are loaded and checked before it decides.
type Referrer interface{ Refs() []Reference }

// Needs names a thing that must be as must says. field is where the caller wrote its id.
func Needs[S any, E event.Event](field string, kind event.Kind[S, E], id uuid.UUID, must func(S) error) Reference {
	return Reference{kind.Stream(id), func(w *Work) (any, error) {
		s, err := load(w, kind, id)
		if err != nil {
			return nil, err
		}
		return s.state, ofField(field, must(s.state))
	}}
}

// Known returns the state of a thing that the command named in Refs.
func Known[S any, E event.Event](by By, kind event.Kind[S, E], id uuid.UUID) S {
	state, _ := by.known[kind.Stream(id)].(S)
	return state
}

// With returns by, knowing the state of a thing. Desk does the same; this is for tests of decisions.
func With[S any, E event.Event](by By, kind event.Kind[S, E], id uuid.UUID, state S) By {
	known := map[string]any{kind.Stream(id): state}
	for stream, other := range by.known {
		known[stream] = other
	}
	by.known = known
	return by
}

// ofField turns "there is no such thing" into "this field names no such thing".
func ofField(field string, err error) error {
	var no *domain.Error
	if !errors.As(err, &no) || no.Refusal != domain.RefusedNotFound {
		return err
	}
	return domain.Invalid(field, no.Code, "%s", no.Message)
}

// happened makes one event of a decision.
func happened[E event.Event](events ...E) ([]E, error) { return events, nil }
