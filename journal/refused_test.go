package journal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"daybook/commands/work"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/internal/testlog"
	"daybook/journal"
)

// TestRefusedLinesAgain is case 6.24: a refused line is refused again, and one that was mended is tried anew, wherever in the
// journal it comes, in another journal or in another process. What was taken is a duplicate, whatever it says now.
func TestRefusedLinesAgain(t *testing.T) {
	t.Parallel()
	line := func(id, rest string) string {
		return fmt.Sprintf(`{"id":%q,"at":"2026-01-05T10:00:00Z","by":"system",%s}`+"\n", id, rest)
	}
	open := func(id, contact string) string {
		return line(id, fmt.Sprintf(`"do":"ticket.open","ticket":"t","channel":"email","subject":"S","contact":%q`, contact))
	}
	far := strings.Repeat(line("note", `"do":"contact.register","contact":"dan","name":"Dan"`), 1000) // more than a batch
	eve := line("eve", `"do":"contact.register","contact":"eve","name":"Eve"`)
	for name, test := range map[string]struct {
		journals []string // each is played by a process of its own
		want     []string // the outcomes of the lines open and fly
	}{
		"again":                     {[]string{open("1", "eve"), open("1", "eve"), open("1", "eve")}, []string{"rejected contact-unknown", "rejected contact-unknown", "rejected contact-unknown"}},
		"in one batch":              {[]string{open("1", "eve") + open("1", "eve")}, []string{"rejected contact-unknown", "rejected contact-unknown"}},
		"in one journal":            {[]string{open("1", "eve") + far + open("1", "eve")}, []string{"rejected contact-unknown", "rejected contact-unknown"}},
		"mended":                    {[]string{eve + open("1", "ev"), eve + open("1", "eve"), eve + open("1", "eve"), open("1", "ev")}, []string{"rejected contact-unknown", "accepted ", "duplicate ", "duplicate "}},
		"mended in the batch":       {[]string{eve + open("1", "ev") + open("1", "eve") + open("1", "eve")}, []string{"rejected contact-unknown", "accepted ", "duplicate "}},
		"mended in the journal":     {[]string{eve + open("1", "ev") + far + open("1", "eve") + far + open("1", "ev")}, []string{"rejected contact-unknown", "accepted ", "duplicate "}},
		"mended, and refused again": {[]string{open("1", "ev"), open("1", "eva"), open("1", "eva"), open("1", "ev")}, []string{"rejected contact-unknown", "rejected contact-unknown", "rejected contact-unknown", "rejected contact-unknown"}},
		"possible by now":           {[]string{open("1", "eve"), eve, open("1", "eve")}, []string{"rejected contact-unknown", "rejected contact-unknown"}},
		"malformed":                 {[]string{line("1", `"do":"ticket.fly"`), line("1", `"do":"ticket.fly"`), eve + open("1", "eve")}, []string{"malformed malformed", "malformed malformed", "accepted "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := testlog.Memory(t)
			var got []string
			for _, lines := range test.journals {
				p := &journal.Player{
					Desk: testlog.Desk(store), Source: "test", Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Now: time.Now,
					Report: func(outcomes []journal.Outcome) {
						for _, o := range outcomes {
							if o.ID == "1" {
								got = append(got, string(o.Result)+" "+o.Code)
							}
							if o.Result.Refused() && o.Reason == "" {
								t.Errorf("line %d is refused without a reason", o.Line)
							}
						}
					},
				}
				counts, err := p.Play(t.Context(), strings.NewReader(lines))
				if err != nil || counts.Lines != strings.Count(lines, "\n") {
					t.Fatalf("%+v, %v", counts, err)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			opened := 0
			for batch, err := range store.Follow(context.WithoutCancel(t.Context()), 0) {
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range batch {
					if r.Type == (ticket.Opened{}).EventType() {
						opened++
					}
				}
				if len(batch) == 0 {
					break
				}
			}
			if want := min(1, strings.Count(strings.Join(got, " "), "accepted")); opened != want {
				t.Errorf("%d tickets were opened, want %d", opened, want)
			}
		})
	}
}

// TestLinesAheadOfTheClock is case 6.23.
func TestLinesAheadOfTheClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		at     string
		madeUp bool
		want   desk.Counts
	}{
		{"2026-03-02T12:05:00Z", false, desk.Counts{Lines: 1, Accepted: 1}},
		{"2026-03-02T13:05:00+01:00", false, desk.Counts{Lines: 1, Accepted: 1}},
		{"2026-03-02T12:05:00.000001Z", false, desk.Counts{Lines: 1, Malformed: 1}},
		{"2026-06-02T12:00:00Z", false, desk.Counts{Lines: 1, Malformed: 1}},
		{"2026-06-02T12:00:00Z", true, desk.Counts{Lines: 1, Accepted: 1}},
	} {
		p := &journal.Player{
			Desk: testlog.Desk(testlog.Memory(t)), Source: "test", Actor: event.TheSystem, Principal: event.TheCommandLine, Now: func() time.Time { return now }, MadeUp: test.madeUp,
		}
		line := fmt.Sprintf(`{"id":"1","at":%q,"by":"system","do":"department.create","department":"d","name":"D"}`, test.at)
		if got, err := p.Play(t.Context(), strings.NewReader(line)); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v; want %+v", test.at, got, err, test.want)
		}
	}
}

// TestSwitchedWhereNotAMember is case 6.15: an agent whose service is switched where they are no member joins first, as the
// importer.
func TestSwitchedWhereNotAMember(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	importer := event.Actor{Kind: event.Key, ID: event.Actor{}.ID}
	p := &journal.Player{Desk: d, Source: "test", Actor: importer, Principal: event.TheCommandLine, Now: time.Now}
	counts, err := p.Play(t.Context(), strings.NewReader(`{"id":"1","at":"2026-01-05T10:00:00Z","by":"system","do":"department.create","department":"d","name":"D"}
{"id":"2","at":"2026-01-05T10:00:00Z","by":"system","do":"agent.create","agent":"ann","name":"Ann","email":"ann@desk.example","role":"agent"}
{"id":"3","at":"2026-01-05T11:00:00Z","by":"agent:ann","do":"agent.switch","agent":"ann","department":"d","service":"chats","on":false}
{"id":"4","at":"2026-01-05T11:00:00Z","by":"agent:ann","do":"agent.switch","agent":"ann","department":"nowhere","service":"chats","on":false}
`))
	if err != nil || counts != (desk.Counts{Lines: 4, Accepted: 3, Rejected: 1}) {
		t.Fatalf("%+v, %v", counts, err)
	}
	var did []string
	for batch, err := range d.Store.Follow(context.WithoutCancel(t.Context()), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			if strings.HasPrefix(r.Stream, "agent-") {
				var meta event.Metadata
				if meta, err = event.DecodeMetadata(work.PlaceOf(r), r.Meta, d.Keys); err != nil {
					t.Fatal(err)
				}
				did = append(did, fmt.Sprint(r.Type, " by ", meta.Actor.Kind, " at ", meta.At.Hour()))
			}
		}
		if len(batch) == 0 {
			break
		}
	}
	if got, want := strings.Join(did, ", "), "agent-created by system at 10, agent-joined-department by key at 11, agent-switched by agent at 11"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
