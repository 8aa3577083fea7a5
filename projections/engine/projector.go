package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A projector projects events into one generation. One goroutine uses it.
type projector struct {
	db      *table.DB
	term    table.Term
	ledger  *Ledger
	strict  bool // an event that cannot be projected is an error; otherwise, or if the log has lost events, its stream is parked
	patient bool // retry when the database fails

	number  int
	epoch   int64
	at      table.Point // the last event that it has projected
	applied int64
	parked  map[parkKey]*table.Parked

	failing func(error) // is called with the error before each retry; set if patient
}

// A parkKey is a stream in one projection.
type parkKey struct{ projection, stream string }

// A FencedError is returned if another process or engine has taken over this generation. Nothing was written.
type FencedError struct {
	Generation int
	Epoch      int64 // of the engine that was fenced
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("another process or engine has taken over generation %d of the read models: this one, with epoch %d, can no longer write",
		e.Generation, e.Epoch)
}

// A PoisonError names an event that cannot be projected.
type PoisonError struct {
	Projection string // empty if the event cannot be decoded
	Stream     string
	Position   eventstore.Position
	Cause      error
}

func (e *PoisonError) Error() string {
	if e.Projection == "" {
		return fmt.Sprintf("the event at position %s of stream %s cannot be decoded: %v", e.Position, e.Stream, e.Cause)
	}
	return fmt.Sprintf("projection %s fails at the event at position %s of stream %s: %v", e.Projection, e.Position, e.Stream, e.Cause)
}

func (e *PoisonError) Unwrap() error { return e.Cause }

// errAnew means that this projector cannot continue, but a new one can, from what is in the database.
var errAnew = errors.New("the read models were changed by something else; starting again from their checkpoints")

// claim takes over a generation by raising the epoch of its checkpoints, which fences the previous writer.
func claim(ctx context.Context, db *table.DB, term table.Term, l *Ledger) (*projector, error) {
	g, err := table.ReadGeneration(ctx, db.Readers)
	if err != nil {
		return nil, err
	}
	for p := (&projector{db: db, term: term, ledger: l, number: g.Number}); ; {
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
		if raised == int64(len(l.folds)) { // otherwise they were moved or claimed since they were read
			p.epoch++
			return p, nil
		}
	}
}

// reload drops what is in memory and reads the checkpoints and what is parked.
func (p *projector) reload(ctx context.Context) error {
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
		return table.NewDamage("generation %d has %d checkpoints for %d projections", p.number, len(checkpoints), len(p.ledger.folds))
	}
	for i, c := range checkpoints {
		if i > 0 && (c.Point != p.at || c.Epoch != p.epoch) {
			return table.NewDamage("the checkpoints of generation %d differ, at positions %s and %s", p.number, p.at.Position, c.Position)
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

// A portion is what one transaction projects.
type portion struct {
	batch []entry
	to    table.Point   // where the checkpoints are afterwards
	seen  int64         // how many events it adds to the checkpoints' count
	only  int           // the only fold that projects, or -1: all
	drain *table.Parked // the parked stream that is retried, unparked unless it fails again; nil: none
}

// done reports whether the transaction was committed after all, according to what was reloaded.
func (w portion) done(p *projector) bool {
	if w.drain == nil || p.at != w.to {
		return p.at == w.to
	}
	k, parked := p.parked[parkKey{w.drain.Projection, w.drain.Stream}]
	return !parked || k.Position != w.drain.Position
}

// apply projects a batch of the log that begins after the checkpoints. It stops before an event of an unknown type, with a
// *NewerError.
func (p *projector) apply(ctx context.Context, batch []entry) error {
	batch, newer := split(batch)
	if n := len(batch); n > 0 {
		if err := p.do(ctx, portion{batch: batch, to: batch[n-1].point(), seen: eventsIn(batch), only: -1}); err != nil {
			return err
		}
	}
	if newer != nil {
		return newer
	}
	return nil
}

// do carries out one transaction, unless an event is of an unknown type. It retries while the database fails, and repeats it without each event that turns out to be
// poison.
func (p *projector) do(ctx context.Context, w portion) error {
	if _, newer := split(w.batch); newer != nil {
		return newer
	}
	began, epoch := p.at, p.epoch
	p.unpark(w.drain)
	for pause := pauses(); ; {
		err := p.try(ctx, w)
		if err == nil {
			return nil
		}
		p.ledger.drop(false)
		if no := (*refusal)(nil); errors.As(err, &no) {
			err = p.guilty(ctx, w, no)
		}
		if bad := (*poison)(nil); errors.As(err, &bad) {
			e := &w.batch[bad.at]
			if p.strict {
				return &PoisonError{p.ledger.folds[bad.fold].name, e.Stream, e.Position, bad}
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
		if table.IsDamage(err) {
			return err
		}
		// The database tells whether it was committed and who has the checkpoints now. It may have been restored, or have
		// failed over to a standby that lacks the last commits: then the events in between are projected again.
		switch reloaded := p.reload(ctx); {
		case reloaded != nil:
			err = errors.Join(err, reloaded)
		case p.epoch > epoch:
			p.epoch = epoch // so that it stays fenced
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
func (p *projector) try(ctx context.Context, w portion) error {
	if err := p.sift(w); err != nil {
		return err
	}
	waiting := map[parkKey]int64{}
	err := p.db.Write(ctx, func(tx table.Tx) error {
		err := p.ledger.fold(tx, w.batch, func(fold, at int) bool { return p.leaveOut(w, fold, at, waiting) })
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
	p.at, p.applied = w.to, p.applied+w.seen
	for at, n := range waiting {
		p.parked[at].Waiting += n
	}
	return nil
}

var errTried = errors.New("it was only tried")

// guilty returns the *poison that made the database refuse a row of a portion, or the error that kept it from finding out. It tries the
// portion's first events, without keeping what they come to.
func (p *projector) guilty(ctx context.Context, w portion, no *refusal) error {
	good, bad := 0, len(w.batch) // so many are taken, and refused
	for bad-good > 1 {
		n := (good + bad) / 2
		err := p.db.Write(ctx, func(tx table.Tx) error {
			counted := map[parkKey]int64{}
			if err := p.ledger.fold(tx, w.batch[:n], func(fold, at int) bool { return p.leaveOut(w, fold, at, counted) }); err != nil {
				return err
			}
			return errTried
		})
		p.ledger.drop(false)
		switch {
		case errors.As(err, &no):
			bad = n
		case errors.Is(err, errTried):
			good = n
		default:
			return err
		}
	}
	return &poison{no.fold, bad - 1, no.error}
}

// sift parks the streams of events that could not be decoded, and those that the log has lost events of, also where an event that
// cannot be projected is an error: nothing mends such a stream, and all else must go on.
func (p *projector) sift(w portion) error {
	for i := range w.batch {
		e := &w.batch[i]
		switch {
		case e.err == nil:
		case p.strict && !e.damaged():
			return &PoisonError{Stream: e.Stream, Position: e.Position, Cause: e.err}
		default:
			for fold := range p.ledger.folds {
				if w.only < 0 || w.only == fold {
					p.park(fold, e, e.err)
				}
			}
		}
	}
	return nil
}

func (p *projector) unpark(k *table.Parked) {
	if k != nil {
		delete(p.parked, parkKey{k.Projection, k.Stream})
	}
}

// park records that a projection failed at an event. The record is written with the batch.
func (p *projector) park(fold int, e *entry, cause error) {
	at := parkKey{p.ledger.folds[fold].name, e.Stream}
	if earlier, ok := p.parked[at]; ok && earlier.Position <= e.Position {
		return
	}
	p.parked[at] = &table.Parked{
		Projection: at.projection,
		Stream:     at.stream,
		Position:   e.Position,
		EventID:    e.EventID,
		Error:      plain(cause.Error()),
		ParkedAt:   table.At(time.Now()),
	}
}

// leaveOut reports whether a projection must skip an event, and counts the skipped events of parked streams.
func (p *projector) leaveOut(w portion, fold, at int, waiting map[parkKey]int64) bool {
	e := &w.batch[at]
	if w.only >= 0 && w.only != fold || e.notice && e.err == nil {
		return true
	}
	if len(p.parked) == 0 {
		return false
	}
	here := parkKey{p.ledger.folds[fold].name, e.Stream}
	parked, ok := p.parked[here]
	if !ok || e.Position < parked.Position {
		return false
	}
	if e.notice {
		waiting[here] += 0 // so that it is written
	} else {
		waiting[here]++
	}
	return true
}

// plain is a text that every database takes.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func (p *projector) writeParked(tx table.Tx, drain *table.Parked, waiting map[parkKey]int64) error {
	if drain != nil {
		if _, err := tx.Exec("DELETE FROM parked WHERE projection = ? AND stream = ?", drain.Projection, drain.Stream); err != nil {
			return err
		}
	}
	for at, n := range waiting {
		const put = `INSERT INTO parked (projection, stream, position, event_id, error, waiting, parked_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (projection, stream) DO UPDATE SET waiting = excluded.waiting`
		k := p.parked[at]
		_, err := tx.Exec(put, k.Projection, k.Stream, int64(k.Position), k.EventID.String(), k.Error, k.Waiting+n, k.ParkedAt.Stored())
		if err != nil {
			return err
		}
	}
	return nil
}

// move moves the checkpoints. It fails with a *FencedError unless all are at the expected position and epoch.
func (p *projector) move(tx table.Tx, w portion) error {
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
