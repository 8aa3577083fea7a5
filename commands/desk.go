package commands

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
)

// A Desk carries commands out: it loads the thing's stream, folds it, lets the command decide, and appends what happened
// at the exact revision, again if another was first.
type Desk struct {
	Store eventstore.Store
	Keys  personal.Keys
	Names Names

	baseline baseline
}

// Names hashes a name that only one thing may have. The key of the hash never changes. The vault fulfils it.
type Names interface {
	NameID(hold event.Hold) uuid.UUID
}

// Answer is what a command came to: the thing as it now is.
type Answer[S any] struct {
	ID       uuid.UUID
	State    S
	Revision eventstore.Revision
	Position eventstore.Position // of the last event that the answer rests on
	Changed  bool                // false: it was so already
	Replayed bool                // the same request came before; this is what it came to then
}

// ErrReused says that a request's id was used before with another body.
var ErrReused = errors.New("the id of the request was used before with another body")

// Do carries out one command on the thing of a kind that has the id.
func Do[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID, command Command[S, E], by By) (Answer[S], error) {
	return together(ctx, d, kind, func(w *Work) (Answer[S], error) { return Run(w, kind, id, command, by) })
}

// together does a piece of work that ends in one thing, and answers with it as it was written.
func together[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], do func(*Work) (Answer[S], error)) (Answer[S], error) {
	var answer Answer[S]
	err := d.Play(ctx, func(w *Work) (func(), error) {
		var err error
		answer, err = do(w)
		return func() {
			if l, ok := w.streams[kind.Stream(answer.ID)].(*loaded[S, E]); ok && !answer.Replayed {
				answer.Revision, answer.Position = l.revision, l.position
			}
		}, err
	})
	return answer, err
}

// State returns a thing as it is now; the zero state if there is none.
func State[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID) (Answer[S], error) {
	l, err := load(d.begin(ctx), kind, id)
	if err != nil {
		return Answer[S]{}, err
	}
	return Answer[S]{ID: id, State: l.state, Revision: l.revision, Position: l.position}, nil
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
	return &Work{ctx: ctx, desk: d, streams: make(map[string]writer)}
}

// A baseline remembers states, so that only what is newer need be read. It is never trusted to be the newest.
type baseline struct {
	mu      sync.Mutex
	streams map[string]any // stream → *loaded[S, E], never changed once it is here
}

// maxBaseline bounds the number of remembered streams.
const maxBaseline = 20_000

func (b *baseline) get(stream string) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streams[stream]
}

func (b *baseline) put(stream string, loaded any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil || len(b.streams) >= maxBaseline {
		b.streams = make(map[string]any)
	}
	b.streams[stream] = loaded
}

func (b *baseline) forget(stream string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, stream)
}
