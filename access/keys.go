package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/event"
	"daybook/domain/key"
	"daybook/domain/role"
	"daybook/vault"
)

// RecordKeys writes the events of API keys that were created or revoked by a process that could not write to the log, such
// as the key command beside a running server.
func RecordKeys(ctx context.Context, d *work.Desk, v *vault.Vault) error {
	open, err := v.UnrecordedAPIKeys(ctx)
	var failed []error
	for _, k := range open {
		if k.Altered {
			failed = append(failed, fmt.Errorf("API key %s: %w", k.ID, vault.ErrAltered))
			continue
		}
		if err := record(ctx, d, v, k); err != nil {
			failed = append(failed, fmt.Errorf("recording API key %s: %w", k.ID, err))
		}
	}
	return errors.Join(append(failed, err)...)
}

func record(ctx context.Context, d *work.Desk, v *vault.Vault, k vault.APIKey) error {
	by := work.By{
		Actor: event.TheSystem, Principal: event.TheCommandLine, Through: event.ThroughCommandLine,
		Allowed: role.Owner.Permissions(), Sight: role.Everything,
	}
	created, err := dated(by, k, "created", k.CreatedAt)
	if err != nil {
		return err
	}
	if _, err := work.Do(ctx, d, key.Stream, k.UUID(), commands.RecordKey{Name: k.Name, Role: k.Role, Agent: k.Agent}, created); err != nil {
		return err
	}
	if k.RevokedAt == "" {
		return v.RecordedAPIKey(ctx, k.ID, 1)
	}
	revoked, err := dated(by, k, "revoked", k.RevokedAt)
	if err != nil {
		return err
	}
	if _, err := work.Do(ctx, d, key.Stream, k.UUID(), commands.RevokeKey{}, revoked); err != nil {
		return err
	}
	return v.RecordedAPIKey(ctx, k.ID, 2)
}

// dated returns by for what happened to a key at a time that the vault tells.
func dated(by work.By, k vault.APIKey, what, at string) (work.By, error) {
	var err error
	by.At, err = time.Parse(time.RFC3339, at)
	by.Request = uuid.NewSHA1(k.UUID(), []byte(what))
	by.Correlation = by.Request.String()
	return by, err
}
