package table

import (
	"context"
	"errors"
	"slices"
)

// A Home stores the generations of one desk. Only the process that holds the term of a schema writes its generations. The newest
// ready generation of a schema is its live one. So two versions of the program whose schemas differ can serve one desk side by
// side, each with its own read models.
type Home interface {
	// Hold waits until the term of a schema is free, and takes it. If it has to wait, it calls waiting once.
	Hold(ctx context.Context, schema string, waiting func()) (Term, error)
	// Generations lists the generations by number. One that is not ready is being built, or its building was interrupted.
	Generations(ctx context.Context) ([]Generation, error)
	// Create creates an empty database for the next generation.
	Create(ctx context.Context) (db *DB, number int, err error)
	// Open opens a generation for its writer and readers; OpenReadOnly only for readers, beside its writer.
	Open(ctx context.Context, number int) (*DB, error)
	OpenReadOnly(ctx context.Context, number int) (*DB, error)
	// Remove removes a generation, which must be closed. It returns ErrBusy if it is still being read, ErrTermOver if the term is over.
	Remove(ctx context.Context, term Term, number int) error
	// Changes receives a value after a write, if the database can notify. Nobody has to receive. It may be nil.
	Changes(ctx context.Context) <-chan struct{}
	// Close closes the connections that the Home itself uses.
	Close() error
}

// A Term is the right to write the generations of a schema. One process has it at a time.
type Term interface {
	// Context ends with the term, or as soon as another process might have taken it.
	Context() context.Context
	// Prove fails with ErrTermOver if the term is over. Otherwise no process can take it before the transaction ends.
	Prove(Tx) error
	// End releases the term.
	End(context.Context) error
}

// ErrTermOver is the cause of a term's ended context, and Prove's error.
var ErrTermOver = errors.New("the lease on the read models is over: another process has taken it, or it could not be renewed in time")

// Alone is the term of the only process that can write.
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

// OpenLive opens the live generation of a schema for reading, or returns nil if there is none. If it may be one that is damaged, it
// returns a *DamageError.
func OpenLive(ctx context.Context, home Home, schema string) (*DB, error) {
	all, err := home.Generations(ctx)
	if err != nil {
		return nil, err
	}
	live, found := Newest(all, schema)
	if !found {
		for _, g := range all {
			if g.State == Damaged {
				return nil, NewDamage("generation %d cannot be read", g.Number)
			}
		}
		return nil, nil
	}
	return home.OpenReadOnly(ctx, live.Number)
}

// Clean removes the generations that are no longer needed. It keeps the live one of a schema; the two newest ready ones, so that
// an older version can be started again; those of other schemas that a process writes or builds; and what is still being read.
// The caller must hold the term of the schema and not be building a generation of it.
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
