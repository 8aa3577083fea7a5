package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/personal/personaltest"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/internal/testlog"
	"daybook/journal"
)

// mortal is a log in which some appends die. Which ones depends on the stream and its revision, so that the same appends die
// when a test is repeated: streams are written at once, in no order.
func mortal(store eventstore.Store, salt, odds int) (log *testlog.Dying, dead *atomic.Bool) {
	dead = new(atomic.Bool)
	return &testlog.Dying{Store: store, End: func(stream string, expected eventstore.Revision) testlog.End {
		sum := fnv.New32a()
		fmt.Fprint(sum, salt, stream, expected)
		chance := int(sum.Sum32()>>8) % (2 * odds)
		if chance > 1 {
			return testlog.Lives
		}
		dead.Store(true)
		return []testlog.End{testlog.Before, testlog.Written}[chance]
	}}, dead
}

func play(store eventstore.Store, lines string) (desk.Counts, error) {
	p := &journal.Player{
		Desk:   testlog.Desk(store),
		Source: "test", Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Now: time.Now,
	}
	return p.Play(context.Background(), strings.NewReader(lines))
}

// TestResume imports journals with processes that die at random appends, one after another. The states of all things and
// the outcome of each line must be the same as with one process that does not die.
func TestResume(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := drawJournal(t)
		whole := testlog.Memory(t)
		defer whole.Close()
		counts, err := play(whole, lines)
		if err != nil {
			t.Fatal(err)
		}
		broken := testlog.Memory(t)
		defer broken.Close()
		for range rapid.IntRange(1, 5).Draw(t, "crashes") {
			fragile, dead := mortal(broken, rapid.IntRange(0, 1000).Draw(t, "salt"), rapid.IntRange(2, 20).Draw(t, "odds"))
			if _, err := play(fragile, lines); dead.Load() != (err != nil) {
				t.Fatalf("dead: %t, %v", dead.Load(), err)
			}
		}
		again, err := play(broken, lines)
		if err != nil {
			t.Fatal(err)
		}
		if again.Lines != counts.Lines {
			t.Fatalf("%d lines, want %d", again.Lines, counts.Lines)
		}
		if got, want := outcomes(t, broken), outcomes(t, whole); !maps.Equal(got, want) {
			for id := range want {
				if got[id] != want[id] {
					t.Errorf("line %s is %q, want %q", id, got[id], want[id])
				}
			}
		}
		got, want := states(t, broken), states(t, whole)
		for stream := range want {
			if !reflect.DeepEqual(got[stream], want[stream]) {
				t.Errorf("%s is\n%+v, want\n%+v", stream, got[stream], want[stream])
			}
		}
		for stream := range got {
			if _, there := want[stream]; !there {
				t.Errorf("%s should not be there: %+v", stream, got[stream])
			}
		}
		if t.Failed() {
			t.Logf("the journal was\n%s", lines)
		}
	})
}

// drawJournal returns a random journal in which few things affect each other a lot: addresses move between contacts,
// tickets go through all statuses, lines are repeated.
func drawJournal(t *rapid.T) string {
	var b strings.Builder
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	number := 0
	write := func(by, do string, fields map[string]any) {
		number++
		at = at.Add(time.Minute)
		line := map[string]any{"id": fmt.Sprint("l", number), "at": at.Format(time.RFC3339), "by": by, "do": do}
		maps.Copy(line, fields)
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	type f = map[string]any
	write("system", "department.create", f{"department": "d", "name": "D"})
	for _, name := range []string{"ann", "bob"} {
		write("system", "agent.create", f{"agent": name, "name": name, "email": name + "@desk.example", "role": "agent"})
	}
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
	email := func() string {
		return pick("email", "a@customers.example", "b@customers.example", "c@customers.example")
	}
	person := func() string { return pick("contact", "c1", "c2", "c3") }
	open := func() string { return pick("ticket", "t1", "t2", "t3") }
	for range rapid.IntRange(1, 60).Draw(t, "lines") {
		by := pick("by", "agent:ann", "agent:bob", "system")
		switch pick("do", "register", "edit", "edit", "inquiry", "inquiry", "receive", "step", "step", "step", "assign", "tag", "group", "company", "session", "tagContact", "again", "wrong") {
		case "register":
			write(by, "contact.register", f{"contact": person(), "name": "N", "emails": []string{email()}})
		case "edit":
			write(by, "contact.edit", f{"contact": person(), "set": f{"emails": []string{email()}, "note": pick("note", "x", "y")}})
		case "inquiry":
			write(by, "ticket.open", f{"ticket": open(), "channel": "email", "from": f{"email": email()}, "subject": "S", "department": "d"})
		case "receive":
			write("contact", "ticket.receive", f{"ticket": open(), "body": "B"})
		case "step":
			write(by, "ticket."+pick("step", "resolve", "reopen", "postpone", "resume", "close", "spam", "unspam", "delete", "restore", "unassign"), f{"ticket": open()})
		case "assign":
			write(by, "ticket.assign", f{"ticket": open(), "agent": pick("agent", "ann", "bob", "nobody")})
		case "tag":
			write(by, "ticket."+pick("tagging", "tag", "untag"), f{"ticket": open(), "tag": pick("tag", "x", "y")})
		case "tagContact":
			write(by, "contact."+pick("tagging", "tag", "untag"), f{"contact": person(), "tag": pick("tag", "x", "y")})
		case "group":
			write(by, "contact."+pick("grouping", "join_group", "leave_group"), f{"contact": person(), "group": pick("group", "g", "h")})
		case "company":
			if rapid.Bool().Draw(t, "register") {
				write(by, "company.register", f{"company": "k", "name": "K"})
			} else {
				write(by, "contact.assign_company", f{"contact": person(), "company": "k"})
			}
		case "session":
			write(by, "agent."+pick("session", "sign_in", "sign_out"), f{"agent": pick("agent", "ann", "bob"), "device": "panel"})
		case "again":
			all := strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
			b.WriteString(strings.TrimSuffix(rapid.SampledFrom(all).Draw(t, "line"), "\n") + "\n")
		case "wrong":
			write(by, "ticket.fly", f{"ticket": open()})
		}
	}
	return b.String()
}

// outcomes returns the result of each line, as the log records it. No line may be recorded twice.
func outcomes(t *rapid.T, store eventstore.Store) map[uuid.UUID]string {
	came := make(map[uuid.UUID]string)
	for r := range log(t, store) {
		e, err := desk.ImportEvents.Decode(work.PlaceOf(r), r.Data, &personaltest.Keys{})
		if errors.Is(err, event.ErrUnknown) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		played := e.(desk.LinesPlayed)
		for result, ids := range map[string][]uuid.UUID{"accepted": played.Accepted, "unchanged": played.Unchanged, "rejected": played.Rejected, "malformed": played.Malformed} {
			for _, id := range ids {
				if came[id] != "" {
					t.Errorf("line %s is recorded twice: %s and %s", id, came[id], result)
				}
				came[id] = result
			}
		}
	}
	return came
}

func log(t *rapid.T, store eventstore.Store) func(func(eventstore.Recorded) bool) {
	return func(yield func(eventstore.Recorded) bool) {
		for batch, err := range store.Follow(context.Background(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range batch {
				if !yield(r) {
					return
				}
			}
			if len(batch) == 0 {
				return
			}
		}
	}
}

// states returns the states of all things, by stream.
func states(t *rapid.T, store eventstore.Store) map[string]any {
	d := testlog.Desk(store)
	all := make(map[string]any)
	for r := range log(t, store) {
		category, id, err := event.ParseStream(r.Stream)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := all[r.Stream]; known {
			continue
		}
		for _, state := range []func() (any, bool, error){
			stateOf(d, contact.Stream, category, id), stateOf(d, ticket.Stream, category, id), stateOf(d, agent.Stream, category, id),
			stateOf(d, company.Stream, category, id), stateOf(d, department.Stream, category, id), stateOf(d, tag.Stream, category, id), stateOf(d, group.Stream, category, id),
		} {
			s, there, err := state()
			if err != nil {
				t.Fatal(err)
			}
			if there {
				all[r.Stream] = s
			}
		}
	}
	return all
}

func stateOf[S any, E event.Event](d *work.Desk, kind event.Kind[S, E], category string, id uuid.UUID) func() (any, bool, error) {
	return func() (any, bool, error) {
		if kind.Category != category {
			return nil, false, nil
		}
		a, err := work.State(context.Background(), d, kind, id)
		return a.State, kind.Exists(a.State), err
	}
}
