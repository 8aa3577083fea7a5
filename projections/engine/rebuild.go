package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// Progress is the progress of a rebuild.
type Progress struct {
	Step      Step
	Done      int64 // events
	Total     int64 // events; where positions have gaps, an estimate
	PerSecond float64
	Left      time.Duration // of this step, estimated; 0 if unknown
}

// A Step is a stage of a rebuild.
type Step string

// The steps of a rebuild, in order.
const (
	Folding   Step = "folding"
	Indexing  Step = "building indexes"
	Comparing Step = "comparing"
	Switching Step = "switching"
)

// RebuildOptions are how a rebuild is done. The zero value is right.
type RebuildOptions struct {
	// Progress is called after every transaction. It must not block.
	Progress func(Progress)
	// Compare is called with each difference between the live generation and the new one at the same position, before the
	// switch. Nil: they are not compared.
	Compare func(Difference) error
}

// rebuildBatch is the number of events per transaction of a rebuild. With fewer, too few changes fold together; with more,
// writing does not overlap with decoding.
const rebuildBatch = 10_000

// rebuildSize is the size of the next transaction after so many events: small at first, so that the writer need not wait until a
// whole batch is decoded.
func rebuildSize(done int64) int { return int(min(rebuildBatch, max(liveBatch, done))) }

// ErrRebuilding is returned by Rebuild while another rebuild runs.
var ErrRebuilding = errors.New("the read models are being rebuilt already")

// Rebuild projects the whole log into a new generation beside the live one, and switches when the new one has caught up. Queries
// are answered throughout, and never from an earlier position. Run must be running. The old generation is kept until the next
// rebuild. If the context ends, or an event cannot be projected, the new generation is removed. The error can be ErrRebuilding,
// ErrNotRunning, ErrNotNow, ErrElsewhere, table.ErrTermOver, a *PoisonError or a *NewerError.
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
	defer stop(nil)
	b, err := e.begin(ctx, t, opts.Progress)
	if err != nil {
		return because(ctx, err)
	}
	err = b.catchUp(ctx)
	if err == nil && opts.Compare != nil {
		err = b.compareWithLive(ctx, opts.Compare)
	}
	if err == nil {
		err = b.takeOver(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("rebuilding the read models: %w", because(ctx, err)), b.abandon(ctx))
	}
	b.feed.stop()
	return table.Clean(ctx, e.home, t, e.schema) // keeps the previous one
}

// because returns a rebuild's error, or what ended the term that it was done in: an event of an unknown type, since what is
// projected met it first, or the lease.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if _, newer := errors.AsType[*NewerError](cause); newer || errors.Is(cause, table.ErrTermOver) {
		return cause
	}
	return err
}

// first builds a generation when there is no live one.
func (e *Engine) first(ctx context.Context, term table.Term, progress func(Progress)) (*projector, error) {
	e.note(func(s *situation) { s.building = true }) // what failed before is told until it is built
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
	return b.projector, nil
}

// A rebuild is a generation that is being built.
type rebuild struct {
	*projector
	engine   *Engine
	feed     *feed
	progress func(Progress)
	began    time.Time
	finished bool // it is, or may be, the live generation
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
	if b.projector, err = e.lay(ctx, db, g); err != nil {
		return nil, errors.Join(err, db.Close(), e.home.Remove(context.WithoutCancel(ctx), table.Alone{}, number))
	}
	b.projector.term = term
	b.feed = e.feed(ctx, eventstore.Start)
	return b, nil
}

// lay creates the tables in an empty database and returns a strict projector for them.
func (s Source) lay(ctx context.Context, db *table.DB, g table.Generation) (*projector, error) {
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

// abandon removes the generation, even if the context has ended or the term is over, unless it may be the live one.
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
		if indexed && head < b.at.Position+rebuildBatch { // takeOver folds the rest
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
	return b.projector.foldTo(ctx, b.feed, to, func() { b.tell(Folding, to) })
}

// foldTo projects a feed up to the event at a position.
func (p *projector) foldTo(ctx context.Context, f *feed, to eventstore.Position, progress func()) error {
	for p.at.Position < to {
		batch, err := f.next(ctx, rebuildSize(p.applied), to)
		if err != nil {
			return err
		}
		if err := p.apply(ctx, batch); err != nil {
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

// compareWithLive reports how the live generation differs from the new one, both at the same position.
func (b *rebuild) compareWithLive(ctx context.Context, report func(Difference) error) error {
	b.tell(Comparing, b.at.Position)
	if err := b.engine.live.Wait(ctx, b.at.Position); err != nil {
		return err
	}
	return b.engine.live.Read(func(live *table.DB) error {
		o := VerifyOptions{Report: report}
		v, err := b.projector.compare(ctx, b.feed, live, o)
		return v.unlessDamaged(o, err)
	})
}

// takeOver stops the projector of the live generation, catches up with it, and switches.
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
		h.next <- successor{projector: b.projector}
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

// finish marks the generation as ready.
func (b *rebuild) finish(ctx context.Context) error {
	err := b.db.MarkReady(ctx, b.term)
	b.finished = true
	if err != nil { // the database tells whether it is ready
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		g, unknown := table.ReadGeneration(asking, b.db.Readers)
		b.finished = unknown != nil || g.State == table.Ready
	}
	return err
}
