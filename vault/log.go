package vault

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"
)

// Note records which log the vault belongs to, and an event up to which it has every key that the log needs. At is the event's
// position; 0, without an event, is before the first.
func (v *Vault) Note(ctx context.Context, log uuid.UUID, at uint64, event Event) error {
	n := Noted{log, at, event}
	err := v.writer.commit(ctx, func(tx tx) error {
		done, err := tx.exec("UPDATE noted SET log = ?, position = ?, stream = ?, revision = ?, event = ?, checksum = ?",
			log.String(), int64(at), event.Stream, event.Revision, event.ID.String(), n.checksum())
		if err == nil && done != 1 {
			err = damage("it has lost which log it belongs to")
		}
		return err
	})
	if err != nil {
		return failed("noting the log in the vault", err)
	}
	return nil
}

// Noted is what Note recorded last. Log is uuid.Nil if no log was noted yet.
type Noted struct {
	Log uuid.UUID
	At  uint64
	Event
}

func (n Noted) checksum() int64 {
	return checksum("noted", n.Log, n.At, n.Stream, n.Revision, n.ID)
}

// Noted returns what was noted last.
func (v *Vault) Noted(ctx context.Context) (Noted, error) {
	const doing = "reading which log the vault belongs to"
	var row struct {
		Log      uuid.UUID
		Position uint64
		Stream   string
		Revision int64
		Event    uuid.UUID
		Checksum int64
	}
	err := v.read.GetContext(ctx, &row, "SELECT log, position, stream, revision, event, checksum FROM noted")
	n := Noted{Log: row.Log, At: row.Position, Event: Event{Stream: row.Stream, Revision: row.Revision, ID: row.Event}}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Noted{}, failed(doing, damage("it is not there"))
	case err != nil:
		return Noted{}, failed(doing, err)
	case n.checksum() != row.Checksum:
		return Noted{}, failed(doing, damage("it was changed"))
	}
	return n, nil
}
