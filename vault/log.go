package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Note records which log the vault belongs to, and an event up to which it has every key that the log needs. At is the event's
// position; 0, without an event, is before the first.
func (v *Vault) Note(ctx context.Context, log uuid.UUID, at uint64, event Event) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec(`INSERT INTO noted (one, log, position, stream, revision, event) VALUES (1, ?, ?, ?, ?, ?)
			ON CONFLICT (one) DO UPDATE SET log = excluded.log, position = excluded.position, stream = excluded.stream, revision = excluded.revision, event = excluded.event`,
			log.String(), int64(at), event.Stream, event.Revision, event.ID.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the log in the vault: %w", err)
	}
	return nil
}

// Noted is what Note recorded last. Log is uuid.Nil if no log was noted yet.
type Noted struct {
	Log uuid.UUID
	At  uint64
	Event
}

// Noted returns what was noted last.
func (v *Vault) Noted(ctx context.Context) (Noted, error) {
	var row struct {
		Log      uuid.UUID
		Position uint64
		Stream   string
		Revision int64
		Event    uuid.UUID
	}
	err := v.read.GetContext(ctx, &row, "SELECT log, position, stream, revision, event FROM noted")
	if errors.Is(err, sql.ErrNoRows) {
		return Noted{}, nil
	}
	if err != nil {
		return Noted{}, fmt.Errorf("reading which log the vault belongs to: %w", err)
	}
	return Noted{Log: row.Log, At: row.Position, Event: Event{Stream: row.Stream, Revision: row.Revision, ID: row.Event}}, nil
}
