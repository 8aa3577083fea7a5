package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/ticket"
)

// A Work is one try at a piece of work: the streams that were loaded for it, and what is to be appended to them.
// It belongs to one goroutine.
type Work struct {
	ctx     context.Context
	desk    *Desk
	streams map[string]writer
	undo    []func() // for each thing kept, how to drop it again

	// batch numbers the requests of a batch that is played in order, and that may have been written in part before a crash.
	// A stream is then folded only as far as the batch has come, which is turn. Nil: no batch.
	batch map[uuid.UUID]int
	turn  int
}

// Batch says that these requests are played in order, and that a part of what they come to may have been written before a
// crash. It comes before anything else in a work.
func (w *Work) Batch(requests []uuid.UUID) {
	w.batch = make(map[uuid.UUID]int, len(requests))
	for i, r := range requests {
		if _, twice := w.batch[r]; !twice { // it is played where it comes first
			w.batch[r] = i
		}
	}
}

// Turn says which request of the batch is next.
func (w *Work) Turn(request uuid.UUID) { w.turn = w.batch[request] }

// A rank says in which order streams are written, so that a crash between two of them leaves nothing that a retry, or the
// next who comes, cannot finish: unused claims lapse, names are claimed, things change, tickets come after the things that
// they name, then names are given up, and last of all comes the record that it was done.
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

// Look returns a thing as it is at this point of a work; the zero state if there is none.
func Look[S any, E event.Event](w *Work, kind event.Kind[S, E], id uuid.UUID) (S, error) {
	l, err := load(w, kind, id)
	if err != nil {
		var none S
		return none, err
	}
	return l.state, nil
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
	if by.IfMatch != nil && !slices.Contains(by.IfMatch, l.revision) {
		return Answer[S]{}, domain.Stale("stale", "It is at revision %d now, which is not what was seen. Read it again and decide anew.", l.revision)
	}
	if err := within(l.state, by.Within); err != nil {
		return Answer[S]{}, err
	}
	by.ID = id
	if by, err = w.know(command, by); err != nil {
		return Answer[S]{}, err
	}
	mark := w.Mark()
	events, err := decide(w, l, command, by)
	if err != nil {
		return Answer[S]{}, err
	}
	if len(events) > 0 && len(l.later) > 0 { // this line came to nothing before the crash: others were first
		w.Rollback(mark)
		state, later := l.state, l.later
		w.undo = append(w.undo, func() { l.state, l.later = state, later })
		l.catchUp(uuid.Nil)
		if events, err = decide(w, l, command, by); err != nil {
			return Answer[S]{}, err
		}
	}
	if len(events) > 0 {
		if l.order == lapses { // what lapses must be written before anything is claimed, and this after
			return Answer[S]{}, ErrWriteFirst
		}
		l.keep(w, rankOf(kind.Category), by, events...)
	}
	return Answer[S]{ID: id, State: l.state, Revision: l.revision, Position: l.position, Changed: len(events) > 0}, nil
}

// decide lets a command decide, and claims and gives up the names that this moves.
func decide[S any, E event.Event](w *Work, l *loaded[S, E], command Command[S, E], by By) ([]E, error) {
	events, err := command.Decide(l.state, by)
	if err != nil {
		return nil, err
	}
	before := l.state
	after := l.kind.Fold(before, events...)
	if err := hold(w, l, before, after, by); err != nil {
		return nil, err
	}
	return events, w.keepOwner(l.id, before, after, by)
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

// Mark is a place in a work that Rollback goes back to.
func (w *Work) Mark() int { return len(w.undo) }

// Rollback drops what was decided since a mark, as a refused line of a batch leaves nothing behind.
func (w *Work) Rollback(mark int) {
	for i := len(w.undo) - 1; i >= mark; i-- {
		w.undo[i]()
	}
	w.undo = w.undo[:mark]
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
