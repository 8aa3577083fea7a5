package commands

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/reservation"
	"daybook/domain/ticket"
	"daybook/eventstore"
)

// A Work is one try at a piece of work: the streams that were loaded for it, and what is to be appended to them.
// It belongs to one goroutine.
type Work struct {
	ctx     context.Context
	desk    *Desk
	streams map[string]writer
	undo    []func() // for each thing kept, how to drop it again

	// batch holds the requests of a batch that is played in order, and that may have been written in part before a crash.
	// A stream is then folded only up to the first of them, and on from there as they come. Nil: no batch.
	batch map[uuid.UUID]bool
}

// Batch says that these requests are played in order, and that a part of what they come to may have been written before a
// crash. It comes before anything else in a work.
func (w *Work) Batch(requests []uuid.UUID) {
	w.batch = make(map[uuid.UUID]bool, len(requests))
	for _, r := range requests {
		w.batch[r] = true
	}
}

// A rank says in which order streams are written, so that a crash between two of them leaves nothing that a retry, or the
// next who comes, cannot finish: unused claims lapse, names are claimed, things change, tickets come after the things that
// they name, names
// that are given up come later still, and last of all the record that it was done.
type rank int

const (
	lapses rank = iota
	claims
	things
	tickets
	releases
	records
	ranks
)

// A writer is a loaded stream that may have something to append.
type writer interface {
	rank() rank
	idle() bool
	encode(personal.Keys) error
	append(context.Context, *Desk) error
}

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
		return here.(*loaded[S, E]), nil
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
		if w.batch[request] {
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
	if len(l.later) > 0 || w.batch[meta.Request] && l.order != claims {
		l.later = append(l.later, later[E]{e, meta.Request})
	} else {
		l.kind.Apply(&l.state, e)
	}
	l.revision, l.position = r.Revision, r.Position
	l.requests[meta.Request] = played{meta.Digest, l.requests[meta.Request].events + 1, r.Revision, r.Position}
	return nil
}

// Look returns a thing as it is at this point of a work; the zero state if there is none.
func Look[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID) (S, error) {
	l, err := load(w, kind, id)
	if err != nil {
		var none S
		return none, err
	}
	return l.state, nil
}

// has reports whether a request wrote to the stream before.
func (l *loaded[S, E]) has(request uuid.UUID) bool {
	_, before := l.requests[request]
	return before
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

// Run lets a command decide, and keeps what it decided for the end of the work.
func Run[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, command Command[S, E], by By) (Answer[S], error) {
	if err := by.MustMay(command.Permission()); err != nil {
		return Answer[S]{}, err
	}
	l, err := load(w, kind, id)
	if err != nil {
		return Answer[S]{}, err
	}
	if before, again := l.requests[by.Request]; again {
		if before.digest != by.Digest {
			return Answer[S]{}, ErrReused
		}
		if w.batch != nil {
			l.catchUp(by.Request)
			return Answer[S]{ID: id, State: l.state, Revision: before.revision, Position: before.position, Changed: true, Replayed: true}, nil
		}
		state, err := stateAt(w, kind, id, before.revision)
		return Answer[S]{ID: id, State: state, Revision: before.revision, Position: before.position, Changed: true, Replayed: true}, err
	}
	if by.IfMatch != nil && *by.IfMatch != l.revision {
		return Answer[S]{}, domain.Stale("stale", "It is at revision %d now, not %d. Read it again and decide anew.", l.revision, *by.IfMatch)
	}
	if err := within(l.state, by.Within); err != nil {
		return Answer[S]{}, err
	}
	by.ID = id
	if by, err = w.know(command, by); err != nil {
		return Answer[S]{}, err
	}
	events, err := command.Decide(l.state, by)
	if err != nil {
		return Answer[S]{}, err
	}
	if len(events) > 0 && len(l.later) > 0 { // this line came to nothing before the crash: others were first
		l.catchUp(uuid.Nil)
		if events, err = command.Decide(l.state, by); err != nil {
			return Answer[S]{}, err
		}
	}
	before := l.state
	after := kind.Fold(before, events...)
	if err := hold(w, l, before, after, by); err != nil {
		return Answer[S]{}, err
	}
	if err := w.keepOwner(id, before, after, by); err != nil {
		return Answer[S]{}, err
	}
	if len(events) > 0 {
		l.keep(w, rankOf(kind.Category), by, events...)
	}
	return Answer[S]{ID: id, State: l.state, Revision: l.revision, Position: l.position, Changed: len(events) > 0}, nil
}

// within hides a ticket of a department that the caller does not serve.
func within(state any, departments []uuid.UUID) error {
	t, ok := state.(ticket.Ticket)
	if !ok || departments == nil || t.SeenFrom(departments) {
		return nil
	}
	return ticket.Ticket{}.MustExist()
}

// know loads what a command leans on.
func (w *Work) know(command any, by By) (By, error) {
	referrer, ok := command.(Referrer)
	if !ok {
		return by, nil
	}
	by.known = make(map[string]any)
	var refused []error
	for _, ref := range referrer.Refs() {
		state, err := ref.check(w)
		var no *domain.Error
		if err != nil && !errors.As(err, &no) {
			return by, err
		}
		refused = append(refused, err)
		by.known[ref.stream] = state
	}
	return by, domain.Join(refused...)
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

// Mark is a place in a work that Rollback goes back to.
func (w *Work) Mark() int { return len(w.undo) }

// Rollback drops what was decided since a mark, as a refused line of a batch leaves nothing behind.
func (w *Work) Rollback(mark int) {
	for i := len(w.undo) - 1; i >= mark; i-- {
		w.undo[i]()
	}
	w.undo = w.undo[:mark]
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

// write stores what the work decided: keys first, then the streams in the order of their ranks, those of one rank at once.
func (w *Work) write() error {
	var byRank [ranks][]writer
	var keyless []writer
	var subjects []uuid.UUID
	for _, s := range w.streams {
		if s.idle() {
			continue
		}
		byRank[s.rank()] = append(byRank[s.rank()], s)
		err := s.encode(w.desk.Keys)
		var missing *personal.NoKeyError
		if errors.As(err, &missing) {
			keyless, subjects = append(keyless, s), append(subjects, missing.Subject)
		} else if err != nil {
			return err
		}
	}
	if len(subjects) > 0 {
		if err := w.desk.Keys.Make(w.ctx, subjects...); err != nil {
			return err
		}
		for _, s := range keyless {
			if err := s.encode(w.desk.Keys); err != nil {
				return err
			}
		}
	}
	for _, streams := range byRank {
		var together errgroup.Group
		for _, s := range streams {
			together.Go(func() error { return s.append(w.ctx, w.desk) })
		}
		if err := together.Wait(); err != nil {
			return err
		}
	}
	return nil
}
