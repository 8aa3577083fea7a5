package table

import (
	"context"
	"errors"
	"slices"
)

// A Home is where the generations of one desk are kept. Each is posted to by whoever holds the term of its schema, and by
// nobody else; the newest of its schema that is ready is the live one. So programs of two versions whose schemas differ
// can serve one desk side by side, each with read models of its own.
type Home interface {
	// Hold waits until nobody holds the term of a schema, and takes it. If it has to wait, it says so, once.
	Hold(ctx context.Context, schema string, waiting func()) (Term, error)
	// Generations lists the generations by their numbers. One that is not ready is being built, or its building was broken off.
	Generations(ctx context.Context) ([]Generation, error)
	// Create gives an empty database for the generation after all there are.
	Create(ctx context.Context) (db *DB, number int, err error)
	// Open opens a generation for its writer and readers; OpenReadOnly for readers, beside whoever posts to it.
	Open(ctx context.Context, number int) (*DB, error)
	OpenReadOnly(ctx context.Context, number int) (*DB, error)
	// Remove removes a generation, which must be closed, if the term is not over. What is still looked at is ErrBusy.
	Remove(ctx context.Context, term Term, number int) error
	// Changes gives a hint, as far as it can, when somebody has posted. It needs no emptying.
	Changes(ctx context.Context) <-chan struct{}
	// Close closes what no method needs any more.
	Close() error
}

// A Term is the right to post to the generations of a schema. One process has it at a time.
type Term interface {
	// Context ends with the term, and when it is no longer sure that nobody else has taken it.
	Context() context.Context
	// Prove fails if the term is somebody else's. If it does not, nobody takes it before the transaction has ended.
	Prove(Tx) error
	// End gives the term back.
	End(context.Context) error
}

// ErrTermOver is why a term's context ended, and what Prove fails with.
var ErrTermOver = errors.New("another process may post the read models now")

// Alone is the term of who needs none, because nobody else can post.
type Alone struct{}

// Context implements Term.
func (Alone) Context() context.Context { return context.Background() }

// Prove implements Term.
func (Alone) Prove(Tx) error { return nil }

// End implements Term.
func (Alone) End(context.Context) error { return nil }

// Newest returns the live generation of a schema, if there is one.
func Newest(all []Generation, schema string) (live Generation, found bool) {
	for _, g := range slices.Backward(all) {
		if g.Schema == schema && g.State == Ready {
			return g, true
		}
	}
	return Generation{}, false
}

// OpenLive opens the live generation of a schema for reading, or returns nil if there is none.
func OpenLive(ctx context.Context, home Home, schema string) (*DB, error) {
	all, err := home.Generations(ctx)
	if err != nil {
		return nil, err
	}
	live, found := Newest(all, schema)
	if !found {
		return nil, nil
	}
	return home.OpenReadOnly(ctx, live.Number)
}

// Clean removes the generations that nobody needs. It keeps the live one of a schema, the newest two that are ready, so that
// there is one to go back to, those of other schemas that somebody posts to or builds, and what is still looked at. Whoever
// calls it holds the term of the schema, and builds no generation of it now.
func Clean(ctx context.Context, home Home, term Term, schema string) error {
	all, err := home.Generations(ctx)
	if err != nil {
		return err
	}
	live, _ := Newest(all, schema)
	ready := 0
	for _, g := range slices.Backward(all) {
		if g.State == Ready {
			ready++
		}
		keep := g.Held && g.Schema != schema || g.State == Ready && (ready <= 2 || g.Number == live.Number)
		if keep {
			continue
		}
		if removed := home.Remove(ctx, term, g.Number); !errors.Is(removed, ErrBusy) {
			err = errors.Join(err, removed)
		}
	}
	return err
}
