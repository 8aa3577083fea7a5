package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"daybook/eventstore"
)

var modelCases = []testCase{
	{"C46 any sequence of calls does what a slice for each stream would do", func(d *desk) {
		rapid.Check(d.T, func(t *rapid.T) {
			m := &model{T: t, desk: d, streams: map[string][]eventstore.Recorded{}}
			for range 3 {
				m.names = append(m.names, d.stream())
			}
			var err error
			if m.start, err = d.Head(d.ctx); err != nil {
				t.Fatalf("Head: %v", err)
			}
			t.Repeat(map[string]func(*rapid.T){
				"append":          m.append,
				"append wrongly":  m.appendWrongly,
				"append again":    m.appendAgain,
				"read":            m.read,
				"follow the rest": m.follow,
			})
		})
	}},
}

// A model is what a store must hold.
type model struct {
	*rapid.T
	desk    *desk
	names   []string
	start   eventstore.Position
	streams map[string][]eventstore.Recorded
	log     []eventstore.Recorded // all streams, in the order of appends
}

func (m *model) pick(t *rapid.T) (string, []eventstore.Recorded) {
	name := rapid.SampledFrom(m.names).Draw(t, "stream")
	return name, m.streams[name]
}

// last is the last revision of a stream of these events.
func last(stream []eventstore.Recorded) eventstore.Revision {
	return eventstore.Revision(len(stream)) - 1
}

func (m *model) append(t *rapid.T) {
	name, stream := m.pick(t)
	given := events(rapid.IntRange(1, 5).Draw(t, "events"))
	for i := range given {
		given[i].Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		given[i].Type = rapid.StringN(1, 20, -1).Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).Draw(t, "type")
	}
	got, err := eventstore.AppendTo(m.desk.ctx, m.desk, name, last(stream), given)
	if err != nil || got.Revision != last(stream)+eventstore.Revision(len(given)) {
		t.Fatalf("Append at %d: %+v, %v", last(stream), got, err)
	}
	for _, e := range given {
		r := eventstore.Recorded{ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Meta, Stream: name, Revision: last(stream) + 1}
		stream = append(stream, r)
		m.log = append(m.log, r)
	}
	m.streams[name] = stream
}

func (m *model) appendWrongly(t *rapid.T) {
	name, stream := m.pick(t)
	expected := eventstore.Revision(rapid.Int64Range(-2, int64(len(stream))+2).
		Filter(func(n int64) bool { return eventstore.Revision(n) != last(stream) }).Draw(t, "expected"))
	_, err := eventstore.AppendTo(m.desk.ctx, m.desk, name, expected, events(1))
	want := &eventstore.ConflictError{Stream: name, Expected: expected, Actual: last(stream)}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Fatalf("Append at %d (-want +got):\n%s", expected, diff)
	}
}

// appendAgain appends a part of what the stream holds, unchanged, or with one event added or changed.
func (m *model) appendAgain(t *rapid.T) {
	name, stream := m.pick(t)
	if len(stream) == 0 {
		t.Skip("nothing to append again")
	}
	from := rapid.IntRange(0, len(stream)-1).Draw(t, "from")
	to := rapid.IntRange(from+1, len(stream)).Draw(t, "to")
	var given []eventstore.Event
	for _, r := range stream[from:to] {
		given = append(given, eventstore.Event{ID: r.ID, Type: r.Type, Data: r.Data, Meta: r.Meta})
	}
	changed := rapid.IntRange(0, 2).Draw(t, "change")
	switch changed {
	case 1:
		given[rapid.IntRange(0, len(given)-1).Draw(t, "changed")].ID = events(1)[0].ID
	case 2:
		given = append(given, events(1)...)
	}
	expected := eventstore.Revision(from) - 1
	got, err := eventstore.AppendTo(m.desk.ctx, m.desk, name, expected, given)
	if changed == 0 {
		if err != nil || got.Revision != eventstore.Revision(to)-1 {
			t.Fatalf("retry at %d: %+v, %v", expected, got, err)
		}
		return
	}
	want := &eventstore.ConflictError{Stream: name, Expected: expected, Actual: last(stream)}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Fatalf("false retry at %d (-want +got):\n%s", expected, diff)
	}
}

func (m *model) read(t *rapid.T) {
	name, stream := m.pick(t)
	from := rapid.IntRange(0, len(stream)+1).Draw(t, "from")
	limit := rapid.IntRange(0, len(stream)+1).Draw(t, "limit")
	way := eventstore.Direction(rapid.Bool().Draw(t, "forwards"))
	got, err := m.desk.reads(name, eventstore.Revision(from), way, limit)
	if len(stream) == 0 {
		if !errors.Is(err, eventstore.ErrNotFound) {
			t.Fatalf("Read: %v, %v", got, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	want := stream[min(from, len(stream)):]
	if way == eventstore.Backwards {
		want = slices.Clone(stream[:min(from+1, len(stream))])
		slices.Reverse(want)
	}
	if limit > 0 {
		want = want[:min(limit, len(want))]
	}
	compare(t, fmt.Sprintf("Read from %d, limit %d", from, limit), want, got)
}

func (m *model) follow(t *rapid.T) {
	all := m.desk.rest(m.start)
	compare(t, "Follow", m.log, all)
	if len(all) > 0 {
		i := rapid.IntRange(0, len(all)-1).Draw(t, "after")
		compare(t, fmt.Sprintf("Follow after %d of %d", i+1, len(all)), m.log[i+1:], m.desk.rest(all[i].Position))
	}
}

func compare(t *rapid.T, what string, want, got []eventstore.Recorded) {
	if diff := difference(want, got); diff != "" {
		t.Fatalf("%s: %s", what, diff)
	}
}
