package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A poster posts to one generation. One goroutine uses it.
type poster struct {
	db      *table.DB
	term    table.Term
	ledger  *Ledger
	strict  bool // an event that cannot be posted ends the work; else it parks what it happened to
	patient bool // it tries again when the database fails

	number  int
	epoch   int64
	at      table.Point // the last event that it has posted
	applied int64
	parked  map[parkKey]*table.Parked
	unknown int64 // events of unknown types that were passed over since the start

	failing func(error) // is told that the database fails and that it will be tried again; patient ones have it
}

// A parkKey is a thing as one projection sees it.
type parkKey struct{ projection, stream string }

// A FencedError says that somebody else posts to this generation now. Nothing was written.
type FencedError struct {
	Generation int
	Epoch      int64 // ours
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("generation %d of the read models is posted to by another process or engine: this one, of epoch %d, may no longer write",
		e.Generation, e.Epoch)
}

// A PoisonError says which event could not be posted.
type PoisonError struct {
	Projection string // empty if the event could not be decoded
	Stream     string
	Position   eventstore.Position
	Cause      error
}

func (e *PoisonError) Error() string {
	if e.Projection == "" {
		return fmt.Sprintf("the event at position %s of stream %s cannot be read: %v", e.Position, e.Stream, e.Cause)
	}
	return fmt.Sprintf("projection %s fails at the event at position %s of stream %s: %v", e.Projection, e.Position, e.Stream, e.Cause)
}

func (e *PoisonError) Unwrap() error { return e.Cause }

// errAnew is why a poster cannot go on, though the next one can, from what is in the database.
var errAnew = errors.New("the read models are not as they were left")

// claim takes over the posting to a generation, from whoever had it.
func claim(ctx context.Context, db *table.DB, term table.Term, l *Ledger) (*poster, error) {
	g, err := table.ReadGeneration(ctx, db.Readers)
	if err != nil {
		return nil, err
	}
	for p := (&poster{db: db, term: term, ledger: l, number: g.Number}); ; {
		if err := p.reload(ctx); err != nil {
			return nil, err
		}
		var raised int64
		err := db.Write(ctx, func(tx table.Tx) (err error) {
			raised, err = tx.Exec("UPDATE checkpoints SET epoch = epoch + 1 WHERE position = ? AND epoch = ?", int64(p.at.Position), p.epoch)
			if err != nil {
				return err
			}
			return term.Prove(tx)
		})
		if err != nil {
			return nil, fmt.Errorf("claiming the checkpoints: %w", err)
		}
		if raised == int64(len(l.folds)) { // else it moved or somebody else claimed it since we looked
			p.epoch++
			return p, nil
		}
	}
}

// reload forgets what is in memory and reads what is written.
func (p *poster) reload(ctx context.Context) error {
	tx, err := p.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	checkpoints, err := table.ReadCheckpoints(ctx, tx)
	if err != nil {
		return err
	}
	parked, err := table.ReadParked(ctx, tx)
	if err != nil {
		return err
	}
	if len(checkpoints) != len(p.ledger.folds) {
		return fmt.Errorf("generation %d has %d checkpoints, and there are %d projections", p.number, len(checkpoints), len(p.ledger.folds))
	}
	for i, c := range checkpoints {
		if i > 0 && (c.Point != p.at || c.Epoch != p.epoch) {
			return fmt.Errorf("the checkpoints of generation %d stand apart, at %s and %s: rebuild the read models", p.number, p.at.Position, c.Position)
		}
		p.at, p.applied, p.epoch = c.Point, c.Applied, c.Epoch
	}
	p.parked = make(map[parkKey]*table.Parked, len(parked))
	for _, k := range parked {
		p.parked[parkKey{k.Projection, k.Stream}] = &k
	}
	p.ledger.drop(p.at.Position == eventstore.Start)
	return nil
}

// A portion is what one transaction posts.
type portion struct {
	batch []entry
	to    table.Point   // where the checkpoints are then
	seen  int64         // how many events they count more
	only  int           // the one fold that posts, or -1: all
	drain *table.Parked // what was parked and is so no more, unless it fails again; nil: nothing
}

// done says whether the transaction was committed after all, going by what was reloaded.
func (w portion) done(p *poster) bool {
	if w.drain == nil || p.at != w.to {
		return p.at == w.to
	}
	k, parked := p.parked[parkKey{w.drain.Projection, w.drain.Stream}]
	return !parked || k.Position != w.drain.Position
}

// post posts a batch, the log from where the checkpoints are.
func (p *poster) post(ctx context.Context, batch []entry) error {
	if len(batch) == 0 {
		return nil
	}
	return p.do(ctx, portion{batch: batch, to: batch[len(batch)-1].point(), seen: int64(len(batch)), only: -1})
}

// do carries out one transaction, again and again while the database fails, and again without each event that turns out
// to be poison.
func (p *poster) do(ctx context.Context, w portion) error {
	began, epoch := p.at, p.epoch
	p.unpark(w.drain)
	for pause := pauses(); ; {
		err := p.try(ctx, w)
		if err == nil {
			return nil
		}
		p.ledger.drop(false)
		if bad := (*poison)(nil); errors.As(err, &bad) {
			e := &w.batch[bad.at]
			if p.strict {
				return &PoisonError{p.ledger.folds[bad.fold].name, e.stream, e.Position, bad}
			}
			p.park(bad.fold, e, bad)
			continue
		}
		if ctx.Err() != nil || !p.patient {
			return err
		}
		if errors.Is(err, table.ErrGone) {
			return fmt.Errorf("%w: %w", errAnew, err)
		}
		// Whether it was committed, and who has the checkpoints now, is in the database. It may have been put back, or have
		// failed over to one that lacks the last commits: then what lies between is to be posted again.
		switch reloaded := p.reload(ctx); {
		case reloaded != nil:
			err = errors.Join(err, reloaded)
		case p.epoch > epoch:
			p.epoch = epoch // so that it can never write again
			return &FencedError{p.number, epoch}
		case p.epoch < epoch:
			return errAnew
		case w.done(p):
			return nil
		case p.at != began:
			return errAnew
		}
		p.unpark(w.drain)
		p.failing(err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// try carries out one transaction.
func (p *poster) try(ctx context.Context, w portion) error {
	unknown, err := p.sift(w)
	if err != nil {
		return err
	}
	waiting := map[parkKey]int64{}
	err = p.db.Write(ctx, func(tx table.Tx) error {
		err := p.ledger.post(tx, w.batch, func(fold, at int) bool { return p.leaveOut(w, fold, at, waiting) })
		if err != nil {
			return err
		}
		if err := p.writeParked(tx, w.drain, waiting); err != nil {
			return err
		}
		return p.move(tx, w)
	})
	if err != nil {
		return err
	}
	p.ledger.settle()
	p.at, p.applied, p.unknown = w.to, p.applied+w.seen, p.unknown+unknown
	for at, n := range waiting {
		p.parked[at].Waiting += n
	}
	return nil
}

// sift looks for events that could not be decoded: those of unknown types are counted, others park what they happened to.
func (p *poster) sift(w portion) (unknown int64, err error) {
	for i := range w.batch {
		e := &w.batch[i]
		switch {
		case e.err == nil:
		case p.strict:
			return 0, &PoisonError{Stream: e.stream, Position: e.Position, Cause: e.err}
		case e.unknown():
			unknown++
		default:
			for fold := range p.ledger.folds {
				if w.only < 0 || w.only == fold {
					p.park(fold, e, e.err)
				}
			}
		}
	}
	return unknown, nil
}

func (p *poster) unpark(k *table.Parked) {
	if k != nil {
		delete(p.parked, parkKey{k.Projection, k.Stream})
	}
}

// park takes note that a projection failed at an event. The note is written with the batch.
func (p *poster) park(fold int, e *entry, cause error) {
	at := parkKey{p.ledger.folds[fold].name, e.stream}
	if earlier, ok := p.parked[at]; ok && earlier.Position <= e.Position {
		return
	}
	p.parked[at] = &table.Parked{
		Projection: at.projection,
		Stream:     at.stream,
		Position:   e.Position,
		EventID:    e.EventID,
		Error:      cause.Error(),
		ParkedAt:   table.At(time.Now()),
	}
}

// leaveOut says whether a projection must leave out an event, and counts those that wait.
func (p *poster) leaveOut(w portion, fold, at int, waiting map[parkKey]int64) bool {
	e := &w.batch[at]
	if w.only >= 0 && w.only != fold || e.err != nil && e.unknown() {
		return true
	}
	if len(p.parked) == 0 {
		return false
	}
	here := parkKey{p.ledger.folds[fold].name, e.stream}
	parked, ok := p.parked[here]
	if !ok || e.Position < parked.Position {
		return false
	}
	waiting[here]++
	return true
}

func (p *poster) writeParked(tx table.Tx, drain *table.Parked, waiting map[parkKey]int64) error {
	if drain != nil {
		if _, err := tx.Exec("DELETE FROM parked WHERE projection = ? AND stream = ?", drain.Projection, drain.Stream); err != nil {
			return err
		}
	}
	for at, n := range waiting {
		const put = `INSERT INTO parked (projection, stream, position, event_id, error, waiting, parked_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (projection, stream) DO UPDATE SET waiting = excluded.waiting`
		k := p.parked[at]
		_, err := tx.Exec(put, k.Projection, k.Stream, int64(k.Position), k.EventID.String(), k.Error, k.Waiting+n, int64(k.ParkedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// move moves the checkpoints, all or none: they are where they were left and under our epoch, or we are fenced.
func (p *poster) move(tx table.Tx, w portion) error {
	const move = "UPDATE checkpoints SET position = ?, stream = ?, revision = ?, event_id = ?, applied = applied + ? WHERE position = ? AND epoch = ?"
	moved, err := tx.Exec(move, int64(w.to.Position), w.to.Stream, int64(w.to.Revision), w.to.EventID.String(), w.seen, int64(p.at.Position), p.epoch)
	if err != nil {
		return err
	}
	if moved != int64(len(p.ledger.folds)) {
		return &FencedError{p.number, p.epoch}
	}
	return nil
}
