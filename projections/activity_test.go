package projections_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/domain/event"
	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// A chronicle is what happened to tickets, in the order in which it was recorded.
type chronicle []occasion

type occasion struct {
	ticket uuid.UUID
	at     time.Time
	actor  uuid.UUID // the agent; nil: none
	event  ticket.Event
}

var ourTickets = []uuid.UUID{numbered(0xe1), numbered(0xe2), numbered(0xe3)}
var ourTags = []uuid.UUID{numbered(0xf1), numbered(0xf2)}

func drawHistory(t *rapid.T) (h chronicle) {
	actors := append([]uuid.UUID{uuid.Nil}, ourAgents...)
	places := append([]uuid.UUID{uuid.Nil}, ourPlaces...)
	opened := map[uuid.UUID]bool{}
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		e := occasion{
			ticket: rapid.SampledFrom(ourTickets).Draw(t, "ticket"),
			at:     rotaDay.Add(time.Duration(rapid.IntRange(0, rotaDays*24*4-1).Draw(t, "quarter")) * 15 * time.Minute),
			actor:  rapid.SampledFrom(actors).Draw(t, "actor"),
		}
		switch place := rapid.SampledFrom(places).Draw(t, "department"); opened[e.ticket] {
		case false:
			e.event = ticket.Opened{Channel: rapid.SampledFrom(ticket.Channels[:2]).Draw(t, "channel"), Department: place}
			opened[e.ticket] = true
		default:
			agent, tag := rapid.SampledFrom(ourAgents).Draw(t, "agent"), rapid.SampledFrom(ourTags).Draw(t, "tag")
			e.event = rapid.SampledFrom([]ticket.Event{
				ticket.Received{}, ticket.Received{}, ticket.Replied{}, ticket.Replied{}, ticket.Noted{}, ticket.Assigned{Agent: agent}, ticket.Unassigned{},
				ticket.Transferred{Department: place}, ticket.Transferred{Department: place, Cause: ticket.ByDeletion}, ticket.Tagged{Tag: tag}, ticket.Untagged{Tag: tag},
				ticket.Postponed{}, ticket.Resumed{}, ticket.Resolved{}, ticket.Reopened{}, ticket.Closed{},
				ticket.MarkedSpam{}, ticket.UnmarkedSpam{}, ticket.Deleted{}, ticket.Restored{},
			}).Draw(t, "event")
		}
		h = append(h, e)
	}
	return h
}

// events yields what happened, event by event.
func (h chronicle) events(yield func(engine.Recorded)) {
	for _, e := range h {
		actor := event.TheSystem
		if e.actor != uuid.Nil {
			actor = event.Actor{Kind: event.Agent, ID: e.actor}
		}
		yield(engine.Recorded{Event: e.event, Category: "ticket", ID: e.ticket, At: table.At(e.at), RecordedAt: rotaEnd, Meta: event.Metadata{Actor: actor}})
	}
}

// A credit is one thing that counts for an agent, in a department, with some tags.
type credit struct {
	metric      string
	agent, in   uuid.UUID
	channel     ticket.Channel
	tags        []uuid.UUID
	at, started time.Time // started: of a duration
}

// slowCredits tells what one ticket gives, a metric at a time, from its events alone. Nothing, if it is spam or deleted in the end, unless all
// is wanted.
func slowCredits(events chronicle, all bool) (credits []credit) {
	if len(events) == 0 {
		return nil
	}
	type moment struct {
		before, after      ticket.Status
		agent, department  uuid.UUID // before the event
		newAgent, newPlace uuid.UUID // after it
		tags               []uuid.UUID
		occasion
	}
	first := events[0].event.(ticket.Opened)
	standing := ticket.Standing{}
	var moments []moment
	now := moment{newPlace: first.Department}
	for _, e := range events {
		m := moment{before: standing.Status, agent: now.newAgent, department: now.newPlace, newAgent: now.newAgent, newPlace: now.newPlace, tags: now.tags, occasion: e}
		standing = standing.After(e.event)
		m.after = standing.Status
		switch ev := e.event.(type) {
		case ticket.Assigned:
			m.newAgent = ev.Agent
		case ticket.Unassigned:
			m.newAgent = uuid.Nil
		case ticket.Transferred:
			m.newPlace = ev.Department
		case ticket.Tagged:
			m.tags = append(slices.Clone(m.tags), ev.Tag)
		case ticket.Untagged:
			m.tags = slices.DeleteFunc(slices.Clone(m.tags), func(tag uuid.UUID) bool { return tag == ev.Tag })
		}
		moments = append(moments, m)
		now = m
	}
	if out := standing.Status; !all && (out == ticket.StatusSpam || out == ticket.StatusDeleted) {
		return nil
	}
	give := func(metric string, who uuid.UUID, m moment) *credit {
		credits = append(credits, credit{metric: metric, agent: who, in: m.department, channel: first.Channel, tags: m.tags, at: m.at})
		return &credits[len(credits)-1]
	}
	opened := moments[0]
	give("created_tickets", opened.actor, opened)

	// The first of a kind, measured from the opening.
	answered, assigned, resolved := false, false, false
	ended := func(s ticket.Status) bool {
		return s == ticket.StatusResolved || s == ticket.StatusClosed || s == ticket.StatusSpam
	}
	var resolver, waiting = uuid.Nil, time.Time{}
	for _, m := range moments[1:] {
		switch ev := m.event.(type) {
		case ticket.Replied:
			if m.actor == uuid.Nil {
				break
			}
			give("answers", m.actor, m)
			if !answered {
				give("new_answer_time", m.actor, m).started = opened.at
				answered = true
			}
			if m.before == ticket.StatusOpen {
				give("next_answer_time", m.actor, m).started = waiting
			}
		case ticket.Noted:
			if m.actor != uuid.Nil {
				give("notes", m.actor, m)
			}
		case ticket.Assigned:
			if m.agent != uuid.Nil {
				give("transfers_out", m.actor, m)
				give("transfers_in", ev.Agent, m)
				if m.actor != m.agent {
					give("taken_away", m.agent, m)
				}
			}
			give("assigned_tickets", ev.Agent, m)
			if !assigned {
				give("first_assign_time", ev.Agent, m).started = opened.at
				assigned = true
			}
		case ticket.Transferred:
			who := m.actor
			if ev.Cause == ticket.ByDeletion {
				who = uuid.Nil
			}
			if m.department != uuid.Nil {
				give("transfers_out", who, m)
			}
		case ticket.Resolved:
			give("resolved_tickets", m.actor, m)
			if !resolved {
				give("first_resolve_time", m.actor, m).started = opened.at
				resolved = true
			}
			resolver = m.actor
		case ticket.Reopened:
			give("reopened", resolver, m)
		}
		answered = answered || ended(m.after)
		if m.after == ticket.StatusOpen && m.before != ticket.StatusOpen {
			waiting = m.at
		}
	}
	return credits
}

// TestActivityIsWhatTheLogSays compares the figures about tickets at every cut-off and by every filter, for tickets that become spam, are
// deleted and come back, with what looking at the events of each ticket gives.
func TestActivityIsWhatTheLogSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		db := folded(rt, t, time.UTC, h.events)
		for known := range len(h) + 1 {
			ask := report.Query{
				From: rotaDay, To: rotaDay.AddDate(0, 0, rotaDays), Zone: time.UTC, By: report.ByDay, KnownAt: table.Position(known), MaxBuckets: 10,
				Excluded: rapid.Bool().Draw(rt, "excluded"),
			}
			switch rapid.IntRange(0, 5).Draw(rt, "filter") {
			case 0:
				ask.Agent = (*table.Ref)(new(rapid.SampledFrom(append([]uuid.UUID{uuid.Nil}, ourAgents...)).Draw(rt, "of")))
			case 1:
				ask.Department = (*table.Ref)(new(rapid.SampledFrom(append([]uuid.UUID{uuid.Nil}, ourPlaces...)).Draw(rt, "within")))
			case 2:
				ask.Tag = (*table.Ref)(new(rapid.SampledFrom(append([]uuid.UUID{uuid.Nil}, ourTags...)).Draw(rt, "tagged")))
			case 3:
				ask.Channel = rapid.SampledFrom(ticket.Channels[:2]).Draw(rt, "through")
			}
			got, err := report.Agents(t.Context(), db.Readers, ask)
			if err != nil {
				rt.Fatal(err)
			}
			if got, want := shownReport(got), slowReport(h[:known], ask); got != want {
				rt.Fatalf("known at %d, asked %+v: got\n%s\nwant\n%s", known, ask, got, want)
			}
		}
	})
}

// shownReport shows what is not zero of a report's figures about tickets.
func shownReport(r report.Report) string {
	var lines []string
	for _, row := range r.Data {
		for v := range row.Values {
			switch figure := v.Value.(type) {
			case int:
				if figure != 0 {
					lines = append(lines, fmt.Sprintf("%s %s %s: %d", row.Bucket, uuid.UUID(row.AgentID), v.Metric, figure))
				}
			case report.Sample:
				if figure.N > 0 {
					lines = append(lines, fmt.Sprintf("%s %s %s: %d %v %v %v", row.Bucket, uuid.UUID(row.AgentID), v.Metric, figure.N, *figure.Sum, *figure.P50, *figure.P90))
				}
			}
		}
	}
	slices.Sort(lines)
	return fmt.Sprint(lines, r.Anomalies)
}

// slowReport is the same by adding up what each ticket gives.
func slowReport(h chronicle, ask report.Query) string {
	took := map[string][]float64{}
	odd := 0
	for _, id := range ourTickets {
		var own chronicle
		for _, e := range h {
			if e.ticket == id {
				own = append(own, e)
			}
		}
		for _, c := range slowCredits(own, ask.Excluded) {
			tagged := ask.Tag == nil || *ask.Tag == table.Ref{} && len(c.tags) == 0 || slices.Contains(c.tags, uuid.UUID(*ask.Tag))
			if !tagged || ask.Agent != nil && *ask.Agent != table.Ref(c.agent) || ask.Department != nil && *ask.Department != table.Ref(c.in) || ask.Channel != "" && ask.Channel != c.channel {
				continue
			}
			key := fmt.Sprintf("%s %s %s", c.at.Format(time.DateOnly), c.agent, c.metric)
			seconds := math.NaN()
			if !c.started.IsZero() {
				if seconds = c.at.Sub(c.started).Seconds(); seconds < 0 {
					seconds = 0
					odd++
				}
			}
			took[key] = append(took[key], seconds)
		}
	}
	var lines []string
	for key, all := range took {
		line := fmt.Sprintf("%s: %d", key, len(all))
		if slices.Sort(all); !math.IsNaN(all[0]) {
			sum := 0.0
			for _, s := range all {
				sum += s
			}
			rank := func(share float64) float64 { return all[int(math.Ceil(share*float64(len(all))))-1] }
			line = fmt.Sprintf("%s: %d %v %v %v", key, len(all), sum, rank(0.5), rank(0.9))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return fmt.Sprint(lines, odd)
}
