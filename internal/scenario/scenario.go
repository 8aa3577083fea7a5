// Package scenario tests decisions: given some events, when a command is executed, then it returns these events, or is
// refused.
package scenario

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/role"
)

// A Scenario is the situation in which a command is executed.
type Scenario[S any, E event.Event] struct {
	t     testing.TB
	kind  event.Kind[S, E]
	by    commands.By
	given []E
}

// On returns a scenario on one kind of thing. The caller is an owner, unless By changes it.
func On[S any, E event.Event](t testing.TB, kind event.Kind[S, E]) Scenario[S, E] {
	return Scenario[S, E]{t: t, kind: kind, by: commands.By{Names: personaltest.Names{}, Actor: event.TheSystem, Allowed: role.Owner.Permissions(), Sight: role.Everything, At: time.Unix(1e9, 0)}}
}

// By sets the caller.
func (s Scenario[S, E]) By(by commands.By) Scenario[S, E] {
	by.Names = personaltest.Names{}
	s.by = by
	return s
}

// Given adds events that happened before.
func (s Scenario[S, E]) Given(events ...E) Scenario[S, E] {
	s.given = append(s.given[:len(s.given):len(s.given)], events...)
	return s
}

// An Outcome is the result of a command.
type Outcome[S any, E event.Event] struct {
	t      testing.TB
	before S
	kind   event.Kind[S, E]
	events []E
	err    error
}

// When executes a command.
func (s Scenario[S, E]) When(command work.Command[S, E]) Outcome[S, E] {
	s.t.Helper()
	var state S
	for _, e := range s.given {
		state = s.kind.Fold(state, stored(s.t, s.kind, e))
	}
	events, err := command.Decide(state, s.by)
	return Outcome[S, E]{s.t, state, s.kind, events, err}
}

// Refused reports whether the command was refused.
func (o Outcome[S, E]) Refused() bool { return o.err != nil }

// Then expects exactly these events.
func (o Outcome[S, E]) Then(events ...E) S {
	o.t.Helper()
	if o.err != nil {
		o.t.Fatalf("refused: %v", o.err)
	}
	var got []E
	for _, e := range o.events {
		got = append(got, stored(o.t, o.kind, e))
	}
	if diff := cmp.Diff(events, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		o.t.Fatalf("expected (-) and happened (+):\n%s", diff)
	}
	return o.kind.Fold(o.before, got...)
}

// ThenNothing expects no events: there was nothing to change.
func (o Outcome[S, E]) ThenNothing() {
	o.t.Helper()
	o.Then()
}

// ThenRefused expects a refusal with this code.
func (o Outcome[S, E]) ThenRefused(code string) {
	o.t.Helper()
	var no *domain.Error
	if !errors.As(o.err, &no) {
		o.t.Fatalf("expected the refusal %s, got %v and %d events", code, o.err, len(o.events))
	}
	if no.Code != code {
		o.t.Fatalf("expected the refusal %s, got %s: %s", code, no.Code, no.Message)
	}
	if no.Message == "" {
		o.t.Fatalf("the refusal %s says nothing", code)
	}
}

// stored encodes and decodes an event, so that a type that is not registered, or a field that is not stored, fails in the
// first scenario that has it.
func stored[S any, E event.Event](t testing.TB, kind event.Kind[S, E], e E) E {
	t.Helper()
	at := personal.Place{Stream: kind.Stream(uuid.New()), Type: e.EventType(), Event: uuid.New()}
	keys := &personaltest.Keys{}
	data, err := event.Encode(e, at, uuid.New(), keys)
	if err != nil {
		t.Fatal(err)
	}
	back, err := kind.Events.Decode(at, data, keys)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// Text returns a personal text, for events in scenarios.
func Text(s string) personal.Text { return personal.New(s) }
