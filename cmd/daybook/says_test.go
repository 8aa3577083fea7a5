package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/catalogue"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/reservation"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/vault"
)

// A saying is an event of a log, decoded.
type saying struct {
	eventstore.Recorded
	event event.Event
	meta  event.Metadata
}

var doors = regexp.MustCompile(`^(api|page|timer|command-line|(import|channel):[a-z0-9._-]{1,40}|rule:[0-9a-f-]{36}@[0-9]+)$`)

// everyEventSays checks that every event of a log says who did it, who sent it and by which door it came, and what led to it
// where something did: what docs/events.md promises. It returns how many events it has seen by type.
func everyEventSays(t *testing.T, f folder, log []eventstore.Recorded) map[string]int {
	t.Helper()
	v, err := vault.Open(f.path("vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	byID := make(map[uuid.UUID]saying)
	begun := make(map[uuid.UUID]bool) // requests that began an operation
	reasons := make(map[uuid.UUID]int)
	seen := make(map[string]int)
	var all []saying
	for _, r := range log {
		at := work.PlaceOf(r)
		s := saying{Recorded: r}
		if s.event, err = catalogue.Decode(at, r.Data, v); err != nil {
			t.Fatal(err)
		}
		if s.meta, err = event.DecodeMetadata(at, r.Meta, v); err != nil {
			t.Fatal(err)
		}
		seen[r.Type]++
		byID[r.ID] = s
		all = append(all, s)
		if _, is := s.event.(operation.Begun); is {
			begun[s.meta.Request] = true
		} else if !s.meta.Reason.Empty() {
			reasons[s.meta.Request]++
		}
	}
	for _, s := range all {
		wrong := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s %s: "+format, append([]any{s.Position, s.Type}, args...)...)
		}
		m := s.meta
		if m.Actor.Kind != event.System && m.Actor.ID == uuid.Nil {
			wrong("actor %s", m.Actor)
		}
		if m.Principal.Kind == event.ByKey && m.Principal.ID == uuid.Nil || m.At.IsZero() || m.Request == uuid.Nil {
			wrong("%+v", m)
		}
		if !doors.MatchString(m.Through) {
			wrong("through %q", m.Through)
		}
		led, known := byID[m.Cause]
		if m.Cause != uuid.Nil && !known {
			wrong("its cause %s is no event", m.Cause)
		}
		if reasons[m.Request] > 1 {
			wrong("its request has %d reasons", reasons[m.Request])
		}
		imported := strings.HasPrefix(m.Through, "import:")
		switch e := s.event.(type) {
		case reservation.Event, desk.OwnersEvent, agent.ClaimLapsed, contact.ClaimLapsed:
			if !m.Reason.Empty() || !m.Digest.Empty() || m.Correlation != "" {
				wrong("it repeats what the caller wrote: %+v", m)
			}
		case ticket.Received:
			if m.Actor != (event.Actor{Kind: event.Contact, ID: e.Contact}) {
				wrong("it was written by %s and done by %s", e.Contact, m.Actor)
			}
			if !imported && m.Through != "channel:"+string(e.Channel) {
				wrong("through %s", m.Through)
			}
		case ticket.Opened:
			if e.Identity != nil && !imported && (m.Actor != (event.Actor{Kind: event.Contact, ID: e.Contact}) || m.Through != "channel:"+string(e.Channel)) {
				wrong("%s wrote, and it was done by %s through %s", e.Contact, m.Actor, m.Through)
			}
		case ticket.Joined:
			if _, is := led.event.(ticket.Received); !is {
				wrong("no message led to it")
			}
		case ticket.Reopened:
			_, received := led.event.(ticket.Received)
			if _, unmarked := led.event.(ticket.UnmarkedSpam); (received || unmarked) != (e.Cause == ticket.ByMessage) {
				wrong("reopened by %s, and its cause is %v", e.Cause, led.event)
			}
		case agent.LeftDepartment:
			if _, is := led.event.(department.Deleted); is != begun[m.Request] {
				wrong("its cause is %v", led.event)
			}
		case contact.LeftCompany:
			if _, is := led.event.(company.Deleted); is != begun[m.Request] {
				wrong("its cause is %v", led.event)
			}
		case ticket.Unassigned:
			if begun[m.Request] && m.Cause == uuid.Nil {
				wrong("nothing led to it")
			}
		case contact.Event:
			if strings.HasPrefix(m.Through, "channel:") && (led.event == nil || led.meta.Request != m.Request) {
				wrong("no message led to it")
			}
		}
	}
	return seen
}

// TestSimulatedEventsSay simulates a desk, and looks at each event.
func TestSimulatedEventsSay(t *testing.T) {
	t.Parallel()
	f := folderOf(t.TempDir())
	inProcess.Must(t, 0, "simulate", "--data", f.Data, "--days", "10")
	if seen := everyEventSays(t, f, f.log(t)); seen["ticket-message-received"] < 10 || seen["ticket-reopened"] == 0 {
		t.Errorf("seen %v", seen)
	}
}

// folderOf returns the desk in a folder.
func folderOf(path string) folder { return folder{Data: path} }
