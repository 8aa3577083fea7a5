package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// GiveUp destroys the keys of subjects, which the vault lacks and no other vault has, and keeps that the log does not tell of it yet.
func (v *Vault) GiveUp(ctx context.Context, subjects ...uuid.UUID) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		for _, s := range subjects {
			if _, err := tx.exec("INSERT INTO lost (subject) VALUES (?) ON CONFLICT DO NOTHING", s.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("giving up keys: %w", err)
	}
	return v.Destroy(ctx, subjects...)
}

// Lost returns the subjects whose keys were given up, and of which the log does not tell yet.
func (v *Vault) Lost(ctx context.Context) (subjects []uuid.UUID, err error) {
	if err := v.read.SelectContext(ctx, &subjects, "SELECT subject FROM lost ORDER BY subject"); err != nil {
		return nil, fmt.Errorf("reading which keys were given up: %w", err)
	}
	return subjects, nil
}

// RecordedLost notes that the log tells of it.
func (v *Vault) RecordedLost(ctx context.Context, subjects ...uuid.UUID) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		for _, s := range subjects {
			if _, err := tx.exec("DELETE FROM lost WHERE subject = ?", s.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting that lost keys are in the log: %w", err)
	}
	return nil
}
