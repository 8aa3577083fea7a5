package event_test

import (
	"testing"

	"github.com/google/uuid"

	"daybook/domain/event"
)

func TestActorIsReadAsItWasWritten(t *testing.T) {
	for _, a := range []event.Actor{
		event.TheSystem, {Kind: event.Agent, ID: uuid.New()}, {Kind: event.Contact, ID: uuid.New()}, {Kind: event.Rule, ID: uuid.New()}, {Kind: event.Key, ID: uuid.New()},
	} {
		var back event.Actor
		if err := back.UnmarshalText([]byte(a.String())); err != nil || back != a {
			t.Errorf("%s came back as %s, %v", a, back, err)
		}
	}
	for _, bad := range []string{"", "agent", "agent:", "agent:x", "king:" + uuid.NewString(), "system:" + uuid.NewString(), uuid.NewString()} {
		var a event.Actor
		if err := a.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read as %s", bad, a)
		}
	}
}

func TestStreamNames(t *testing.T) {
	id := uuid.New()
	if category, got, err := event.ParseStream("ticket-" + id.String()); err != nil || category != "ticket" || got != id {
		t.Errorf("%s %s %v", category, got, err)
	}
	if _, _, err := event.ParseStream("ticket"); err == nil {
		t.Error("a stream without an id")
	}
}
