package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"daybook/domain/personal"
)

// GiveUp destroys the keys of subjects, which the vault lacks and no other vault has, and keeps that the log does not tell of it yet.
func (v *Vault) GiveUp(ctx context.Context, subjects ...uuid.UUID) error {
	err := v.destroy(ctx, subjects, func(tx tx) error {
		for _, s := range subjects {
			if _, err := tx.exec("INSERT INTO lost (subject) VALUES (?) ON CONFLICT DO NOTHING", s.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failed("giving up keys", err)
	}
	return v.Everywhere(ctx)
}

// Lost returns the subjects whose keys were given up, and of which the log does not tell yet.
func (v *Vault) Lost(ctx context.Context) (subjects []uuid.UUID, err error) {
	if err := v.read.SelectContext(ctx, &subjects, "SELECT subject FROM lost ORDER BY subject"); err != nil {
		return nil, failed("reading which keys were given up", err)
	}
	for _, s := range subjects {
		key, err := v.unwrapped(s)
		var none *personal.NoKeyError
		if errors.As(err, &none) || err == nil && key != nil { // it was destroyed in the same commit
			err = damage("the key of " + s.String() + " was not")
		}
		if err != nil {
			return nil, failed("reading which keys were given up", err)
		}
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
		return failed("noting that lost keys are in the log", err)
	}
	return nil
}
