// Package work executes commands and plans, whatever they are about. It loads the things that they name, checks what the
// caller may do and see, lets commands decide, claims and releases unique names, and appends the events.
//
// All that it knows about a kind of thing comes from its event.Kind: this package names no kind itself.
package work

import (
	"cmp"
	"context"
	"crypto/cipher"
	"errors"
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
)

// A Work is one try at a piece of work: the streams loaded for it, and the events to append to them. It is not safe for
// concurrent use.
type Work struct {
	ctx     context.Context
	desk    *Desk
	streams map[string]*stream
	asked   map[string]opening // what was read of streams, for when they are loaded
	undo    []func()           // undoes each keep
	decided int                // how many streams got events

	restsOn []*Event // where to note the last event that was read or written

	destroyed int // personal.Keys.Destroyed at the beginning

	// batch numbers the requests of a batch, which are carried out in order and may have been written in part before a
	// crash. A stream is then folded only as far as the current request, turn. Nil: no batch.
	batch map[uuid.UUID]int
	turn  int

	since eventstore.Position // none of the requests of this Work that may have been tried before wrote anything up to it
}

// An order says when a stream is written. It refines event.Order: unused claims lapse, names are claimed, things change,
// late things change after those that they refer to, names are released, and records come last. So after a crash between
// two streams, a retry or the next caller can finish the rest.
type order int

const (
	lapses order = iota
	claims
	things
	late
	releases
	records
)

func orderOf(kind *event.Noun) order {
	return [...]order{event.First: claims, event.InTheMiddle: things, event.Late: late, event.Last: records}[kind.Order]
}

// Look returns a thing as it is at this point of a Work; the zero state if there is no such thing.
func Look[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID) (S, error) {
	s, err := w.load(catalogue.Kind(kind.Category), id)
	if err != nil {
		var none S
		return none, err
	}
	return s.state.(S), nil
}

// Mark returns the current point of a Work, for Rollback.
func (w *Work) Mark() int { return len(w.undo) }

// Rollback drops everything that was decided since a mark, such as by a line of a batch that was refused.
func (w *Work) Rollback(mark int) {
	for i := len(w.undo) - 1; i >= mark; i-- {
		w.undo[i]()
	}
	w.undo = w.undo[:mark]
}

// Run lets a command decide on a thing, and keeps its events until the end of the Work. It is a step of a plan: it does not
// check the command's permission, since Begin has checked the plan's.
func Run[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, command Decider[S, E], by By) (Answer[S], error) {
	return runAs[S](w, catalogue.Kind(kind.Category), id, deciderOf(command), by)
}

// Yield is Run for a command that gives up names for another thing, which takes them later in the same Work. It is written first:
// wherever the process dies, a name has one holder or none.
func Yield[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, command Decider[S, E], by By) (Answer[S], error) {
	c := deciderOf(command)
	c.yields = true
	return runAs[S](w, catalogue.Kind(kind.Category), id, c, by)
}

func runAs[S any](w *Work, kind *event.Noun, id uuid.UUID, c decider, by By) (Answer[S], error) {
	a, err := w.run(kind, id, c, by)
	state, _ := a.State.(S)
	return Answer[S]{ID: a.ID, State: state, Revision: a.Revision, Position: a.Position, Changed: a.Changed, Replayed: a.Replayed, stream: a.stream}, err
}

func deciderOf[S any, E event.Event](command Decider[S, E]) decider {
	return decider{command: command, decide: func(state any, by By) ([]event.Event, error) {
		events, err := command.Decide(state.(S), by)
		all := make([]event.Event, len(events))
		for i, e := range events {
			all[i] = e
		}
		return all, err
	}}
}

// A decider is a command without its type parameters.
type decider struct {
	command any
	decide  func(state any, by By) ([]event.Event, error)
	yields  bool // see Yield
}

func (w *Work) run(kind *event.Noun, id uuid.UUID, c decider, by By) (Answer[any], error) {
	if err := Ahead(w, append(refsOf(c.command), Thing{kind, id})...); err != nil {
		return Answer[any]{}, err
	}
	s, err := w.load(kind, id)
	if err != nil {
		return Answer[any]{}, by.unlessHidden(err)
	}
	if before, again := s.requests.get(by.Request); again {
		return w.again(s, before, by)
	}
	if !by.sees(kind, s.state) {
		return Answer[any]{}, kind.Unknown
	}
	if by.IfMatch != nil && !slices.Contains(by.IfMatch, s.revision) {
		if s.revision == eventstore.NoStream {
			return Answer[any]{}, kind.Unknown
		}
		return Answer[any]{}, domain.Stale("stale", "It has changed, and is at revision %d now. Read it again, and repeat the request with the new ETag if it still applies.", s.revision)
	}
	by.ID, by.Names = id, w.desk.Names
	if by, err = w.know(c.command, by); err != nil {
		return Answer[any]{}, err
	}
	mark := w.Mark()
	events, err := w.decide(s, c, by)
	if err != nil {
		return Answer[any]{}, err
	}
	if len(events) > 0 && len(s.later) > 0 { // this request had stored nothing before the crash: others were first
		w.Rollback(mark)
		state, times, later := s.state, s.times, s.later
		w.undo = append(w.undo, func() { s.state, s.times, s.later = state, times, later })
		s.catchUp(uuid.Nil)
		if events, err = w.decide(s, c, by); err != nil {
			return Answer[any]{}, err
		}
	}
	if len(events) > 0 {
		at := orderOf(kind)
		if s.order == lapses && s.gains(events) { // lapses are written before claims, and names are used after them
			return Answer[any]{}, ErrWriteFirst
		}
		if c.yields || s.order == lapses {
			at = lapses
		}
		s.keep(w, at, by, events...)
		if err := w.mayWrite(s, len(events)); err != nil {
			return Answer[any]{}, err
		}
	}
	return Answer[any]{ID: id, State: s.state, Revision: s.revision, Position: s.position, Changed: len(events) > 0, stream: s}, nil
}

// mayWrite refuses text about a person who was forgotten, among the last n pending events of a stream. What is not text goes
// on: such a person's tickets can be closed.
func (w *Work) mayWrite(s *stream, n int) error {
	for i := len(s.pending) - n; i < len(s.pending); i++ {
		p := &s.pending[i]
		if w.batch == nil && w.begins(p.subject) { // the key is yet to be made: write looks then
			continue
		}
		if err := w.mayHold(p); err != nil {
			return err
		}
	}
	return nil
}

// mayHold refuses text about a person who was forgotten in a pending event.
func (w *Work) mayHold(p *pending) error {
	if _, err := w.desk.Keys.Key(p.subject); !errors.Is(err, personal.ErrForgotten) {
		return nil
	}
	if personal.Any(p.event) || p.by.Reason != "" {
		return domain.Conflict("person-forgotten", "The person was forgotten: no text about them can be stored any more, nor a reason.")
	}
	p.by.Digest = ""
	return nil
}

// begins reports whether a stream begins in this Work whose thing is a subject.
func (w *Work) begins(subject uuid.UUID) bool {
	for _, s := range w.streams {
		if s.id == subject && s.revision == eventstore.NoStream && len(s.pending) > 0 && !s.kind.Keyless {
			return true
		}
	}
	return false
}

// again repeats the answer to a request that came before. What it asked for cannot be compared if it was about a person who
// was forgotten, before or since.
func (w *Work) again(s *stream, before played, by By) (Answer[any], error) {
	if known := !before.digest.Forgotten() && !before.digest.Empty(); known && before.digest != personal.New(by.Digest) {
		return Answer[any]{}, ErrReused
	}
	a := Answer[any]{ID: s.id, State: s.state, Revision: before.revision, Position: before.position, Changed: true, Replayed: true}
	if w.batch != nil {
		s.catchUp(by.Request)
		a.State = s.state
		return a, nil
	}
	var err error
	a.State, err = w.stateAt(s.kind, s.id, before.revision)
	return a, err
}

// decide lets a command decide, and updates the names and the roll accordingly.
func (w *Work) decide(s *stream, c decider, by By) ([]event.Event, error) {
	by.Late = by.History && (s.times.disordered || by.At.Before(s.times.latest))
	events, err := c.decide(s.state, by)
	if err != nil {
		return nil, err
	}
	before, after := s.state, s.state
	for _, e := range events {
		after = s.kind.Apply(after, e)
	}
	if err := w.hold(s, before, after, by, c.yields); err != nil {
		return nil, err
	}
	return events, w.guard(s, before, after, by)
}

// refsOf returns the things that a command refers to.
func refsOf(command any) (things []Thing) {
	if referrer, is := command.(Referrer); is {
		for _, ref := range referrer.Refs() {
			things = append(things, Thing{catalogue.Kind(ref.category), ref.id})
		}
	}
	return things
}

// know loads the things that a command refers to. A thing that the caller does not see is refused as unknown.
func (w *Work) know(command any, by By) (By, error) {
	referrer, ok := command.(Referrer)
	if !ok {
		return by, nil
	}
	by.others = nil
	var refused []error
	for _, ref := range referrer.Refs() {
		s, err := w.load(catalogue.Kind(ref.category), ref.id)
		if err != nil {
			return by, by.unlessHidden(err)
		}
		if err = ref.must(s.state); ref.had && by.History {
			err = nil
		}
		if !by.sees(s.kind, s.state) {
			err = s.kind.Unknown
		}
		refused = append(refused, ofField(ref.field, err))
		by.others = append(by.others, other{s.kind.Stream(s.id), s.state})
	}
	return by, domain.Join(refused...)
}

// write appends the events of the Work, all at once where the log can; else the streams by their order, those of the same order
// concurrently. Otherwise what was decided first comes first in the log. The keys of what begins are durable before.
func (w *Work) write() error {
	var changed []*stream
	var beginning []uuid.UUID
	for _, s := range w.streams {
		if len(s.pending) == 0 {
			continue
		}
		changed = append(changed, s)
		if s.revision == eventstore.NoStream && !s.kind.Keyless && s.pending[0].subject == s.id {
			beginning = append(beginning, s.id)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if len(beginning) > 0 {
		if err := w.desk.Keys.Make(w.ctx, beginning...); err != nil {
			return err
		}
		for _, s := range changed {
			for i := range s.pending {
				if !slices.Contains(beginning, s.pending[i].subject) {
					continue
				}
				if err := w.mayHold(&s.pending[i]); err != nil {
					return err
				}
			}
		}
	}
	slices.SortFunc(changed, func(a, b *stream) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.decided, b.decided))
	})
	appends := make([]eventstore.Append, len(changed))
	for i, s := range changed {
		if err := s.encode(w.desk.Keys); err != nil {
			return err
		}
		appends[i] = eventstore.Append{Stream: s.kind.Stream(s.id), Expected: s.revision, Events: s.encoded, Step: int(s.order)}
	}
	done, err := w.desk.Store.Append(w.ctx, appends...)
	if err != nil {
		return err
	}
	for i, s := range changed {
		s.appended(w, done[i])
	}
	return nil
}

// KeysOf returns whose keys a stored event needs: those that seal its texts, and that of the thing whose stream begins with it, which
// was made for it.
func KeysOf(e eventstore.Recorded) []uuid.UUID {
	of := append(personal.Subjects(e.Data), personal.Subjects(e.Meta)...)
	kind := catalogue.Of(e.Type)
	if kind == nil || kind.Keyless || e.Revision != 0 {
		return of
	}
	_, id, err := event.ParseStream(e.Stream)
	if err != nil {
		return of // whoever reads it says so
	}
	first, err := kind.Decode(PlaceOf(e), e.Data, unread{})
	if err == nil && kind.Subject(kind.Apply(kind.Nothing, first), id, first) == id {
		of = append(of, id)
	}
	return of
}

// unread leaves sealed texts unread.
type unread struct{ personal.Keys }

func (unread) Key(uuid.UUID) (cipher.AEAD, error) { return nil, personal.ErrForgotten }

// rest notes the last event that was read or written, for those who ask.
func (w *Work) rest() {
	for _, on := range w.restsOn {
		for name, s := range w.streams {
			if s.position > on.Position {
				*on = Event{name, s.revision, s.position, s.last}
			}
		}
	}
}

// Came reports whether by's request has written to a thing before. The thing must have been loaded, for example by Look.
func Came[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, by By) bool {
	s := w.streams[kind.Stream(id)]
	return s != nil && s.has(by.Request)
}

// MustSee refuses a thing that the caller does not see. Run does so too for its own thing.
func MustSee[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID, by By) error {
	s, err := w.load(catalogue.Kind(kind.Category), id)
	if err == nil && !by.sees(s.kind, s.state) {
		err = s.kind.Unknown
	}
	return by.unlessHidden(err)
}
