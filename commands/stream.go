package commands

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"

	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/reservation"
	"daybook/domain/ticket"
	"daybook/eventstore"
)

// loaded is a stream: its state, with what is pending applied.
type loaded[S any, E event.Event] struct {
	kind     event.Kind[S, E]
	id       uuid.UUID
	state    S
	revision eventstore.Revision // of the last event that is stored
	position eventstore.Position // of the same
	requests map[uuid.UUID]played
	later    []later[E] // stored by an earlier try at the same batch, and not yet in state
	pending  []pending[E]
	encoded  []eventstore.Event // pending, as it is appended
	order    rank
}

// played is where a request ended in a stream.
type played struct {
	digest   string
	events   int
	revision eventstore.Revision
	position eventstore.Position
}

// later is a stored event whose turn has not come.
type later[E event.Event] struct {
	event   E
	request uuid.UUID
}

// pending is an event that is decided but not yet stored.
type pending[E event.Event] struct {
	event   E
	subject uuid.UUID
	by      By
}

// load returns the stream of a thing, reading only what is newer than what the desk remembers.
func load[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID) (*loaded[S, E], error) {
	stream := kind.Stream(id)
	if here, ok := w.streams[stream]; ok {
		l := here.(*loaded[S, E])
		l.advance(w)
		return l, nil
	}
	l := &loaded[S, E]{kind: kind, id: id, revision: eventstore.NoStream, order: rankOf(kind.Category)}
	if base, ok := w.desk.baseline.get(stream).(*loaded[S, E]); ok && !w.playedBefore(base.requests) {
		*l = *base
	}
	known := l.revision
	for recorded, err := range w.desk.Store.Read(w.ctx, stream, l.revision+1, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		if l.revision == known { // the map is the baseline's
			l.requests = ownCopy(l.requests)
		}
		if err := l.take(recorded, w); err != nil {
			return nil, err
		}
	}
	if l.revision != known && len(l.later) == 0 {
		base := *l
		w.desk.baseline.put(stream, &base)
	}
	w.streams[stream] = l
	l.advance(w)
	return l, nil
}

func rankOf(category string) rank {
	switch category {
	case ticket.Stream.Category:
		return tickets
	case reservation.Stream.Category, desk.OwnersStream.Category:
		return claims
	case desk.ImportStream.Category:
		return records
	}
	return things
}

func ownCopy(requests map[uuid.UUID]played) map[uuid.UUID]played {
	if requests == nil {
		return make(map[uuid.UUID]played)
	}
	return maps.Clone(requests)
}

// playedBefore reports whether a stream holds something of the batch.
func (w *Work) playedBefore(requests map[uuid.UUID]played) bool {
	for request := range requests {
		if _, ours := w.batch[request]; ours {
			return true
		}
	}
	return false
}

// take reads one stored event, and folds it unless its turn comes later.
func (l *loaded[S, E]) take(r eventstore.Recorded, w *Work) error {
	e, err := l.kind.Events.Decode(r.Type, r.Data, r.ID, w.desk.Keys)
	if err != nil {
		return err
	}
	meta, err := event.DecodeMetadata(r.Meta, r.ID, w.desk.Keys)
	if err != nil {
		return err
	}
	if _, ours := w.batch[meta.Request]; ours || len(l.later) > 0 {
		l.later = append(l.later, later[E]{e, meta.Request})
	} else {
		l.kind.Apply(&l.state, e)
	}
	l.revision, l.position = r.Revision, r.Position
	l.requests[meta.Request] = played{meta.Digest, l.requests[meta.Request].events + 1, r.Revision, r.Position}
	return nil
}

// has reports whether a request wrote to the stream before.
func (l *loaded[S, E]) has(request uuid.UUID) bool {
	_, before := l.requests[request]
	return before
}

// advance folds what an earlier try stored, as far as the batch has come: up to the request whose turn it is, and for names
// that one too, since who claimed a name and was not written goes on as its holder, unless somebody else came.
func (l *loaded[S, E]) advance(w *Work) {
	for len(l.later) > 0 {
		turn, ours := w.batch[l.later[0].request]
		if ours && (turn > w.turn || turn == w.turn && rankOf(l.kind.Category) != claims) {
			return
		}
		l.kind.Apply(&l.state, l.later[0].event)
		l.later = l.later[1:]
	}
}

// catchUp folds what an earlier try stored, up to the end of a request; all of it for uuid.Nil.
func (l *loaded[S, E]) catchUp(request uuid.UUID) {
	end := len(l.later)
	for i, e := range l.later {
		if e.request == request {
			end = i + 1
		} else if end <= i {
			break
		}
	}
	for _, e := range l.later[:end] {
		l.kind.Apply(&l.state, e.event)
	}
	l.later = l.later[end:]
}

// stateAt folds a stream again, up to a revision.
func stateAt[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, revision eventstore.Revision) (state S, err error) {
	for r, err := range w.desk.Store.Read(w.ctx, kind.Stream(id), 0, eventstore.Forwards, int(revision)+1) {
		if err != nil {
			return state, err
		}
		e, err := kind.Events.Decode(r.Type, r.Data, r.ID, w.desk.Keys)
		if err != nil {
			return state, err
		}
		kind.Apply(&state, e)
	}
	return state, nil
}

// keep applies events and has them written at the end of the work, in the order of a rank.
func (l *loaded[S, E]) keep(w *Work, order rank, by By, events ...E) {
	state, had, was := l.state, l.pending, l.order
	w.undo = append(w.undo, func() { l.state, l.pending, l.order = state, had, was })
	l.order = order
	for _, e := range events {
		l.kind.Apply(&l.state, e)
		l.pending = append(l.pending[:len(l.pending):len(l.pending)], pending[E]{e, l.kind.SubjectOf(l.state, l.id), by})
	}
}

func (l *loaded[S, E]) rank() rank { return l.order }

func (l *loaded[S, E]) idle() bool { return len(l.pending) == 0 }

// encode makes stored events of what is pending. Event ids are derived from the request, the stream and the number of the
// event within them, so that a retry is the same append.
func (l *loaded[S, E]) encode(keys personal.Keys) error {
	stream := l.kind.Stream(l.id)
	requests := ownCopy(l.requests)
	l.encoded = make([]eventstore.Event, len(l.pending))
	for i, p := range l.pending {
		request := requests[p.by.Request]
		id := uuid.NewSHA1(p.by.Request, []byte(stream+"/"+strconv.Itoa(request.events)))
		requests[p.by.Request] = played{
			digest: p.by.Digest, events: request.events + 1, revision: l.revision + eventstore.Revision(1+i),
		}
		data, err := event.Encode(p.event, id, p.subject, keys)
		if err != nil {
			return err
		}
		meta, err := event.EncodeMetadata(p.by.metadata(), id, p.subject, keys)
		if err != nil {
			return err
		}
		l.encoded[i] = eventstore.Event{ID: id, Type: p.event.EventType(), Data: data, Meta: meta}
	}
	l.requests = requests
	return nil
}

// append writes what was encoded, in one append, and lets the desk remember what it makes of the stream.
func (l *loaded[S, E]) append(ctx context.Context, d *Desk) error {
	stream := l.kind.Stream(l.id)
	at, err := d.Store.Append(ctx, stream, l.revision, l.encoded)
	if err != nil {
		return err
	}
	l.revision, l.position = at.Revision, at.Position
	for _, p := range l.pending {
		r := l.requests[p.by.Request]
		r.position = at.Position
		l.requests[p.by.Request] = r
	}
	l.pending, l.encoded = nil, nil
	if len(l.later) == 0 {
		base := *l
		base.order = rankOf(l.kind.Category)
		d.baseline.put(stream, &base)
	}
	return nil
}

func (by By) metadata() event.Metadata {
	return event.Metadata{
		At: by.At.UTC().Truncate(time.Microsecond), Actor: by.Actor, Through: by.Through, Reason: personal.New(by.Reason),
		Request: by.Request, Digest: by.Digest, Correlation: by.Correlation, Causation: by.Causation,
	}
}
