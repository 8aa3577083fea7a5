package projections_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/domain/agent"
	"daybook/domain/personal"
	"daybook/projections/engine"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// A shift is what happened to agents, minute by minute, in the order in which it was recorded.
type shift []duty

type duty struct {
	agent  uuid.UUID
	minute int // when it happened, since rotaDay
	event  agent.Event
}

var (
	rotaDay   = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	rotaDays  = 4
	rotaEnd   = table.At(rotaDay.AddDate(0, 0, rotaDays)) // when all is recorded
	ourAgents = []uuid.UUID{ann, ben}
	ourPlaces = []uuid.UUID{sales, acme}
)

func (s shift) at(minute int) table.Instant {
	return table.At(rotaDay.Add(time.Duration(minute) * time.Minute))
}

func drawShift(t *rapid.T) shift {
	devices := []personal.Hashed{hashed("panel"), hashed("phone")}
	all := make(shift, rapid.IntRange(1, 25).Draw(t, "events"))
	for i := range all {
		e := &all[i]
		e.agent = rapid.SampledFrom(ourAgents).Draw(t, "agent")
		e.minute = rapid.OneOf(rapid.IntRange(0, rotaDays*24*60-1), rapid.Map(rapid.IntRange(0, rotaDays*24-1), func(h int) int { return h * 60 })).Draw(t, "minute")
		device := rapid.SampledFrom(devices).Draw(t, "device")
		place := rapid.SampledFrom(ourPlaces).Draw(t, "department")
		e.event = rapid.SampledFrom([]agent.Event{
			agent.SignedIn{Device: device}, agent.SignedIn{Device: device}, agent.SignedOut{Device: device}, agent.SignedOut{Device: device},
			agent.Paused{}, agent.Unpaused{}, agent.JoinedDepartment{Department: place}, agent.LeftDepartment{Department: place},
			agent.Switched{Department: place, Service: agent.Chats, On: rapid.Bool().Draw(t, "on")}, agent.Deleted{},
		}).Draw(t, "event")
	}
	return all
}

// events yields a shift, event by event.
func (s shift) events(yield func(engine.Recorded)) {
	for _, e := range s {
		yield(engine.Recorded{Event: e.event, Category: "agent", ID: e.agent, At: s.at(e.minute), RecordedAt: rotaEnd})
	}
}

// slow counts the minutes of each hour in which an agent works, or has chats on, looking at each minute for itself. With a department,
// only within it. It also counts the anomalies.
func (s shift) slow(who uuid.UUID, known int, within *uuid.UUID) (worked, chats map[int]int, odd int) {
	worked, chats = map[int]int{}, map[int]int{}
	mine := shift{}
	for _, e := range s[:known] {
		if e.agent == who {
			mine = append(mine, e)
		}
	}
	slices.SortStableFunc(mine, func(a, b duty) int { return cmp.Compare(a.minute, b.minute) })
	devices, paused, chatsIn := map[uuid.UUID]int{}, false, map[uuid.UUID]bool{}
	const day = 24 * 60
	for minute := range rotaDays * day {
		for len(mine) > 0 && mine[0].minute == minute {
			switch ev := mine[0].event.(type) {
			case agent.SignedIn:
				if _, there := devices[ev.Device.Hash]; !there {
					devices[ev.Device.Hash] = minute
				}
			case agent.SignedOut:
				if since, there := devices[ev.Device.Hash]; !there || minute-since > day {
					odd++
				}
				delete(devices, ev.Device.Hash)
			case agent.Deleted:
				long := 0
				for _, since := range devices {
					if minute-since > day {
						long = 1
					}
				}
				odd += long
				clear(devices)
			case agent.Paused:
				paused = true
				if len(devices) == 0 {
					odd++
				}
			case agent.Unpaused:
				paused = false
			case agent.JoinedDepartment:
				if _, in := chatsIn[ev.Department]; !in {
					chatsIn[ev.Department] = true
				}
			case agent.LeftDepartment:
				delete(chatsIn, ev.Department)
			case agent.Switched:
				if _, in := chatsIn[ev.Department]; in {
					chatsIn[ev.Department] = ev.On
				}
			}
			if len(devices) == 0 {
				paused = false
			}
			mine = mine[1:]
		}
		if len(devices) == 0 || paused {
			continue
		}
		on, in := false, within == nil
		for department, chats := range chatsIn {
			if within == nil || *within == department {
				in, on = true, on || chats
			}
		}
		if in {
			worked[minute/60]++
		}
		if on {
			chats[minute/60]++
		}
	}
	for _, since := range devices {
		if rotaDays*day-since > day {
			odd++
		}
	}
	return worked, chats, odd
}

// TestPresenceByWhenThingsHappened compares worktime and online time at every cut-off, in whatever order things are recorded, with what
// looking at each minute gives.
func TestPresenceByWhenThingsHappened(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawShift(rt)
		db := folded(rt, t, time.UTC, s.events)
		for known := range len(s) + 1 {
			for _, within := range []*uuid.UUID{nil, &sales} {
				got, err := report.Agents(t.Context(), db.Readers, report.Query{
					From: rotaDay, To: rotaDay.AddDate(0, 0, rotaDays), Zone: time.UTC, By: report.ByHour, Department: (*table.Ref)(within),
					Metrics: []string{"worktime", "online_time_chats"}, KnownAt: table.Position(known), MaxBuckets: 1000,
				})
				if err != nil {
					rt.Fatal(err)
				}
				rows, odd := map[string]string{}, 0
				for _, r := range got.Data {
					values := slices.Collect(r.Values)
					rows[fmt.Sprint(uuid.UUID(r.AgentID), " ", r.Bucket)] = fmt.Sprint(values[0].Value, " ", values[1].Value)
				}
				want := map[string]string{}
				for _, who := range ourAgents {
					worked, chats, n := s.slow(who, known, within)
					odd += n
					for hour, minutes := range worked {
						bucket := rotaDay.Add(time.Duration(hour) * time.Hour).Format("2006-01-02T15:04Z07:00")
						want[fmt.Sprint(who, " ", bucket)] = fmt.Sprint(60*float64(minutes), " ", 60*float64(chats[hour]))
					}
				}
				if fmt.Sprint(rows) != fmt.Sprint(want) || int(got.Anomalies) != odd {
					rt.Fatalf("known at %d, within %v: got\n%v and %d anomalies, want\n%v and %d", known, within, rows, got.Anomalies, want, odd)
				}
			}
		}
	})
}
