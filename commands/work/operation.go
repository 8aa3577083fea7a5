package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/role"
	"daybook/eventstore"
)

// A LongCommand is a command on one thing that affects many others: deleting an agent unassigns the agent's tickets. The
// others are processed in as many Works as needed, under one request and one correlation.
type LongCommand[S any, E event.Event] interface {
	Command[S, E]
	// Name returns the stored name of the plan. It never changes.
	Name() string
	// Left selects the things that are left to process, once the command has taken effect on the thing with the id: those
	// of the first selection, then those of the next.
	Left(id uuid.UUID) []Left
}

// A Companion is a long command that needs another thing besides the one that it takes effect on. Its id is stored when
// the operation begins, since a crash may come before the command itself is written.
type Companion[S any, E event.Event] interface {
	LongCommand[S, E]
	// With returns the id of the other thing; nil: none.
	With() uuid.UUID
	// Again returns the command with another thing, as With returned it.
	Again(with uuid.UUID) LongCommand[S, E]
}

// Left selects things of one category by what they refer to, such as the contacts of a company.
type Left struct {
	Category string
	Showing  map[string]uuid.UUID                        // what they refer to, all of it, by its category
	Each     func(w *Work, thing uuid.UUID, by By) error // processes one of them, as part of a Work
}

// A Finder finds what is left to process. The read models implement it.
type Finder interface {
	// Find returns at most limit of the things, ordered by id, starting after the id after, or with the first if after is
	// empty. It first waits until the read models have reached the position at.
	Find(ctx context.Context, left Left, at eventstore.Position, after string, limit int) ([]uuid.UUID, error)
}

// A Long is a LongCommand without its type parameters, by which an operation is resumed.
type Long struct {
	Name   string // see LongCommand
	of     string // the category of the thing that it is about
	begin  func(w *Work, id uuid.UUID, by By) error
	Left   func(id uuid.UUID) []Left // see LongCommand
	finish func(ctx context.Context, d *Desk, about uuid.UUID, by By) error
	Again  func(with uuid.UUID) Long // see Companion
}

// LongOf returns the plan of a long command on a thing of a kind.
func LongOf[S any, E event.Event](kind event.Kind[S, E], command LongCommand[S, E]) LongPlan[S] {
	return long[S, E]{kind, command}
}

// A LongPlan is a plan that begins an operation.
type LongPlan[S any] interface {
	Plan[S]
	// Long returns the plan without its type parameters.
	Long() Long
}

type long[S any, E event.Event] struct {
	kind event.Kind[S, E]
	LongCommand[S, E]
}

// A Finisher is a long command with a last step outside the log, after everything else.
type Finisher interface {
	Finish(ctx context.Context, d *Desk, about uuid.UUID, by By) error
}

// Carry executes the command, and records that an operation has begun.
func (l long[S, E]) Carry(w *Work, id uuid.UUID, by By) (Answer[S], error) {
	kind := catalogue.Kind(l.kind.Category)
	if err := Ahead(w, append(refsOf(l.LongCommand), Thing{kind, id})...); err != nil {
		return Answer[S]{}, err
	}
	s, err := w.load(kind, id)
	if err != nil {
		return Answer[S]{}, err
	}
	seen := s.revision
	answer, err := Run(w, l.kind, id, l.LongCommand, by)
	if err != nil || !answer.Changed || answer.Replayed {
		return answer, err
	}
	o, err := Look(w, operation.Stream, operation.Of(by.Request))
	if err != nil || o.Begun && !o.Ended { // a crash came between that and the command
		return answer, err
	}
	begun := operation.Begun{Plan: l.Name(), About: id, Revision: int64(seen)}
	if c, ok := any(l.LongCommand).(Companion[S, E]); ok {
		begun.With = c.With()
	}
	return answer, w.note(operation.Of(by.Request), begun, by)
}

func (l long[S, E]) Long() Long {
	finish := func(context.Context, *Desk, uuid.UUID, By) error { return nil }
	if f, ok := any(l.LongCommand).(Finisher); ok {
		finish = f.Finish
	}
	again := func(uuid.UUID) Long { return l.Long() }
	if c, ok := any(l.LongCommand).(Companion[S, E]); ok {
		again = func(with uuid.UUID) Long { return LongOf(l.kind, c.Again(with)).Long() }
	}
	return Long{
		finish: finish,
		Name:   l.Name(),
		of:     l.kind.Category,
		begin:  func(w *Work, id uuid.UUID, by By) error { _, err := l.Carry(w, id, by); return err },
		Left:   l.Left,
		Again:  again,
	}
}

// granted returns by for work that Daybook does on behalf of a caller who was allowed to ask for it: it may do what that
// takes, and sees everything, at any revision.
func granted(by By) By {
	by.granted, by.Sight, by.IfMatch = true, role.Everything, nil
	return by
}

// note is a command that records an event of an operation, unless the operation has ended.
type note struct{ operation.Event }

func (n note) Decide(o operation.Operation, _ By) ([]operation.Event, error) {
	if _, again := n.Event.(operation.Begun); o.Ended && !again {
		return nil, nil
	}
	return []operation.Event{n.Event}, nil
}

// inOneWork is the largest number of things that one Work of an operation processes.
const inOneWork = 100

// GoOn continues an operation until nothing is left. It may be interrupted at any point and called again, also by another
// process, and by two at once.
func (d *Desk) GoOn(ctx context.Context, id uuid.UUID, plans []Long, find Finder) error {
	o, by, err := d.operation(ctx, id)
	if err != nil || o.Ended {
		return err
	}
	i := slices.IndexFunc(plans, func(l Long) bool { return l.Name == o.Plan })
	if i < 0 {
		return fmt.Errorf("there is no plan %q", o.Plan)
	}
	plan := plans[i].Again(o.With)
	again := by
	again.IfMatch = []eventstore.Revision{eventstore.Revision(o.Revision)}
	err = d.Play(ctx, func(w *Work) (func(), error) {
		w.since = by.since
		return nil, plan.begin(w, o.About, again)
	})
	var no *domain.Error
	if errors.As(err, &no) { // a crash came before the command was written, and the thing has changed since
		return d.noteOf(ctx, id, operation.Ended{}, by)
	}
	if err != nil {
		return err
	}
	by = by.Aside(EventID(by.Request, catalogue.Kind(plan.of).Stream(o.About), 0))
	for range 2 { // what was decided before the command took effect may be written after the first look
		if err := d.seeToAll(ctx, id, plan.Left(o.About), find, by); err != nil {
			return err
		}
	}
	if err := plan.finish(ctx, d, o.About, by); err != nil {
		return err
	}
	return d.noteOf(ctx, id, operation.Ended{}, by)
}

// seeToAll processes the things that are left according to read models that have come as far as the log is now.
func (d *Desk) seeToAll(ctx context.Context, id uuid.UUID, all []Left, find Finder, by By) error {
	at, err := d.Store.Head(ctx)
	if err != nil {
		return err
	}
	for _, left := range all {
		for after := ""; ; {
			things, err := find.Find(ctx, left, at, after, inOneWork)
			if err != nil {
				return err
			}
			if len(things) == 0 {
				break
			}
			if err := d.seeTo(ctx, id, left, things, by); err != nil {
				return err
			}
			after = things[len(things)-1].String()
		}
	}
	return nil
}

// seeTo processes some things in one Work. It skips a thing that refuses: there is nothing left to do for it.
func (d *Desk) seeTo(ctx context.Context, id uuid.UUID, left Left, things []uuid.UUID, by By) error {
	err := d.Play(ctx, func(w *Work) (func(), error) {
		w.since = by.since
		for _, thing := range things {
			mark := w.Mark()
			err := left.Each(w, thing, by)
			var no *domain.Error
			if errors.As(err, &no) {
				w.Rollback(mark)
			} else if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	return d.noteOf(ctx, id, operation.Progressed{Things: len(things)}, by)
}

// noteOf records an event of an operation in a Work of its own.
func (d *Desk) noteOf(ctx context.Context, id uuid.UUID, e operation.Event, by By) error {
	return d.Play(ctx, func(w *Work) (func(), error) {
		w.since = by.since
		return nil, w.note(id, e, by)
	})
}

// note records an event of an operation at the end of the work: the first under the request itself, each later one under a
// request of its own, which tells one type of event from another where two processes write at once.
func (w *Work) note(id uuid.UUID, e operation.Event, by By) error {
	s, err := w.load(catalogue.Kind(operation.Stream.Category), id)
	if err != nil {
		return err
	}
	by = granted(by)
	if s.revision != eventstore.NoStream {
		by.Request = uuid.NewSHA1(by.Request, []byte(e.EventType()+"/"+strconv.FormatInt(int64(s.revision), 10)))
	}
	_, err = Run(w, operation.Stream, id, note{e}, by)
	return err
}

// operation returns an operation, and the By that began it.
func (d *Desk) operation(ctx context.Context, id uuid.UUID) (operation.Operation, By, error) {
	a, err := State(ctx, d, operation.Stream, id)
	if err != nil {
		return a.State, By{}, err
	}
	if err := operation.Stream.Must(a.State); err != nil {
		return a.State, By{}, err
	}
	for r, err := range d.Store.Read(ctx, operation.Stream.Stream(id), 0, eventstore.Forwards, 1) {
		if err != nil {
			return a.State, By{}, err
		}
		meta, err := event.DecodeMetadata(PlaceOf(r), r.Meta, d.Keys)
		by := granted(By{
			Actor: meta.Actor, Principal: meta.Principal, At: meta.At, Request: meta.Request,
			Correlation: meta.Correlation, Cause: meta.Cause, Through: meta.Through,
		})
		if by.since = anywhere; time.Since(r.RecordedAt) > keepRequests-24*time.Hour { // a snapshot may not know its requests any more
			by.since = eventstore.Start
		}
		if !meta.Reason.Forgotten() {
			by.Reason = meta.Reason.String()
		}
		if !meta.Digest.Forgotten() {
			by.Digest = meta.Digest.String()
		}
		return a.State, by, err
	}
	return a.State, By{}, operation.Stream.Unknown
}
