package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Cut selects which events count. The zero value selects all.
type Cut struct {
	Position eventstore.Position // events up to here, that is, the desk as it was known then; 0: all
	At       table.Instant       // events that happened by then, whenever they were recorded; 0: all
}

// Replay writes the read models as of a cut to a new file, which opens like a generation. If the file exists, an event cannot be
// projected, or the context ends, it fails and leaves no new file.
func (s Source) Replay(ctx context.Context, cut Cut, path string) (err error) {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s exists already", path), err)
	}
	db, err := table.Open(path)
	if err != nil {
		return err
	}
	if err := s.Fill(ctx, cut, db); err != nil {
		return errors.Join(fmt.Errorf("replaying to %s: %w", path, err), db.Close(), table.Remove(path))
	}
	return db.Close()
}

// Fill writes the read models as of a cut to an empty database, and marks it as readable.
func (s Source) Fill(ctx context.Context, cut Cut, db *table.DB) error {
	end, err := s.Store.Head(ctx)
	if err != nil {
		return err
	}
	if cut.Position > end {
		return fmt.Errorf("position %s is after the end of the log, %s", cut.Position, end)
	}
	if cut.Position > 0 {
		end = cut.Position
	}
	l, err := s.ledger()
	if err != nil {
		return err
	}
	g := table.Generation{Schema: l.schema(), Log: s.Store.ID(), State: table.Building}
	p, err := s.lay(ctx, db, g)
	if err != nil {
		return err
	}
	f := s.feed(ctx, eventstore.Start)
	defer f.stop()
	for p.at.Position < end {
		batch, err := f.next(ctx, rebuildSize(p.applied), end)
		if err != nil {
			return err
		}
		w := portion{batch: batch, to: p.at, only: -1}
		if n := len(batch); n > 0 {
			w.to = batch[n-1].point()
		} else { // the cut is between two events, because positions have gaps
			w.to.Position = end
		}
		if cut.At != 0 {
			w.batch = slices.DeleteFunc(batch, func(e entry) bool { return e.err == nil && e.At > cut.At })
		}
		w.seen = eventsIn(w.batch)
		if err := p.do(ctx, w); err != nil {
			return err
		}
	}
	if err := db.BuildIndexes(ctx, l.relations()); err != nil {
		return err
	}
	return db.MarkReady(ctx, table.Alone{})
}
