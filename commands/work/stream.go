package work

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
)

// A stream is a thing as it was loaded: its state, with the pending events applied.
type stream struct {
	kind     *event.Noun
	id       uuid.UUID
	state    any
	times    times
	revision eventstore.Revision // of the last event that is stored
	position eventstore.Position // of the same
	last     uuid.UUID           // its id
	requests requests
	since    eventstore.Position // requests whose events come after it are all known
	saved    eventstore.Revision // of the snapshot that was saved last
	later    []later             // stored by an earlier try at the same batch, and not in state yet
	pending  []pending
	encoded  []eventstore.Event // the pending events in their stored form
	taken    []event.Written    // the events that the Work has read, unless they are many
	written  []event.Written    // the events that were appended
	order    order
	decided  int // when its first pending event was decided, in the Work
}

// times says in which order the events that a state is made of happened.
type times struct {
	latest     time.Time
	disordered bool // an event happened before one that was stored before it
}

// apply adds an event to the state.
func (s *stream) apply(e event.Event, at time.Time) {
	s.state = s.kind.Apply(s.state, e)
	if at.Before(s.times.latest) {
		s.times.disordered = true
	} else {
		s.times.latest = at
	}
}

// played is where a request ended in a stream.
type played struct {
	digest   personal.Text // of the request, as its first event says
	events   int
	revision eventstore.Revision
	position eventstore.Position
	at       int64 // when the last one was recorded, in seconds since 1970
}

// pending is an event that is decided but not yet stored.
type pending struct {
	event   event.Event
	subject uuid.UUID
	by      By
}

// load returns the stream of a thing, reading only events that are newer than the cached ones.
func (w *Work) load(kind *event.Noun, id uuid.UUID) (*stream, error) {
	name := kind.Stream(id)
	if s, ok := w.streams[name]; ok {
		s.advance(w)
		return s, nil
	}
	if _, asked := w.asked[name]; !asked {
		if err := w.ask(Thing{kind, id}); err != nil {
			return nil, err
		}
	}
	s, err := w.opened(w.asked[name])
	if err != nil {
		return nil, err
	}
	w.streams[name] = s
	s.advance(w)
	return s, nil
}

// A Thing is one that a Work is about to load.
type Thing struct {
	kind *event.Noun
	id   uuid.UUID
}

// On is the thing of a kind with an id.
func On[S any, E event.Event](kind event.Kind[S, E], id uuid.UUID) Thing {
	return Thing{catalogue.Kind(kind.Category), id}
}

// Called is the thing of a category with an id.
func Called(category string, id uuid.UUID) Thing { return Thing{catalogue.Kind(category), id} }

// Ahead reads what a Work is about to load, all in one question. What it does not name is read when it is loaded.
func Ahead(w *Work, things ...Thing) error {
	things = slices.DeleteFunc(things, func(t Thing) bool {
		name := t.kind.Stream(t.id)
		_, asked := w.asked[name]
		if asked || t.id == uuid.Nil || w.streams[name] != nil {
			return true
		}
		w.asked[name] = opening{} // so that it is asked for once
		return false
	})
	if len(things) == 0 {
		return nil
	}
	return w.ask(things...)
}

// An opening is a stream as it is cached, and what the log has after that.
type opening struct {
	*stream
	tail eventstore.Tail
}

// ask reads what the log has of streams after what is cached.
func (w *Work) ask(things ...Thing) error {
	cached, known := make([]*stream, len(things)), make([]eventstore.Known, len(things))
	for i, t := range things {
		name := t.kind.Stream(t.id)
		s := w.desk.baseline.get(name, w.destroyed)
		if s == nil || !w.suits(s) {
			s = empty(t.kind, t.id)
		}
		cached[i], known[i] = s, eventstore.Known{Stream: name, Revision: s.revision, ID: s.last}
	}
	tails, err := w.desk.Store.Tails(w.ctx, known...)
	if err != nil {
		for _, k := range known {
			delete(w.asked, k.Stream)
		}
		return err
	}
	for i, k := range known {
		w.asked[k.Stream] = opening{cached[i], tails[i]}
	}
	return nil
}

func empty(kind *event.Noun, id uuid.UUID) *stream {
	return &stream{kind: kind, id: id, state: kind.Nothing, revision: eventstore.NoStream, saved: eventstore.NoStream, requests: requests{{}}, order: orderOf(kind)}
}

// opened returns a stream with all that the log has of it.
func (w *Work) opened(o opening) (*stream, error) {
	name := o.kind.Stream(o.id)
	known := o.revision
	s := new(stream)
	*s = *o.stream
	switch err := o.tail.Err; {
	case known == eventstore.NoStream && errors.Is(err, eventstore.ErrNotFound):
		return s, nil
	case known > eventstore.NoStream && (errors.Is(err, eventstore.ErrNotFound) || errors.Is(err, eventstore.ErrGone)): // the log was restored
		w.desk.baseline.forget(name)
		s, known, o.tail.More = empty(o.kind, o.id), eventstore.NoStream, true
	case err != nil:
		return nil, err
	}
	if len(o.tail.Events) > 0 {
		s.requests = s.requests.copy() // they may be the cached one's
		for _, recorded := range o.tail.Events {
			e, err := s.take(recorded, w)
			if err != nil {
				return nil, err
			}
			s.taken = append(s.taken, e)
		}
	}
	if o.tail.More {
		s.taken = nil
		if known == eventstore.NoStream { // it is long, and there may be a snapshot
			s = w.desk.restored(w, s)
		}
		if err := s.read(w); err != nil {
			return nil, err
		}
	}
	if s.revision != known && len(s.later) == 0 {
		s.save(w)
		base := *s
		base.taken = nil
		w.desk.baseline.put(name, base, w.destroyed)
	}
	return s, nil
}

// read folds what comes next. The stream's requests must be its own.
func (s *stream) read(w *Work) error {
	for recorded, err := range w.desk.Store.Read(w.ctx, s.kind.Stream(s.id), s.revision+1, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := s.take(recorded, w); err != nil {
			return err
		}
	}
	return nil
}

// suits reports whether a Work can go on from a stream: whether it is known which of the Work's requests have written to it.
func (w *Work) suits(s *stream) bool { return s.since <= w.since && !s.requests.anyOf(w.batch) }

// take decodes one stored event. It folds the event, or keeps it for later if the batch has not reached it.
func (s *stream) take(r eventstore.Recorded, w *Work) (event.Written, error) {
	e, err := s.kind.Decode(PlaceOf(r), r.Data, w.desk.Keys)
	if errors.Is(err, event.ErrUnknown) {
		return event.Written{}, &NewerError{r.Stream, r.Revision, err, s}
	}
	if err != nil {
		return event.Written{}, err
	}
	meta, err := event.DecodeMetadata(PlaceOf(r), r.Meta, w.desk.Keys)
	if err != nil {
		return event.Written{}, err
	}
	if _, ours := w.batch[meta.Request]; ours || len(s.later) > 0 {
		s.later = append(s.later, later{e, meta.At, meta.Request})
	} else {
		s.apply(e, meta.At)
	}
	s.revision, s.position, s.last = r.Revision, r.Position, r.ID
	before, again := s.requests.get(meta.Request)
	if !again {
		before.digest = meta.Digest
	}
	s.requests.set(meta.Request, played{before.digest, before.events + 1, r.Revision, r.Position, r.RecordedAt.Unix()})
	return event.Written{Event: e, ID: r.ID, Metadata: meta, Revision: int64(r.Revision), Position: uint64(r.Position)}, nil
}

// PlaceOf returns where a stored event stands.
func PlaceOf(r eventstore.Recorded) personal.Place {
	return personal.Place{Stream: r.Stream, Type: r.Type, Event: r.ID}
}

// A NewerError means that a newer version of the program wrote an event of a thing that this one does not know. So it cannot tell how
// the thing is, and decides nothing about it, nor about what refers to it.
type NewerError struct {
	Stream   string
	Revision eventstore.Revision
	cause    error   // event.ErrUnknown
	before   *stream // the thing as it was before that event
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("a newer version of Daybook wrote revision %d of stream %s, and this version does not know it (%v): upgrade this process", e.Revision, e.Stream, e.cause)
}

func (e *NewerError) Unwrap() error { return e.cause }

// unlessHidden returns the error of loading a thing; as if there were none if the caller did not see it when it could still be told.
func (by By) unlessHidden(err error) error {
	if newer, ok := errors.AsType[*NewerError](err); ok && !by.sees(newer.before.kind, newer.before.state) {
		return newer.before.kind.Unknown
	}
	return err
}

// has reports whether a request wrote to the stream before.
func (s *stream) has(request uuid.UUID) bool {
	_, before := s.requests.get(request)
	return before
}

// stateAt folds a stream again, up to a revision.
func (w *Work) stateAt(kind *event.Noun, id uuid.UUID, revision eventstore.Revision) (state any, err error) {
	state = kind.Nothing
	for r, err := range w.desk.Store.Read(w.ctx, kind.Stream(id), 0, eventstore.Forwards, int(revision)+1) {
		if err != nil {
			return state, err
		}
		e, err := kind.Decode(PlaceOf(r), r.Data, w.desk.Keys)
		if err != nil {
			return state, err
		}
		state = kind.Apply(state, e)
	}
	return state, nil
}

// keep applies events, and marks them to be written at the end of the Work, in the given order. What the caller wrote about
// the request is stored with the first event only.
func (s *stream) keep(w *Work, at order, by By, events ...event.Event) {
	state, times, had, was := s.state, s.times, s.pending, s.order
	w.undo = append(w.undo, func() { s.state, s.times, s.pending, s.order = state, times, had, was })
	s.order = at
	if len(s.pending) == 0 {
		w.decided++
		s.decided = w.decided
	}
	so, _ := s.requests.get(by.Request)
	first := EventID(by.Request, s.kind.Stream(s.id), so.events)
	for i, e := range events {
		by := by
		if i > 0 || s.writes(by.Request) {
			by.Reason, by.Digest = "", ""
		}
		if _, follows := e.(event.Consequence); follows && i > 0 {
			by.Cause = first
		}
		s.apply(e, by.at())
		s.pending = append(s.pending[:len(s.pending):len(s.pending)], pending{e, s.kind.Subject(s.state, s.id, e), by})
	}
}

// writes reports whether events of a request are pending or stored.
func (s *stream) writes(request uuid.UUID) bool {
	return s.has(request) || slices.ContainsFunc(s.pending, func(p pending) bool { return p.by.Request == request })
}

// EventID returns the id of the nth event, from 0, that a request writes to a stream. It is the same on every retry.
func EventID(request uuid.UUID, stream string, n int) uuid.UUID {
	return uuid.NewSHA1(request, []byte(stream+"/"+strconv.Itoa(n)))
}

// encode encodes the pending events. Their ids are derived, so that a retry is the same append.
func (s *stream) encode(keys personal.Keys) error {
	name := s.kind.Stream(s.id)
	requests := s.requests.copy()
	s.encoded = make([]eventstore.Event, len(s.pending))
	for i, p := range s.pending {
		request, again := requests.get(p.by.Request)
		if !again {
			request.digest = personal.New(p.by.Digest)
		}
		at := personal.Place{Stream: name, Type: p.event.EventType(), Event: EventID(p.by.Request, name, request.events)}
		requests.set(p.by.Request, played{digest: request.digest, events: request.events + 1, revision: s.revision + eventstore.Revision(1+i)})
		data, err := event.Encode(p.event, at, p.subject, keys)
		if err != nil {
			return err
		}
		meta, err := event.EncodeMetadata(p.by.metadata(), at, p.subject, keys)
		if err != nil {
			return err
		}
		s.encoded[i] = eventstore.Event{ID: at.Event, Type: at.Type, Data: data, Meta: meta}
	}
	s.requests = requests
	return nil
}

// appended notes that the encoded events were appended, and caches the stream.
func (s *stream) appended(w *Work, at eventstore.Appended) {
	name, d := s.kind.Stream(s.id), w.desk
	for i, p := range s.pending {
		r, _ := s.requests.get(p.by.Request)
		r.position, r.at = at.Position, time.Now().Unix()
		s.requests.set(p.by.Request, r)
		if !at.New && !p.by.alone() {
			continue // another process may have written these events for the same request
		}
		position := at.Position
		if d.Store.Dense() {
			position -= eventstore.Position(len(s.pending) - 1 - i)
		}
		s.written = append(s.written, event.Written{
			Event: p.event, ID: s.encoded[i].ID, Metadata: p.by.metadata(), Revision: int64(s.revision) + int64(1+i), Position: uint64(position),
		})
	}
	s.revision, s.position, s.last = at.Revision, at.Position, s.encoded[len(s.encoded)-1].ID
	s.pending, s.encoded = nil, nil
	if d.Wrote != nil {
		d.Wrote(s.kind.Category, s.id)
	}
	if len(s.later) == 0 {
		base := *s
		base.order, base.taken, base.written = orderOf(s.kind), nil, nil
		base.save(w)
		s.saved = base.saved
		d.baseline.put(name, base, w.destroyed)
	}
}
