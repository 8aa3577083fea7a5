package work

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
)

// StatePart is the part of a stream that this package saves.
const StatePart = "state"

const (
	// between is how many events a stream has more, at least, when a snapshot is saved again.
	between = 1000
	// keepRequests is how long an idempotency key counts, and a day, since clocks differ.
	keepRequests = 8 * 24 * time.Hour
	// anywhere is where a request may have written that comes with an idempotency key: it was sent before within keepRequests, and
	// so long every snapshot knows it.
	anywhere eventstore.Position = math.MaxInt64
)

// A snapshot is a stream as it is saved, but for its state.
type snapshot struct {
	Revision   eventstore.Revision
	Position   eventstore.Position
	Last       uuid.UUID
	Latest     time.Time
	Disordered bool
	Since      eventstore.Position
	Requests   []snapshotRequest // in order of their ids
}

type snapshotRequest struct {
	ID       uuid.UUID
	Digest   personal.Text
	Events   int
	Revision eventstore.Revision
	Position eventstore.Position
	At       int64
}

// save saves a snapshot of the stream, if it has grown much since the last one.
func (s *stream) save(w *Work) {
	d := w.desk
	known := 0
	for _, some := range s.requests {
		known += len(some)
	}
	if d.Snapshots == nil || s.revision-s.saved < max(between, eventstore.Revision(known/8)) {
		return
	}
	s.saved = s.revision
	d.Snapshots.Save(w.destroyed, StatePart, s.kind.Stream(s.id), s.snapshot(time.Now().Add(-keepRequests)), s.state)
}

// snapshot returns the stream as it is saved, with the requests that wrote something since.
func (s *stream) snapshot(since time.Time) snapshot {
	shot := snapshot{
		Revision: s.revision, Position: s.position, Last: s.last, Latest: s.times.latest, Disordered: s.times.disordered, Since: s.since,
	}
	all := map[uuid.UUID]played{}
	for _, some := range s.requests { // later ones replace earlier ones
		for id, p := range some {
			all[id] = p
		}
	}
	for id, p := range all {
		if p.at < since.Unix() {
			shot.Since = max(shot.Since, p.position)
			continue
		}
		shot.Requests = append(shot.Requests, snapshotRequest{id, p.digest, p.events, p.revision, p.position, p.at})
	}
	slices.SortFunc(shot.Requests, func(a, b snapshotRequest) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return shot
}

// restored returns the snapshot of a long stream whose first events were read, or the stream as it was read if there is none that can
// be used.
func (d *Desk) restored(w *Work, s *stream) *stream {
	if d.Snapshots == nil || len(s.later) > 0 {
		return s
	}
	name := s.kind.Stream(s.id)
	var shot snapshot
	state := reflect.New(reflect.TypeOf(s.kind.Nothing))
	if !d.Snapshots.Load(w.ctx, StatePart, name, &shot, state.Interface()) || shot.Revision <= s.revision {
		return s
	}
	from := &stream{
		kind: s.kind, id: s.id, state: state.Elem().Interface(), times: times{shot.Latest, shot.Disordered}, revision: shot.Revision,
		position: shot.Position, last: shot.Last, since: shot.Since, saved: shot.Revision, order: s.order, requests: requests{shot.requests()},
	}
	if !w.suits(from) {
		return s
	}
	if e, found, err := eventstore.Find(w.ctx, d.Store, name, shot.Revision, shot.Last); err != nil || !found || e.Position != shot.Position {
		return s // the log is not the one that it was taken of
	}
	return from
}

func (s snapshot) requests() map[uuid.UUID]played {
	all := make(map[uuid.UUID]played, len(s.Requests))
	for _, r := range s.Requests {
		all[r.ID] = played{r.Digest, r.Events, r.Revision, r.Position, r.At}
	}
	return all
}

// ProveSnapshot returns what the log gives for a snapshot that load decodes. It implements snapshot.Prover.
func (d *Desk) ProveSnapshot(ctx context.Context, name string, load func(into ...any) error) ([]any, error) {
	category, id, err := event.ParseStream(name)
	if err != nil {
		return nil, err
	}
	kind := catalogue.Kind(category)
	if kind == nil {
		return nil, fmt.Errorf("there is no kind of thing %q", category)
	}
	var held snapshot
	if err := load(&held, reflect.New(reflect.TypeOf(kind.Nothing)).Interface()); err != nil {
		return nil, err
	}
	w, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{kind: kind, id: id, state: kind.Nothing, revision: eventstore.NoStream, requests: requests{{}}}
	for r, err := range d.Store.Read(ctx, name, 0, eventstore.Forwards, int(held.Revision)+1) {
		if err == nil {
			_, err = s.take(r, w)
		}
		if err != nil {
			return nil, err
		}
	}
	want := s.snapshot(time.Time{})
	known := held.requests()
	want.Since = held.Since
	want.Requests = slices.DeleteFunc(want.Requests, func(r snapshotRequest) bool {
		_, has := known[r.ID]
		return !has && r.Position <= held.Since
	})
	for i, r := range want.Requests { // an append tells them of its last event, which is as good
		if p := known[r.ID]; p.position >= r.Position && p.position <= held.Position {
			want.Requests[i].Position, want.Requests[i].At = p.position, p.at
		}
	}
	return []any{want, s.state}, nil
}
