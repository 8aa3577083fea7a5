package work

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/internal/recent"
)

// A Desk carries commands and plans out: it loads streams, folds them, lets commands decide, and appends what happened at
// the exact revisions, again if another was first.
type Desk struct {
	Store eventstore.Store
	Keys  personal.Keys
	Names Names
	// Doors are shut behind those who may no longer come in. Nil: there are none.
	Doors Doors
	// Wrote is told of each thing that this process has written to. It must not block. Nil: nobody is.
	Wrote func(category string, id uuid.UUID)

	baseline baseline
}

// Names hashes a name that only one thing may have. The key of the hash never changes. The vault fulfils it.
type Names interface {
	NameID(hold event.Hold) uuid.UUID
}

// Doors are the keys by which somebody comes in. The vault fulfils it.
type Doors interface {
	// Revoke ends all keys that act as a thing of the desk.
	Revoke(ctx context.Context, holder uuid.UUID, at time.Time) error
}

// Answer is what a command or a plan came to: the thing as it now is.
type Answer[S any] struct {
	ID       uuid.UUID
	State    S
	Revision eventstore.Revision
	Position eventstore.Position // of the last event that the answer rests on
	Changed  bool                // false: it was so already
	Replayed bool                // the same request came before; this is what it came to then
	Written  []event.Written     // what happened to the thing, in its order; empty for what was replayed

	stream *stream
}

// settled is the answer once all is written.
func (a Answer[S]) settled() Answer[S] {
	if a.stream != nil && !a.Replayed {
		a.Revision, a.Position, a.Written = a.stream.revision, a.stream.position, a.stream.written
	}
	a.stream = nil
	return a
}

// ErrReused says that a request's id was used before with another body.
var ErrReused = errors.New("the id of the request was used before with another body")

// Do carries out one command on the thing of a kind that has the id.
func Do[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID, command Command[S, E], by By) (Answer[S], error) {
	return Carry(ctx, d, Of(kind, command), id, by)
}

// Carry carries out a plan in one Work, and answers with the thing as it was written.
func Carry[S any](ctx context.Context, d *Desk, plan Plan[S], id uuid.UUID, by By) (Answer[S], error) {
	var answer Answer[S]
	err := d.Play(ctx, func(w *Work) (func(), error) {
		var err error
		answer, err = Begin(w, plan, id, by)
		return func() { answer = answer.settled() }, err
	})
	return answer, err
}

// State returns a thing as it is now; the zero state if there is none.
func State[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID) (Answer[S], error) {
	s, err := d.begin(ctx).load(catalogue.Kind(kind.Category), id)
	if err != nil {
		return Answer[S]{}, err
	}
	return Answer[S]{ID: id, State: s.state.(S), Revision: s.revision, Position: s.position}, nil
}

// Find returns the thing that has a name.
func Find(ctx context.Context, d *Desk, h event.Hold) (id uuid.UUID, found bool, err error) {
	return d.begin(ctx).Find(h)
}

// maxTries bounds how often a piece of work begins again because another was first. Each time at least one other came
// through.
const maxTries = 200

// Play does a piece of work and writes it down; do may run several times, since it begins again if another was first. It
// returns what is to be done once all is written, or nil.
func (d *Desk) Play(ctx context.Context, do func(*Work) (done func(), err error)) error {
	for try := 1; ; try++ {
		w := d.begin(ctx)
		done, err := do(w)
		if err == nil {
			err = w.write()
		}
		var conflict *eventstore.ConflictError
		switch {
		case err == nil:
			if done != nil {
				done()
			}
			return nil
		case !errors.As(err, &conflict) || try == maxTries || ctx.Err() != nil:
			return err
		}
		d.baseline.forget(conflict.Stream)
	}
}

func (d *Desk) begin(ctx context.Context) *Work {
	return &Work{ctx: ctx, desk: d, streams: make(map[string]*stream)}
}

// A baseline remembers streams, so that only what is newer need be read. It is never trusted to be the newest.
type baseline struct {
	mu      sync.Mutex
	streams *recent.Map[string, *stream] // never changed once they are here
}

// remembered is how many streams are kept, at least.
const remembered = 10_000

func (b *baseline) get(name string) *stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil {
		return nil
	}
	s, _ := b.streams.Get(name)
	return s
}

func (b *baseline) put(name string, s stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil {
		b.streams = recent.New[string, *stream](remembered)
	}
	b.streams.Put(name, &s)
}

func (b *baseline) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams != nil {
		b.streams.Forget(name)
	}
}
