package projections

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// keepPresence keeps the spans in which agents worked, and were available for each service in each department, by when things happened. An
// event that is recorded late corrects the spans that follow from it, with the position at which that was learnt.
func keepPresence(l *engine.Ledger, days *daily) func(*engine.Recorded, agent.Event) {
	r := rota{
		days:  engine.NewTable[readmodels.PresenceKey, readmodels.PresenceDay](l, readmodels.PresenceDaysTable),
		now:   engine.NewTable[uuid.UUID, readmodels.PresenceNow](l, readmodels.PresenceNowTable),
		spans: engine.NewPacked[report.SpanKey, report.Span](l, report.SpansTable),
		open:  engine.NewFacts[report.OpenPresence](l, report.OpenTable),
		daily: days,
	}
	return func(e *engine.Recorded, ev agent.Event) {
		if change, is := presenceChange(e, ev); is {
			r.note(e, change)
		}
	}
}

// presenceChange returns an event as a change of presence, if it is one.
func presenceChange(e *engine.Recorded, ev agent.Event) (c readmodels.PresenceChange, is bool) {
	c = readmodels.PresenceChange{At: e.At, Position: table.Position(e.Position), Event: ev.EventType()}
	switch ev := ev.(type) {
	case agent.SignedIn:
		c.Device = ev.Device.Hash
	case agent.SignedOut:
		c.Device = ev.Device.Hash
	case agent.JoinedDepartment:
		c.Department = ev.Department
	case agent.LeftDepartment:
		c.Department = ev.Department
	case agent.Switched:
		c.Department, c.Service, c.On = ev.Department, ev.Service, ev.On
	case agent.Paused, agent.Unpaused, agent.Deleted:
	default:
		return c, false
	}
	return c, true
}

// A rota has the days on which presence changed, and the spans that follow from them.
type rota struct {
	days  *engine.Table[readmodels.PresenceKey, readmodels.PresenceDay]
	now   *engine.Table[uuid.UUID, readmodels.PresenceNow]
	spans *engine.Packed[report.SpanKey, report.Span, *report.Span]
	open  *engine.Facts[report.OpenPresence]
	daily *daily
}

// note adds a change to its day, and goes on with the later days as long as they begin in another way than before.
func (r rota) note(e *engine.Recorded, change readmodels.PresenceChange) {
	learnt := difference{}
	day := r.dayOf(e.ID, change.At, learnt)
	at, _ := slices.BinarySearchFunc(day.Changes, change, func(a, b readmodels.PresenceChange) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Position, b.Position))
	})
	was := follow(day)
	day.Changes = slices.Insert(slices.Clone(day.Changes), at, change)
	for {
		is := follow(day)
		r.days.Insert(day)
		learnt.add(was.spans, -1)
		learnt.add(is.spans, 1)
		if day.Next == nil {
			r.leaveOpen(e, is)
			break
		}
		next, _ := r.days.Get(readmodels.PresenceKey{AgentID: e.ID, Day: *day.Next})
		if next.Presence.Equal(is.after) {
			break
		}
		was = follow(next)
		next.Presence = is.after
		day = next
	}
	r.learn(e, learnt)
}

// dayOf returns the row of the day of an instant, which it puts between its neighbours if there is none. What changes in the day before,
// whose spans end where the new one begins, is added to learnt.
func (r rota) dayOf(id uuid.UUID, at table.Instant, learnt difference) readmodels.PresenceDay {
	day := readmodels.PresenceDay{PresenceKey: readmodels.PresenceKey{AgentID: id, Day: int64(report.DayOf(at))}}
	now, known := r.now.Get(id)
	if !known || now.Last < day.Day {
		r.now.Insert(readmodels.PresenceNow{ID: id, Last: day.Day})
	}
	if !known {
		return day
	}
	before, there := r.days.Get(readmodels.PresenceKey{AgentID: id, Day: now.Last})
	for there && before.Day > day.Day {
		day.Next = new(before.Day)
		if there = before.Previous != nil; there {
			before, _ = r.days.Get(readmodels.PresenceKey{AgentID: id, Day: *before.Previous})
		}
	}
	if there && before.Day == day.Day {
		return before
	}
	if day.Next != nil {
		r.days.Update(readmodels.PresenceKey{AgentID: id, Day: *day.Next}, func(next *readmodels.PresenceDay) { next.Previous = new(day.Day) })
	}
	if !there {
		return day
	}
	learnt.add(follow(before).spans, -1)
	day.Previous, before.Next = new(before.Day), new(day.Day)
	r.days.Insert(before)
	until := follow(before)
	learnt.add(until.spans, 1)
	day.Presence = until.after
	learnt.add(follow(day).spans, 1) // which the day before had
	return day
}

// A difference is how many more of each span there are than before.
type difference map[report.Span]int

func (d difference) add(spans []report.Span, n int) {
	for _, s := range spans {
		d[s] += n
	}
}

// learn inserts the spans that were learnt, and those that turned out not to be so.
func (r rota) learn(e *engine.Recorded, learnt difference) {
	seq := int64(0)
	for _, span := range slices.SortedFunc(maps.Keys(learnt), report.Span.Compare) {
		n := learnt[span]
		r.daily.last(e.ID, span, n)
		if span.Gone = n < 0; span.Gone {
			n = -n
		}
		for range n {
			r.spans.Insert(report.SpanKey{AgentID: e.ID, Week: report.WeekOf(span.Start)}, seq, span)
			seq++
		}
	}
}

// leaveOpen inserts what an agent is present for after the last change.
func (r rota) leaveOpen(e *engine.Recorded, c course) {
	open := report.OpenPresence{Position: table.Position(e.Position), AgentID: e.ID, Slots: c.open}
	for _, s := range c.after.Sessions {
		open.Sessions = append(open.Sessions, s.Since)
	}
	r.open.Insert(open)
}

// A course is what follows from a day: the spans that end, those that are open after the last change if no day follows, and how presence
// stands when the next day with changes begins.
type course struct {
	spans []report.Span
	open  []report.Slot
	after readmodels.Presence
}

// follow follows a day until the next day with changes begins.
func follow(day readmodels.PresenceDay) (c course) {
	since := map[report.Slot]table.Instant{}
	end := func(slot report.Slot, at table.Instant) {
		for start := since[slot]; start < at; {
			until := min(at, report.DayOf(start).End())
			c.spans = append(c.spans, report.Span{Kind: slot.Kind, DepartmentID: slot.DepartmentID, Start: start, End: until})
			start = until
		}
		delete(since, slot)
	}
	stands := day.Presence
	turn := func(at table.Instant) {
		on := slotsOf(stands)
		for slot := range since {
			if !on[slot] {
				end(slot, at)
			}
		}
		for slot := range on {
			if _, already := since[slot]; !already {
				since[slot] = at
			}
		}
	}
	turn(report.Day(day.Day).Start())
	for _, change := range day.Changes {
		var odd bool
		if stands, odd = changed(stands, change); odd {
			c.spans = append(c.spans, report.Span{Kind: report.Odd.Number, Start: change.At, End: change.At})
		}
		turn(change.At)
	}
	c.after = stands
	if day.Next != nil {
		for slot := range since {
			end(slot, report.Day(*day.Next).Start())
		}
		return c
	}
	for slot, at := range since {
		slot.Since = at
		c.open = append(c.open, slot)
	}
	slices.SortFunc(c.open, report.Slot.Compare)
	return c
}

// changed returns how presence stands after a change, and whether the change is odd: a session ends that was not there, or that lasted more
// than a day, or a break begins while nobody is signed in. Lists are replaced, not changed in place.
func changed(p readmodels.Presence, c readmodels.PresenceChange) (after readmodels.Presence, odd bool) {
	at := slices.IndexFunc(p.Sessions, func(s readmodels.Session) bool { return s.Device == c.Device })
	switch c.Event {
	case agent.SignedIn{}.EventType():
		if at < 0 {
			p.Sessions = with(p.Sessions, readmodels.Session{Device: c.Device, Since: c.At})
			slices.SortFunc(p.Sessions, func(a, b readmodels.Session) int { return bytes.Compare(a.Device[:], b.Device[:]) })
		}
	case agent.SignedOut{}.EventType():
		if odd = at < 0; odd {
			break
		}
		odd = c.At-p.Sessions[at].Since > report.LongSession
		p.Sessions = slices.Delete(slices.Clone(p.Sessions), at, at+1)
	case agent.Deleted{}.EventType():
		for _, s := range p.Sessions {
			odd = odd || c.At-s.Since > report.LongSession
		}
		p.Sessions = nil
	case agent.Paused{}.EventType():
		odd = len(p.Sessions) == 0
		p.Paused = true
	case agent.Unpaused{}.EventType():
		p.Paused = false
	default:
		p.Departments = departments(p.Departments, c)
	}
	if len(p.Sessions) == 0 {
		p.Sessions, p.Paused = nil, false
	}
	return p, odd
}

// departments returns an agent's departments after a change, in the order of their ids.
func departments(all table.List[readmodels.Membership], c readmodels.PresenceChange) table.List[readmodels.Membership] {
	at, in := slices.BinarySearchFunc(all, c.Department, func(m readmodels.Membership, d uuid.UUID) int { return bytes.Compare(m.Department[:], d[:]) })
	switch {
	case c.Event == agent.JoinedDepartment{}.EventType() && !in:
		return slices.Insert(slices.Clone(all), at, readmodels.Membership{Department: c.Department, Tickets: true, Chats: true, Calls: true})
	case c.Event == agent.LeftDepartment{}.EventType() && in:
		if len(all) == 1 {
			return nil
		}
		return slices.Delete(slices.Clone(all), at, at+1)
	case c.Event == agent.Switched{}.EventType() && in:
		s := all[at].Services().With(c.Service, c.On)
		all = slices.Clone(all)
		all[at] = readmodels.Membership{Department: c.Department, Tickets: s.Tickets, Chats: s.Chats, Calls: s.Calls}
	}
	return all
}

// slotsOf returns what an agent is present for: work, work as a member of each department, each service in each department, and each
// service in any.
func slotsOf(p readmodels.Presence) map[report.Slot]bool {
	if len(p.Sessions) == 0 || p.Paused {
		return nil
	}
	on := map[report.Slot]bool{{Kind: report.Worked.Number}: true}
	for _, m := range p.Departments {
		d := table.Ref(m.Department)
		on[report.Slot{Kind: report.Worked.Number, DepartmentID: d}] = true
		for _, service := range agent.AllServices {
			if m.Services().On(service) {
				kind := report.Served[service].Number
				on[report.Slot{Kind: kind}], on[report.Slot{Kind: kind, DepartmentID: d}] = true, true
			}
		}
	}
	return on
}
