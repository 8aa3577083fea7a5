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
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/internal/recent"
)

// A Desk executes commands and plans. It loads streams, folds them, lets commands decide, and appends their events at the
// exact revisions. If another writer was first, it starts over.
type Desk struct {
	Store eventstore.Store
	Keys  personal.Keys
	Names personal.Hasher
	// Doors revokes the keys of agents who were deleted. Nil: there are no keys.
	Doors Doors
	// Snapshots keeps the states of long streams beyond this process. Nil: they are not kept.
	Snapshots eventstore.Snapshots
	// Wrote is called for each thing that this process has written to. It must not block. Nil: not called.
	Wrote func(category string, id uuid.UUID)

	baseline baseline
	turns    turns
}

// Doors are the API keys of agents. The vault implements it.
type Doors interface {
	// Revoke ends all keys that act as holder, an agent, and returns those whose end is not in the log yet.
	Revoke(ctx context.Context, holder uuid.UUID, at time.Time) ([]uuid.UUID, error)
}

// Answer is the result of a command or a plan: the thing as it now is.
type Answer[S any] struct {
	ID       uuid.UUID
	State    S
	Revision eventstore.Revision
	Position eventstore.Position // of the last event that the answer is based on
	Changed  bool                // false: nothing to change
	Replayed bool                // the same request came before; this repeats its result
	Read     []event.Written     // the thing's events before these that were read for it, unless they are many
	Written  []event.Written     // the thing's new events, in order; empty if replayed

	stream *stream
}

// settled returns the answer once everything is written.
func (a Answer[S]) settled() Answer[S] {
	if a.stream != nil && !a.Replayed {
		a.Revision, a.Position, a.Read, a.Written = a.stream.revision, a.stream.position, a.stream.taken, a.stream.written
	}
	a.stream = nil
	return a
}

// ErrReused says that a request's id was used before with another body.
var ErrReused = errors.New("the id of the request was used before with another body")

// Do executes one command on the thing with the id. It returns a *domain.Error for a refusal, and ErrReused for a request
// id that was used with another body.
func Do[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID, command Command[S, E], by By) (Answer[S], error) {
	return Carry(ctx, d, Of(kind, command), id, by)
}

// Carry executes a plan in one Work, and returns the thing as it was written. Its errors are those of Do.
func Carry[S any](ctx context.Context, d *Desk, plan Plan[S], id uuid.UUID, by By) (Answer[S], error) {
	var answer Answer[S]
	end, err := d.turns.take(ctx, id)
	if err != nil {
		return answer, err
	}
	defer end()
	err = d.Play(ctx, func(w *Work) (func(), error) {
		var err error
		answer, err = Begin(w, plan, id, by)
		return func() { answer = answer.settled() }, err
	})
	return answer, err
}

// State returns a thing as it now is; the zero state if there is no such thing.
func State[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID) (Answer[S], error) {
	w, err := d.begin(ctx)
	if err != nil {
		return Answer[S]{}, err
	}
	s, err := w.load(catalogue.Kind(kind.Category), id)
	if err != nil {
		return Answer[S]{}, err
	}
	return Answer[S]{ID: id, State: s.state.(S), Revision: s.revision, Position: s.position}, nil
}

// Sees reports whether a caller with a sight sees a thing as it now is.
func Sees[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], id uuid.UUID, sight role.Sight) (bool, error) {
	if kind.Seen == nil {
		return true, nil
	}
	a, err := State(ctx, d, kind, id)
	if newer, ok := errors.AsType[*NewerError](err); ok { // as it was when it could still be told
		return kind.Seen(newer.before.state.(S), sight), nil
	}
	return err == nil && kind.Seen(a.State, sight), err
}

// Find returns the thing that has a name, and reports whether one does.
func Find(ctx context.Context, d *Desk, h event.Hold) (id uuid.UUID, found bool, err error) {
	w, err := d.begin(ctx)
	if err != nil {
		return uuid.Nil, false, err
	}
	return w.Find(h)
}

// Holder returns the thing of a kind that has a name, as it now is, and reports whether one does.
func Holder[S any, E event.Event](ctx context.Context, d *Desk, kind event.Kind[S, E], h event.Hold) (a Answer[S], found bool, err error) {
	w, err := d.begin(ctx)
	if err != nil {
		return a, false, err
	}
	id, found, err := w.Find(h)
	if err != nil || !found {
		return a, false, err
	}
	s, err := w.load(catalogue.Kind(kind.Category), id)
	if err != nil {
		return a, false, err
	}
	return Answer[S]{ID: id, State: s.state.(S), Revision: s.revision, Position: s.position}, true, nil
}

// maxTries bounds how often a piece of work starts over because another writer was first. Each time, at least one other
// writer succeeded.
const maxTries = 200

// Play runs do and appends the events that it decided on. If another writer was first, it starts over, so do may run
// several times. do may return a function to call once everything is written.
func (d *Desk) Play(ctx context.Context, do func(*Work) (done func(), err error)) error {
	for try := 1; ; try++ {
		w, err := d.begin(ctx)
		if err != nil {
			return err
		}
		done, err := do(w)
		if err == nil {
			err = w.write()
		}
		w.rest()
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
		d.baseline.forgetAfter(conflict.Stream, conflict.Actual)
	}
}

func (d *Desk) begin(ctx context.Context) (*Work, error) {
	destroyed, err := d.Keys.Destroyed()
	return &Work{ctx: ctx, desk: d, streams: make(map[string]*stream), asked: make(map[string]opening), destroyed: destroyed, since: anywhere}, err
}

// A baseline caches streams, so that only newer events need to be read. It is never trusted to be up to date.
type baseline struct {
	mu        sync.Mutex
	streams   *recent.Map[string, *stream] // immutable once stored
	destroyed int                          // personal.Keys.Destroyed when they were opened
}

// remembered is the least number of streams that the cache keeps.
const remembered = 10_000

// get returns a stream as it was cached, unless keys were destroyed since.
func (b *baseline) get(name string, destroyed int) *stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil || b.destroyed != destroyed {
		b.streams, b.destroyed = recent.New[string, *stream](remembered), destroyed
	}
	s, _ := b.streams.Get(name)
	return s
}

// put caches a stream that was opened when that many keys were destroyed.
func (b *baseline) put(name string, s stream, destroyed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams != nil && b.destroyed == destroyed {
		b.streams.Put(name, &s)
	}
}

// Forget forgets the streams that are remembered. What comes next reads them again.
func (d *Desk) Forget() {
	d.baseline.mu.Lock()
	defer d.baseline.mu.Unlock()
	d.baseline.streams = nil
}

func (b *baseline) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams != nil {
		b.streams.Forget(name)
	}
}

// forgetAfter forgets a stream that was cached beyond its last revision, as after a restore of an older log. What is behind is read
// on from there.
func (b *baseline) forgetAfter(name string, last eventstore.Revision) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams == nil {
		return
	}
	if s, cached := b.streams.Get(name); cached && s.revision >= last {
		b.streams.Forget(name)
	}
}
