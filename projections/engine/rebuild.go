package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// Progress says how far a rebuild is.
type Progress struct {
	Step      Step
	Done      int64 // events
	Total     int64 // events; where positions have gaps, an estimate
	PerSecond float64
	Left      time.Duration // of this step; 0 if it cannot be said
}

// A Step is what a rebuild is doing.
type Step string

// The steps of a rebuild, in their order.
const (
	Folding   Step = "folding"
	Indexing  Step = "building indexes"
	Comparing Step = "comparing"
	Switching Step = "switching"
)

// RebuildOptions are how a rebuild is done. The zero value is right.
type RebuildOptions struct {
	// Progress is told how far it is, after every transaction. It must not block.
	Progress func(Progress)
	// Compare is told each difference between the live generation and the new one at the same position, before they are
	// switched. Nil: they are not compared.
	Compare func(Difference) error
}

// rebuildBatch is how many events one transaction of a rebuild posts: fewer do not fold together enough, more do not
// overlap with the decoding.
const rebuildBatch = 20_000

// rebuildSize is how many events the next transaction posts after so many: few at first, so that the writer has not to
// wait until a whole batch is decoded.
func rebuildSize(posted int64) int { return int(min(rebuildBatch, max(liveBatch, posted))) }

// ErrRebuilding is what a rebuild comes to while there is another.
var ErrRebuilding = errors.New("the read models are being rebuilt already")

// Rebuild posts the whole log anew, beside the live generation, and switches to the new one when it has come as far:
// questions are answered all the time, and never from an earlier position. Run must be running. The old generation's
// file is kept until the next time. If the context ends, or an event cannot be posted, nothing is left of the attempt.
func (e *Engine) Rebuild(ctx context.Context, opts RebuildOptions) error {
	t, err := e.mine()
	if err != nil {
		return err
	}
	if !e.building.TryLock() {
		return ErrRebuilding
	}
	defer e.building.Unlock()
	ctx, stop := until(ctx, t.ctx)
	defer stop()
	b, err := e.begin(ctx, t, opts.Progress)
	if err != nil {
		return err
	}
	err = b.catchUp(ctx)
	if err == nil && opts.Compare != nil {
		err = b.compareWithLive(ctx, opts.Compare)
	}
	if err == nil {
		err = b.takeOver(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("rebuilding the read models: %w", err), b.abandon(ctx))
	}
	b.feed.stop()
	return table.Clean(ctx, e.home, t, e.schema) // the one before stays until the next time
}

// first builds a generation when there is none to compare with or to take over from.
func (e *Engine) first(ctx context.Context, term table.Term, progress func(Progress)) (*poster, error) {
	e.note(func(s *situation) { s.building, s.failure = true, nil })
	defer e.note(func(s *situation) { s.building = false })
	b, err := e.begin(ctx, term, progress)
	if err != nil {
		return nil, err
	}
	err = b.catchUp(ctx)
	if err == nil {
		err = b.finish(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("building the read models: %w", err), b.abandon(ctx))
	}
	b.feed.stop()
	return b.poster, nil
}

// A rebuild is a generation that is being built.
type rebuild struct {
	*poster
	engine   *Engine
	feed     *feed
	progress func(Progress)
	began    time.Time
	finished bool // or perhaps so: it may be the live generation
}

func (e *Engine) begin(ctx context.Context, term table.Term, progress func(Progress)) (*rebuild, error) {
	db, number, err := e.home.Create(ctx)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	b := &rebuild{engine: e, progress: progress, began: time.Now()}
	g := table.Generation{Number: number, Schema: e.schema, Log: e.Store.ID(), State: table.Building}
	if b.poster, err = e.lay(ctx, db, g); err != nil {
		return nil, errors.Join(err, db.Close(), e.home.Remove(context.WithoutCancel(ctx), table.Alone{}, number))
	}
	b.poster.term = term
	b.feed = e.feed(ctx, eventstore.Start)
	return b, nil
}

// lay makes the tables of an empty database and a strict poster for them.
func (s Source) lay(ctx context.Context, db *table.DB, g table.Generation) (*poster, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	if err := db.Lay(ctx, g, l.relations(), l.checkpoints()); err != nil {
		return nil, err
	}
	p, err := claim(ctx, db, table.Alone{}, l)
	if err != nil {
		return nil, err
	}
	p.strict = true
	return p, nil
}

// abandon leaves nothing, also when the context has ended or the term is over, unless it may be the live generation.
func (b *rebuild) abandon(ctx context.Context) error {
	b.feed.stop()
	err := b.db.Close()
	if !b.finished {
		err = errors.Join(err, b.engine.home.Remove(context.WithoutCancel(ctx), table.Alone{}, b.number))
	}
	return err
}

// catchUp folds the log up to its end, builds the indexes, and folds what was added meanwhile.
func (b *rebuild) catchUp(ctx context.Context) error {
	for indexed := false; ; {
		head, err := b.engine.Store.Head(ctx)
		if err != nil {
			return err
		}
		if err := b.foldTo(ctx, head); err != nil {
			return err
		}
		if indexed && head < b.at.Position+rebuildBatch { // what is left now, takeOver folds
			return nil
		}
		if indexed {
			continue
		}
		b.tell(Indexing, head)
		if err := b.db.BuildIndexes(ctx, b.ledger.relations()); err != nil {
			return err
		}
		indexed = true
	}
}

func (b *rebuild) foldTo(ctx context.Context, to eventstore.Position) error {
	return b.poster.foldTo(ctx, b.feed, to, func() { b.tell(Folding, to) })
}

// foldTo posts a feed up to the event at a position.
func (p *poster) foldTo(ctx context.Context, f *feed, to eventstore.Position, progress func()) error {
	for p.at.Position < to {
		batch, err := f.next(ctx, rebuildSize(p.applied), to)
		if err != nil {
			return err
		}
		if err := p.post(ctx, batch); err != nil {
			return err
		}
		progress()
	}
	return nil
}

func (b *rebuild) tell(step Step, to eventstore.Position) {
	t := Progress{Step: step, Done: b.applied, Total: max(b.applied, eventsUpTo(to, b.at.Position, b.applied))}
	if seconds := time.Since(b.began).Seconds(); seconds > 0 {
		t.PerSecond = float64(b.applied) / seconds
	}
	if t.PerSecond > 0 {
		t.Left = time.Duration(float64(t.Total-t.Done) / t.PerSecond * float64(time.Second))
	}
	b.progress(t)
}

// compareWithLive reports how the live generation differs from the new one, both at one position.
func (b *rebuild) compareWithLive(ctx context.Context, report func(Difference) error) error {
	b.tell(Comparing, b.at.Position)
	if err := b.engine.live.Wait(ctx, b.at.Position); err != nil {
		return err
	}
	return b.engine.live.Read(func(live *table.DB) error {
		_, err := b.poster.compare(ctx, b.feed, live, report)
		return err
	})
}

// takeOver stops the posting to the live generation, comes to where that stopped, and switches.
func (b *rebuild) takeOver(ctx context.Context) error {
	h := handover{make(chan eventstore.Position, 1), make(chan successor, 1)}
	select {
	case b.engine.handovers <- h:
	case <-b.engine.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return ctx.Err()
	}
	err := b.switchAt(ctx, <-h.stopped)
	switch {
	case err == nil:
		h.next <- successor{poster: b.poster}
	case b.finished:
		h.next <- successor{err: fmt.Errorf("%w: %w", errAnew, err)}
	default:
		h.next <- successor{}
	}
	return err
}

func (b *rebuild) switchAt(ctx context.Context, stopped eventstore.Position) error {
	b.tell(Switching, stopped)
	if err := b.foldTo(ctx, stopped); err != nil {
		return err
	}
	if err := b.finish(ctx); err != nil {
		return err
	}
	if !b.engine.show(b.db, b.number, b.at) {
		return table.ErrClosed
	}
	return nil
}

// finish makes the generation the newest that is ready.
func (b *rebuild) finish(ctx context.Context) error {
	err := b.db.MarkReady(ctx, b.term)
	b.finished = true
	if err != nil { // whether it is ready is in the database
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		g, unknown := table.ReadGeneration(asking, b.db.Readers)
		b.finished = unknown != nil || g.State == table.Ready
	}
	return err
}
