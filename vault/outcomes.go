package vault

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
)

// An Outcome is what a request with an idempotency key came to. The answer itself is not stored: it is made again from the stream
// as of the revision.
type Outcome struct {
	Digest   string        `json:"-"` // the keyed hash of what was asked for
	Stream   string        `json:"stream,omitempty"`
	Revision int64         `json:"revision,omitempty"`
	Position uint64        `json:"position,omitempty"`
	Created  bool          `json:"created,omitempty"`
	Refusal  *domain.Error `json:"refusal,omitempty"`
	RestsOn  Event         `json:"rests_on,omitzero"`
}

// An Event is the last event that an outcome rests on: written, or read before it was decided. The outcome counts only if the log has
// it, since a log that was restored from a backup may be older. Zero: none was read.
type Event struct {
	Stream   string    `json:"stream,omitempty"`
	Revision int64     `json:"revision,omitempty"`
	ID       uuid.UUID `json:"id"`
}

// row returns the outcome as it is stored. What it mostly rests on is the event that it names already: then only the id is stored.
func (o Outcome) row() (string, error) {
	if o.RestsOn.Stream == o.Stream && o.RestsOn.Revision == o.Revision {
		o.RestsOn.Stream, o.RestsOn.Revision = "", 0
	}
	text, err := json.Marshal(o)
	return string(text), err
}

// fromRow undoes row.
func (o *Outcome) fromRow(text string) error {
	if err := json.Unmarshal([]byte(text), o); err != nil {
		return failed("reading the outcome of a request", err)
	}
	if o.RestsOn.ID != uuid.Nil && o.RestsOn.Stream == "" {
		o.RestsOn.Stream, o.RestsOn.Revision = o.Stream, o.Revision
	}
	return nil
}

// KeepOutcomes is how long outcomes are kept, at least.
const KeepOutcomes = 7 * 24 * time.Hour

// ErrKeyReused means that an idempotency key was used with another request before.
var ErrKeyReused = errors.New("the idempotency key was used before with another request")

// Outcome returns what a request came to; nil if that is not known.
func (v *Vault) Outcome(ctx context.Context, request uuid.UUID) (*Outcome, error) {
	var row outcomeRow
	err := v.came.GetContext(ctx, &row, request[:])
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = row.proved(request)
	}
	if err != nil {
		return nil, failed("looking for the outcome of a request", err)
	}
	o := &Outcome{Digest: row.Digest}
	return o, o.fromRow(row.Outcome)
}

// KeepOutcome stores the outcome of a request, and calls done when it is durable, or with an error: ErrKeyReused if another request
// with the same key was first. If several copies of a request ran at the same time, a success replaces a refusal, and else the
// first one stays. If nobody waits for done, it may be called a little later, and the commit costs less. It must not block.
func (v *Vault) KeepOutcome(ctx context.Context, request uuid.UUID, o Outcome, now time.Time, waits bool, done func(error)) {
	text, err := o.row()
	if err != nil {
		done(err)
		return
	}
	var kept outcomeRow
	keep := func(tx tx) error {
		kept = outcomeRow{Digest: o.Digest, At: now.Unix(), Refused: o.Refusal != nil, Outcome: text}
		n, err := tx.exec(keepOutcome, request[:], kept.Digest, kept.At, kept.Refused, text, kept.sum(request))
		if err == nil && n == 0 {
			if err = tx.get(&kept, readOutcome, request[:]); err == nil {
				err = kept.proved(request)
			}
		}
		return err
	}
	ended := func(err error) {
		switch {
		case err != nil:
			done(failed("storing the outcome of a request", err))
		case kept.Digest != o.Digest:
			done(ErrKeyReused)
		default:
			done(nil)
		}
	}
	if err := v.writer.accept(ctx, &change{do: keep, done: ended, urgent: waits}); err != nil {
		ended(err)
	}
}

// An outcomeRow is an outcome as it is stored.
type outcomeRow struct {
	Digest   string
	At       int64
	Refused  bool
	Outcome  string
	Checksum int64
}

func (r outcomeRow) sum(request uuid.UUID) int64 {
	return checksum("outcomes", request, r.Digest, r.At, r.Refused, r.Outcome)
}

func (r outcomeRow) proved(request uuid.UUID) error {
	if r.sum(request) != r.Checksum {
		return damage("the outcome was changed")
	}
	return nil
}

const readOutcome = "SELECT digest, at, refused, outcome, checksum FROM outcomes WHERE request = ?"

const keepOutcome = `INSERT INTO outcomes (request, digest, at, refused, outcome, checksum) VALUES (?, ?, ?, ?, ?, ?)
	ON CONFLICT (request) DO UPDATE SET at = excluded.at, refused = excluded.refused, outcome = excluded.outcome, checksum = excluded.checksum
	WHERE outcomes.digest = excluded.digest AND outcomes.refused AND NOT excluded.refused`

// ForgetOutcome deletes an outcome that does not count any more.
func (v *Vault) ForgetOutcome(ctx context.Context, request uuid.UUID, o Outcome) error {
	text, err := o.row()
	if err != nil {
		return err
	}
	err = v.writer.commit(ctx, func(tx tx) error { // another process may have stored another meanwhile
		_, err := tx.exec("DELETE FROM outcomes WHERE request = ? AND outcome = ?", request[:], text)
		return err
	})
	if err != nil {
		return failed("deleting the outcome of a request", err)
	}
	return nil
}

// DropOutcomes deletes outcomes that are older than KeepOutcomes.
func (v *Vault) DropOutcomes(ctx context.Context, now time.Time) error {
	const some = 1000 // so that nobody waits for long
	for dropped := int64(some); dropped == some; {
		err := v.writer.commit(ctx, func(tx tx) (err error) {
			dropped, err = tx.exec("DELETE FROM outcomes WHERE request IN (SELECT request FROM outcomes WHERE at < ? LIMIT ?)", now.Add(-KeepOutcomes).Unix(), some)
			return err
		})
		if err != nil {
			return failed("deleting old outcomes", err)
		}
	}
	return nil
}
